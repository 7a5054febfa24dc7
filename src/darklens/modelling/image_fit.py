"""The fit of a preset to an image as stored on disk, with checks on how far to trust it.

Before the fit the photon counts are recovered from scaled values, see
`darklens.modelling.photon_counts`. Afterwards the image is checked against the noise and the sky of
the preset. A sky level other than the preset's is fitted. A mismatch is reported in words; it is
not an error.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Num
from scipy.ndimage import uniform_filter

from darklens.lensing.noise import DeepLenseSimNoise, NoNoise, PhotonNoise
from darklens.modelling.fit import SmoothFit, SmoothFitter
from darklens.modelling.likelihood import GaussianLikelihood
from darklens.modelling.model_from_preset import PRIOR_DRAWS, smooth_model
from darklens.modelling.photon_counts import Counts, recover_counts
from darklens.modelling.smooth_model import SmoothModel
from darklens.simulation.distributions import Constant
from darklens.simulation.presets import Preset

__all__ = ["ImageFit", "ImageFitter"]

Image = Float[np.ndarray, "h w"]

_DARK = 1.2  # of the faintest pixel of the model: where there is sky alone
_SURE = 5.0  # standard errors
_LEAST = 0.1  # by which chi-square may fall below 1
_NOISELESS = 0.5  # of the preset's noise
_BOX, _FAINT = 3, 0.25  # what is smooth, and the part of the image without arcs
_NOMINAL, _PEAKS = 1e-3, 50  # noise where there is none, and the lenses that say of what
_MEDIAN = 0.6745  # of the absolute value of a normal number

COUNTS, SKY, NOISE = "counts not recovered", "sky differs", "noise differs"
"""Problems that an image may have."""

_ESTIMATED = (
    "the values do not give the photon counts back (8-bit grey levels, compressed, resampled?): "
    "gain and sky are estimated, and what follows from them may be wrong"
)
_NOISE_FREE = (
    "the image has {:.2g} times the noise of the preset: it is noise-free or smoothed, so that "
    "chi-square and residuals mean nothing; take a preset without noise (model-2-legacy for the "
    "published Model II of DeepLenseSim), or a general preset with a noise map"
)
_QUIET = (
    "chi-square {:.2f} lies far below 1: the image has less noise than the preset says "
    "(smoothed, averaged, or with another gain)"
)


@dataclass(frozen=True)
class ImageFit:
    """A fit to an image, with a diagnosis of the image.

    Attributes:
        image: The pixels that were fitted, in the units of the fit.
        fit: The smooth lens.
        model: The model that was fitted.
        counts: The recovered photon counts; None if the preset does not count photons.
        matter: Problem with counts, noise or sky in two or three words, or empty.
        note: The same in a sentence, with what to do.
    """

    image: Image
    fit: SmoothFit
    model: SmoothModel
    counts: Counts | None = None
    matter: str = ""
    note: str = ""

    @property
    def free_sky(self) -> bool:
        """Whether the sky level was a free parameter."""
        return "background" in self.fit.names

    def verdict(self, largest_chi_square: float) -> str:
        """Verdict on the fit in two or three words.

        Args:
            largest_chi_square: Reduced chi-square above which an image is unlike the preset.
        """
        if self.matter == NOISE:
            return self.matter
        if not self.fit.converged:
            return "not converged"
        if self.fit.chi_square > largest_chi_square:
            return "unlike the preset"
        return self.matter or "ok"


class ImageFitter:
    """Fits the smooth lens of a preset to images of any scaling.

    Where the preset draws the sky of each image, the sky is fitted. Of a PSF whose width is drawn
    the fit takes the central value. Where the preset has no noise, a thousandth of the brightness
    of its lenses stands for it, so that chi-square is no more than a measure of likeness.

    Args:
        preset: Declares the model.
        draws: Number of lenses drawn from the prior.
    """

    def __init__(self, preset: Preset, *, draws: int = PRIOR_DRAWS) -> None:
        self._preset = preset
        noiseless = isinstance(preset.noise, NoNoise)
        model = _with_nominal_noise(preset, draws) if noiseless else preset
        self._fitter = SmoothFitter(model, draws=draws)

    def fit(self, image: Num[np.ndarray, "h w"]) -> ImageFit:
        """Fit one image.

        Raises:
            BadInput: If the image is not one that the preset could have made.
        """
        noise = self._preset.noise
        if not isinstance(noise, PhotonNoise | DeepLenseSimNoise):
            values = image.astype(np.float64)
            fit = ImageFit(values, self._fitter.fit(values), self.model)
            return fit if isinstance(noise, NoNoise) else _with_noise_checked(fit)
        counts = recover_counts(image, self.sky)
        values = counts.image
        if counts.source == "estimated":
            fit = ImageFit(values, self._fitter.fit(values), self.model, counts)
            return replace(fit, matter=COUNTS, note=_ESTIMATED)
        if self._preset.conditions.free_sky:
            fitter = self._fitter_of_sky
            return _with_noise_checked(ImageFit(values, fitter.fit(values), fitter.model, counts))
        if counts.sky is None:
            fit = ImageFit(values, self._fitter.fit(values), self.model, counts)
            if not self.sky or not _sky_is_off(fit):
                return _with_noise_checked(fit)
        found = self._fitter_of_sky.fit(values)
        return self._on_other_sky(ImageFit(values, found, self._fitter_of_sky.model, counts))

    @property
    def model(self) -> SmoothModel:
        """The model with the sky of the preset."""
        return self._fitter.model

    @cached_property
    def sky(self) -> float | None:
        """Sky counts in a pixel: 0 where dark pixels may be empty, None where unknown."""
        noise = self._preset.noise
        if not isinstance(noise, PhotonNoise):
            return 0.0
        exposure = self._preset.exposure
        rate = self._preset.instrument.sky_rate(self._preset.grid.pixel_area)
        if noise.background_rms or self._preset.conditions.free_sky:
            return None
        if isinstance(exposure, Constant):
            return noise.background + exposure.value * rate
        return None if rate else noise.background

    @cached_property
    def _fitter_of_sky(self) -> SmoothFitter:
        return self._fitter.with_free_sky()

    def _on_other_sky(self, fit: ImageFit) -> ImageFit:
        """A fit whose sky differs from the preset's, with a note."""
        level = fit.fit.values["background"] * fit.model.exposure(fit.fit.parameters)
        note = (
            f"the sky holds {level:.1f} counts in a pixel, not {self.sky:g} as in the preset "
            f"{self._preset.name}: it was fitted"
        )
        return replace(_with_noise_checked(fit), matter=SKY, note=note)


