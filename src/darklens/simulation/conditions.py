"""What changes from one observation to the next: the seeing and the brightness of the sky.

A preset may give a distribution for the width of its Gaussian PSF, for the magnitude of its sky and
for the background of its noise. They are drawn in this order after the lens itself, so that they
change neither its parameters nor the images of presets without them. A fit uses the central value
of the PSF and fits the sky.
"""

from collections.abc import Mapping
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
    Mixture,
    PowerLaw,
    Uniform,
    parse_distribution,
)

__all__ = ["Conditions", "central_value", "take_conditions"]

_PLACES = (
    ("instrument", "psf", "gaussian", "fwhm"),
    ("instrument", "sky_magnitude"),
    ("noise", "photon", "background"),
    ("noise", "none", "background"),
)


@dataclass(frozen=True)
class Conditions:
    """Distributions of what is drawn for each image; None for what is fixed.

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
        """Instrument and noise of one image, and the values drawn, for the table of parameters.

        Raises:
            BadPreset: If an impossible value is drawn, such as a negative width.
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


def take_conditions(content: Any) -> tuple[Any, Conditions]:
    """Replace the distributions of PSF and sky in a preset by their central values.

    Args:
        content: Plain content of the preset, which is not changed.

    Returns:
        The content with central values, and the distributions.

    Raises:
        BadPreset: If one of these values is a mapping, but not a distribution.
    """
    found: dict[str, Distribution] = {}
    for *folders, key in _PLACES:
        content = _replaced(content, [*folders, key], [], found)
    return content, Conditions(**found)


def _replaced(content: Any, ahead: list[str], behind: list[str], found: dict[str, Any]) -> Any:
    """The content with a central value at the end of a path, if there is a distribution."""
    first, *rest = ahead
    if not isinstance(content, Mapping) or first not in content:
        return content
    inner, path = content[first], [*behind, first]
    if rest:
        inner = _replaced(inner, rest, path, found)
    elif isinstance(inner, Mapping):
        name = "psf_fwhm" if first == "fwhm" else first
        found[name] = parse_distribution(inner, ".".join(path))
        inner = central_value(found[name])
    return {**content, first: inner}


def central_value(distribution: Distribution) -> float:
    """The mean of a distribution, or the geometric mean of its ends if it is scale-free."""
    if isinstance(distribution, Constant):
        return distribution.value
    if isinstance(distribution, Uniform):
        return 0.5 * (distribution.low + distribution.high)
    if isinstance(distribution, LogUniform | PowerLaw):
        return float(np.sqrt(distribution.low * distribution.high))
    if isinstance(distribution, Mixture):
        values = [central_value(part) for _, part in distribution.parts]
        return float(np.dot(distribution.weights, values))
    mean = getattr(distribution, "mean", None)
    if mean is None:
        raise BadPreset(f"{distribution} has no central value")
    return float(mean)
