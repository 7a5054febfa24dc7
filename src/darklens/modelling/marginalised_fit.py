r"""The fit of a smooth lens with everything marginalised that is no substructure.

The parameters of the preset are optimised under Gaussian priors of its means and deviations. Then
the directions of `darklens.modelling.nuisance` and, linearised, the parameters themselves are
marginalised: the residual becomes :math:`z' = (I + D^T D)^{-1} z`, and chi-square
:math:`z^T z'`. Light of the lens is subtracted, and the lens fitted again without it.

The level of the sky is always fitted. Where the photon counts of an image are not known (8-bit
grey levels, JPEG, resampled), neither is its noise. It is measured: the variance is a line in the
brightness of the model, from differences of neighbouring pixels, which substructure hardly changes.
"""

from copy import copy
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from darklens.errors import BadInput
from darklens.lensing.noise import PhotonNoise
from darklens.modelling.fit import SmoothFit, SmoothFitter, fit_result
from darklens.modelling.levenberg_marquardt import Solution, optimise
from darklens.modelling.likelihood import GaussianLikelihood, PhotonLikelihood
from darklens.modelling.model_from_preset import PRIOR_DRAWS, smooth_model
from darklens.modelling.nuisance import NuisancePriors, nuisance_directions
from darklens.modelling.parameters import FLAT, GaussianPrior, Parameter
from darklens.modelling.smooth_model import SmoothModel
from darklens.simulation.presets import Preset

__all__ = ["MarginalisedFitter", "marginalise"]

Image = Float[np.ndarray, "h w"]
Parameters = Float[np.ndarray, " p"]

_STEPS, _FEW_STEPS = 15, 4
_SKY_SPREAD, _LEAST_SPREAD = 0.1, 0.02  # relative
_UNKNOWN_GAIN = 0.7  # of the logarithm of the amplitude, where counts are estimated
_BINS, _FEWEST = 10, 100
_BRIGHT = 0.5  # of lens light over noise, above which it is taken off and the lens fitted again
_NOISE_ROUNDS = 2
_MEDIAN2 = 0.4549  # median of chi-square with one degree of freedom


def marginalised_model(preset: Preset, *, line: bool = False, draws: int) -> SmoothModel:
    """The model of a preset with the priors of its draws, a free sky and no light of the lens."""
    dark = replace(preset, lens_light=None)
    model = smooth_model(dark, line=line, draws=draws)
    if not isinstance(model.likelihood, PhotonLikelihood):
        raise BadInput("only photon noise can be marginalised over")
    background = preset.instrument.sky_rate(preset.grid.pixel_area)
    noise = preset.noise
    assert isinstance(noise, PhotonNoise)
    background += noise.background / preset.exposure.largest
    mean, spread = model.draws.mean(axis=0), model.draws.std(axis=0)
    mean[Parameter.BACKGROUND], spread[Parameter.BACKGROUND] = (
        background,
        _SKY_SPREAD * background,
    )
    precision = np.zeros_like(mean)
    free = [k for k in model.free if k < Parameter.LINE_X] + [Parameter.BACKGROUND]
    precision[free] = 1 / np.maximum(spread[free], 1e-6) ** 2
    return replace(model.with_free_sky(), prior=GaussianPrior(mean, precision))


class MarginalisedFitter:
    """Fits smooth lenses and marginalises over what is no substructure.

    Args:
        preset: Declares the model and the priors; its noise must be that of photons.
        nuisance: Standard deviations of what is not in the model.
        draws: Number of lenses drawn from the prior.

    Raises:
        BadInput: If the noise of the preset is not photon noise.
    """

    def __init__(
        self,
        preset: Preset,
        nuisance: NuisancePriors | None = None,
        *,
        draws: int = PRIOR_DRAWS,
    ) -> None:
        self.nuisance = nuisance or NuisancePriors()
        self.model = marginalised_model(preset, draws=draws)
        self._search = SmoothFitter(self.model)

    def fit(self, counts: Image, *, known_gain: bool = True) -> tuple[SmoothFit, SmoothModel]:
        """Fit one image.

        Args:
            counts: Photon counts.
            known_gain: Whether they are that, or an estimate to a factor and a constant.

        Returns:
            The fit, and the model with the likelihood that was used.
        """
        if known_gain:
            start = self._search.start(counts)
            end = optimise(self.model, counts, start, _STEPS)
            return self.marginalised(self.model, counts, end), self.model
        model = self._of_unknown_gain(counts)
        search = copy(self._search)
        search.model = model
        start = search.start(counts)
        for _ in range(_NOISE_ROUNDS):
            end = optimise(model, counts, start, _STEPS)
            start = end.parameters
            noise = _measured_noise(counts, end.moments.mean)
            model = replace(model, likelihood=GaussianLikelihood(noise))
        end = optimise(model, counts, start, _FEW_STEPS)
        return self.marginalised(model, counts, end), model

    def _of_unknown_gain(self, counts: Image) -> SmoothModel:
        """The model with any background, and hardly a prior of the amplitude."""
        prior = self.model.prior or FLAT
        precision = prior.precision.copy()
        precision[Parameter.BACKGROUND] = 0.0
        precision[Parameter.SOURCE_LOG_AMPLITUDE] = 1 / _UNKNOWN_GAIN**2
        return replace(self.model, prior=GaussianPrior(prior.mean, precision))

    def marginalised(self, model: SmoothModel, data: Image, end: Solution) -> SmoothFit:
        """The fit with nuisance marginalised; light of the lens is taken off first."""
        fit, light = marginalise(model, data, end, self.nuisance)
        if np.abs(light).max(initial=0) > _BRIGHT * float(np.median(fit.noise)):
            flux = light
            end = optimise(model, data - flux, end.parameters, _FEW_STEPS)
            fit, _ = marginalise(model, data, end, self.nuisance)
        return fit