def _with_nominal_noise(preset: Preset, draws: int) -> SmoothModel:
    """The model of a noiseless preset, with a small nominal noise."""
    model = smooth_model(preset, GaussianLikelihood(np.ones(preset.grid.shape)), draws=draws)
    peaks = [float(model.image(parameters).max()) for parameters in model.draws[:_PEAKS]]
    noise = np.full(preset.grid.shape, _NOMINAL * float(np.median(peaks)))
    return replace(model, likelihood=GaussianLikelihood(noise))


def _sky_is_off(fit: ImageFit) -> bool:
    """Whether dark pixels differ significantly from the sky of the preset."""
    dark = fit.fit.model < _DARK * fit.fit.model.min()
    deviation = float(fit.fit.residual[dark].sum()) / np.sqrt(dark.sum())
    return bool(abs(deviation) > _SURE)


def _with_noise_checked(fit: ImageFit) -> ImageFit:
    """The fit, with a note if the image has less noise than the preset."""
    if fit.counts is None and (spread := _noise_in_the_dark(fit)) < _NOISELESS:
        return replace(fit, matter=NOISE, note=_NOISE_FREE.format(spread))
    least = 1 - max(_LEAST, _SURE * np.sqrt(2 / fit.image.size))
    if fit.fit.chi_square < least:
        return replace(fit, matter=NOISE, note=_QUIET.format(fit.fit.chi_square))
    return fit


def _noise_in_the_dark(fit: ImageFit) -> float:
    """Noise of the faintest pixels about their neighbours, over the noise of the model."""
    smooth = uniform_filter(fit.image, _BOX, mode="reflect")
    dark = smooth <= np.quantile(smooth, _FAINT)
    return float(np.median(np.abs(fit.image - smooth)[dark] / fit.fit.noise[dark])) / _MEDIAN
