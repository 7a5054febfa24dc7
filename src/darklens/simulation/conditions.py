"""What changes from one observation to the next: seeing, and the brightness of the sky.

A preset may give a distribution for the width of its Gaussian PSF, for the magnitude of its sky or
for the background of its noise. They are drawn after the lens itself, in this order, so that a
preset without them keeps its bytes, and one with them keeps its lenses. A fit takes the central
value of the PSF and fits the sky.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator

from darklens.errors import BadPreset
from darklens.lensing.instrument import GaussianPSF, Instrument
from darklens.lensing.noise import NoiseModel, NoNoise, PhotonNoise
from darklens.simulation.distributions import (
    Constant,
    Distribution,
    LogUniform,
    PowerLaw,
    Uniform,
    parse_distribution,
)

__all__ = ["Conditions", "central_value", "take_distribution"]


@dataclass(frozen=True)
class Conditions:
    """Distributions of what is drawn for each image; None for what is always the same.

    Args:
        psf_fwhm: Full width at half maximum of the Gaussian PSF [arcsec].
        sky_magnitude: Brightness of the sky [mag / arcsec^2].
        background: Further background in a pixel [counts].
    """

    psf_fwhm: Distribution | None = None
    sky_magnitude: Distribution | None = None
    background: Distribution | None = None

    @property
    def free_sky(self) -> bool:
        """Whether the level of the sky differs from image to image."""
        return self.sky_magnitude is not None or self.background is not None

    def draw(
        self, instrument: Instrument, noise: NoiseModel, rng: Generator
    ) -> tuple[Instrument, NoiseModel, dict[str, float]]:
        """Instrument and noise of one image, and what was drawn, for the table of parameters.

        Raises:
            BadPreset: If a value is drawn that cannot be, such as a negative width.
        """
        drawn: dict[str, float] = {}
        if self.psf_fwhm is not None and isinstance(instrument.psf, GaussianPSF):
            drawn["psf_fwhm"] = self.psf_fwhm.draw(rng)
            psf = replace(instrument.psf, fwhm=drawn["psf_fwhm"])
            instrument = replace(instrument, psf=psf)
        if self.sky_magnitude is not None:
            drawn["sky_magnitude"] = self.sky_magnitude.draw(rng)
            instrument = replace(instrument, sky_magnitude=drawn["sky_magnitude"])
        if self.background is not None and isinstance(noise, PhotonNoise | NoNoise):
            drawn["background"] = self.background.draw(rng)
            noise = replace(noise, background=drawn["background"])
        return instrument, noise, drawn


def take_distribution(settings: dict[str, Any], name: str, where: str) -> Distribution | None:
    """The distribution that stands under a name, where its central value is put instead.

    Raises:
        BadPreset: If it is none.
    """
    if not isinstance(settings.get(name), dict):
        return None
    distribution = parse_distribution(settings[name], f"{where}: {name}")
    settings[name] = central_value(distribution)
    return distribution


def central_value(distribution: Distribution) -> float:
    """A value in the middle of a distribution: its mean, or for scale-free ones the geometric."""
    if isinstance(distribution, Constant):
        return distribution.value
    if isinstance(distribution, Uniform):
        return 0.5 * (distribution.low + distribution.high)
    if isinstance(distribution, LogUniform | PowerLaw):
        return float(np.sqrt(distribution.low * distribution.high))
    mean = getattr(distribution, "mean", None)
    if mean is None:
        raise BadPreset(f"{distribution} has no central value")
    return float(mean)