def marginalise(
    model: SmoothModel, data: Image, end: Solution, nuisance: NuisancePriors
) -> tuple[SmoothFit, Image]:
    """The residual of a fit with the directions of nuisance marginalised.

    Returns:
        The fit, whose whitened Jacobian holds all directions in units of their priors, and the
        light of the lens in units of the data.
    """
    fit = fit_result(model, data, end)
    slope = end.moments.slope
    small, light = nuisance_directions(
        model, end.parameters, fit.sensitivity * fit.noise / slope, nuisance
    )
    prior = model.prior or FLAT
    free = list(model.free)
    deviation = 1 / np.sqrt(np.maximum(prior.precision[free], 1e-12))
    scaled = fit.whitened_jacobian * deviation[:, None, None]
    rows = [scaled, small * (slope / fit.noise), light * (slope / fit.noise)]
    directions = np.concatenate(rows, dtype=np.float32, casting="same_kind")
    directions = directions.reshape(len(directions), -1)
    offset = np.zeros(len(directions))
    offset[: len(free)] = (prior.mean - end.parameters)[free] / deviation
    residual = fit.residual.ravel()
    curvature = (directions @ directions.T).astype(np.float64)
    curvature[np.diag_indices(len(directions))] += 1
    root = np.linalg.inv(np.linalg.cholesky(curvature))
    basis = root.astype(np.float32) @ directions
    amplitudes = root.T @ (root @ (directions @ residual + offset))
    left = (residual - amplitudes @ directions).reshape(fit.residual.shape)
    shining = np.tensordot(amplitudes[len(free) + len(small) :], light, 1) * slope
    used = residual.size - float(np.square(basis).sum())
    return replace(
        fit,
        residual=left,
        whitened_jacobian=basis.reshape(-1, *left.shape),
        chi_square=float(np.square(left).sum()) / used,
    ), shining


def _measured_noise(data: Image, mean: Image) -> Image:
    """Standard deviation of each pixel, from the differences of neighbours about the model.

    In bins of the model's brightness the median square of a difference gives the variance.
    Correlated noise has smaller differences than deviations: they are scaled by what the dark
    pixels have.
    """
    residual = data - mean
    padded = np.pad(residual, 1, mode="reflect")
    around = padded[1:-1, 2:] + padded[1:-1, :-2] + padded[2:, 1:-1] + padded[:-2, 1:-1]
    square = (residual - 0.25 * around) ** 2 / 1.25
    level = mean - float(mean.min())
    order = np.argsort(level, axis=None)
    dark = order[: order.size // 3]
    edges = level.ravel()[order[-1]] * np.linspace(0, 1, _BINS + 1)[1:] ** 2
    groups = np.split(order, np.searchsorted(level.ravel()[order], edges[:-1]))
    points = [
        (level.ravel()[g].mean(), np.median(square.ravel()[g]) / _MEDIAN2, g.size)
        for g in groups
        if g.size >= _FEWEST
    ]
    x, y, n = (np.array(column) for column in zip(*points, strict=True))
    deviation = residual.ravel()[dark]
    floor = float(np.median((deviation - np.median(deviation)) ** 2)) / _MEDIAN2
    factor = floor / max(float(np.median(square.ravel()[dark])) / _MEDIAN2, 1e-12)
    excess, weight = factor * y - floor, n / np.maximum(factor * y, 1e-12) ** 2
    gain = max(float(np.sum(weight * x * excess)) / max(float(np.sum(weight * x * x)), 1e-12), 0.0)
    return np.sqrt(np.maximum(floor + gain * level, 1e-12))
