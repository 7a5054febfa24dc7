r"""The fit of a smooth lens with everything marginalised that is no substructure.

The parameters of the preset are optimised under Gaussian priors of its means and deviations. Then
the directions of `darklens.modelling.nuisance` and, linearised, the parameters themselves are
marginalised: the residual becomes :math:`z' = (I + D^T D)^{-1} z`, and chi-square
:math:`z^T z'`. Light of the lens is subtracted, and the lens fitted again without it, but with the
noise of its photons.

How much nuisance there is differs from lens to lens: how wide the prior of each kind is, is chosen
for each image by the evidence, see `darklens.modelling.evidence`.

The level of the sky is always fitted. Where the photon counts of an image are not known (8-bit
grey levels, JPEG, resampled), neither is its noise. It is measured: the variance is a line in the
brightness of the model, from differences of neighbouring pixels, which substructure hardly changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32

from darklens.cutouts import block_sums, central_cutout
from darklens.errors import BadInput
from darklens.lensing.noise import PhotonNoise
from darklens.modelling.evidence import likeliest_widths
from darklens.modelling.fit import SmoothFit, SmoothFitter, fit_result
from darklens.modelling.levenberg_marquardt import Solution, optimise, with_exact_derivatives
from darklens.modelling.likelihood import GaussianLikelihood
from darklens.modelling.linear_marginalisation import LinearSolution, linear_solution
from darklens.modelling.measured_noise import measured_noise, with_light
from darklens.modelling.model_from_preset import PRIOR_DRAWS, smooth_model
from darklens.modelling.nuisance import (
    KINDS,
    LENS_LIGHT,
    NO_CLUMPS,
    SOURCE,
    NuisancePriors,
    nuisance_directions,
)
from darklens.modelling.parameters import FLAT, GaussianPrior, Parameter
from darklens.modelling.smooth_model import SmoothModel
from darklens.modelling.source_structure import SourceStructure
from darklens.simulation.conditions import central_value
from darklens.simulation.presets import Preset

__all__ = ["MarginalisedFit", "MarginalisedFitter", "central_sky", "marginalised_model"]

Image = Float[np.ndarray, "h w"]
Parameters = Float[np.ndarray, " p"]

_STEPS, _FEW_STEPS = 20, 10
_SKY_SPREAD = 0.1  # relative
_CENTRE, _FARTHEST = 0.1, 0.5  # of the lens, in arcsec
_TINY = 1e-12  # noise, below which a direction is zero: numbers near the smallest are slow
_UNKNOWN_GAIN = 0.7  # of the logarithm of the amplitude, where counts are estimated
_MUCH, _ROUNDS = 20.0, 3  # squared deviations of nuisance, above which the lens is fitted again
_SETTLED = 0.2  # of the noise: change of any pixel's residual, below which that is the end
_BRIGHT = 0.2  # of the variance of a pixel: light of the lens above which it is, too
_WORSE = 1.02  # one standard deviation of chi-square of a few thousand pixels
_NOISE_ROUNDS = 2
_NO_LIGHT = 1e-12


def marginalised_model(preset: Preset, *, line: bool = False, draws: int) -> SmoothModel:
    """The model of a preset with the priors of its draws, a free sky and no light of the lens."""
    dark = replace(preset, lens_light=None)
    model = smooth_model(dark, line=line, draws=draws)
    background = central_sky(preset) / central_value(preset.exposure)
    mean, spread = model.draws.mean(axis=0), model.draws.std(axis=0)
    mean[Parameter.BACKGROUND], spread[Parameter.BACKGROUND] = (
        background,
        _SKY_SPREAD * background,
    )
    lower, upper = model.lower.copy(), model.upper.copy()
    for k in (Parameter.LENS_X, Parameter.LENS_Y):
        if k in model.free:
            spread[k] = max(spread[k], _CENTRE)
            lower[k], upper[k] = -_FARTHEST, _FARTHEST
    precision = np.zeros_like(mean)
    free = [k for k in model.free if k < Parameter.LINE_X] + [Parameter.BACKGROUND]
    precision[free] = 1 / np.maximum(spread[free], 1e-6) ** 2
    prior = GaussianPrior(mean, precision)
    return replace(model.with_free_sky(), prior=prior, lower=lower, upper=upper)


@dataclass(frozen=True)
class MarginalisedFit:
    """A fit with everything marginalised that is no substructure.

    Attributes:
        fit: The fit; its residual is what is left.
        solution: Amplitudes of all that is marginalised, and their projection.
        model: The model with the likelihood and the prior that were used.
        data: The image less the light of the lens.
        nuisance: What is not in the model, the light of the lens included.
        cost: Minus two times the logarithm of the posterior, but for a constant.
        freedom: Sum of the squared amplitudes of what is not in the model, in standard deviations
            of the priors as they are given.
        penalty: The same, in standard deviations of the priors as wide as they were chosen.
        widths: How wide the prior of each kind of nuisance was chosen, over the given one.
        slope: Counts for a unit of flux.
        structure: Structure of the source.
        source_light: Its image where it is a part of the model that was fitted, and not only
            marginalised; 0 elsewhere.
        departures: Root mean square of the amplitudes of each kind, in standard deviations of the
            prior as it is given; 0 of a kind without directions.
    """

    fit: SmoothFit
    solution: LinearSolution
    model: SmoothModel
    data: Image
    nuisance: Image
    cost: float
    freedom: float
    penalty: float
    widths: dict[str, float]
    slope: Image | float
    structure: SourceStructure
    source_light: Image
    departures: dict[str, float]

    @property
    def basis(self) -> Float32[np.ndarray, "k h w"]:
        """A root of the projection, :math:`B^T B = D^T (I + D D^T)^{-1} D`."""
        rows = self.solution.root.astype(np.float32) @ self.solution.unit
        return np.asarray(rows).reshape(-1, *self.data.shape)

    @property
    def shift(self) -> Float[np.ndarray, " k"]:
        """By how much the linear solution moves each free parameter."""
        free, prior = list(self.model.free), self.model.prior or FLAT
        return np.asarray(self.solution.amplitudes[: len(free)] * _deviations(prior, free))

    @property
    def signal_to_noise(self) -> float:
        """Signal-to-noise ratio of the light of the source, summed over all pixels."""
        source = self._source_counts
        return float(np.sqrt(np.square(source / self.fit.noise).sum()))

    @property
    def magnification(self) -> float:
        """Light of the source with the lens over its light without the lens."""
        return self.model.magnification(self.fit.parameters)

    def source_share(self, image: Image) -> float:
        """Share of the light of an image above the sky that the lensed source explains.

        Light is weighed by the squared signal-to-noise ratio of its pixel. 1 means all of it; the
        share is negative where the model adds light that the image does not have.

        Args:
            image: The image that was fitted, light of the lens included.
        """
        source = self._source_counts
        light = image - (self.fit.model - source)
        weight = 1 / np.square(self.fit.noise)
        total = float((np.square(light) * weight).sum())
        return 1 - float((np.square(light - source) * weight).sum()) / max(total, _NO_LIGHT)

    @property
    def _source_counts(self) -> Image:
        parameters = self.fit.parameters
        scale = self.model.likelihood.scale(self.model.exposure(parameters))
        return np.asarray(scale * self.model.source_image(parameters) + self.source_light)


def central_sky(preset: Preset) -> float:
    """Expected counts of the sky in a pixel, for the central exposure.

    Raises:
        BadInput: If the noise of the preset is not photon noise.
    """
    if not isinstance(preset.noise, PhotonNoise):
        raise BadInput("only photon noise can be marginalised over")
    rate = preset.instrument.sky_rate(preset.grid.pixel_area)
    return preset.noise.background + central_value(preset.exposure) * rate


class MarginalisedFitter:
    """Fits smooth lenses and marginalises over what is no substructure.

    Args:
        preset: Declares the model and the priors; its noise must be that of photons.
        nuisance: Standard deviations of what is not in the model.
        draws: Number of lenses drawn from the prior.
        size: Side of the central square that is fitted [pixel]; all pixels if None.
        binning: Side of the blocks of pixels that are added up first.

    Raises:
        BadInput: If the noise of the preset is not photon noise.
    """

    def __init__(
        self,
        preset: Preset,
        nuisance: NuisancePriors | None = None,
        *,
        draws: int = PRIOR_DRAWS,
        size: int | None = None,
        binning: int = 1,
    ) -> None:
        self.nuisance = nuisance or NuisancePriors()
        self._size, self._binning = size or min(preset.grid.shape), binning
        self.model = self.binned_model(marginalised_model(preset, draws=draws))
        self._search = SmoothFitter(self.model)

    def binned_model(self, model: SmoothModel) -> SmoothModel:
        """A model of the image's pixels, as a model of the blocks that are fitted."""
        return model.binned(self._size, self._binning)

    def binned(self, image: Image) -> Float[np.ndarray, "i j"]:
        """The blocks of pixels of an image that are fitted."""
        return block_sums(central_cutout(image, self._size), self._binning)

    def fit(self, counts: Image, *, known_gain: bool = True) -> MarginalisedFit:
        """Fit one image.

        Args:
            counts: Photon counts, `binned`.
            known_gain: Whether they are that, or an estimate to a factor and a constant.
        """
        model = self.model if known_gain else self._of_unknown_gain()
        end = optimise(model, counts, self._search.with_model(model).start(counts), _STEPS)
        for _ in range(0 if known_gain else _NOISE_ROUNDS):
            noise = measured_noise(counts, end.moments.mean)
            model = replace(model, likelihood=GaussianLikelihood(noise))
            end = optimise(model, counts, end.parameters, _STEPS)
        return self.marginalised(model, counts, end)

    def _of_unknown_gain(self) -> SmoothModel:
        """The model with any background, and hardly a prior of the amplitude."""
        prior = self.model.prior or FLAT
        precision = prior.precision.copy()
        precision[Parameter.BACKGROUND] = 0.0
        precision[Parameter.SOURCE_LOG_AMPLITUDE] = 1 / _UNKNOWN_GAIN**2
        return replace(self.model, prior=GaussianPrior(prior.mean, precision))

    def marginalised(self, model: SmoothModel, data: Image, end: Solution) -> MarginalisedFit:
        """The fit with nuisance marginalised: where there is much, fitted again without it."""
        found = self.linear(model, data, end)
        for _ in range(_ROUNDS):
            light = np.maximum(data - found.data, 0.0)
            bright = float((light / np.square(found.fit.noise)).max()) > _BRIGHT
            if found.freedom < _MUCH and not bright:
                break
            start = found.fit.parameters
            lit = replace(
                model, likelihood=with_light(model.likelihood, light, data, found.fit.model)
            )
            again = optimise(lit, data - found.nuisance, start, _FEW_STEPS)
            other = self.linear(lit, data, again, found.widths)
            if other.fit.chi_square > _WORSE * found.fit.chi_square:
                break
            moved = float(np.abs(other.fit.residual - found.fit.residual).max())
            found = other
            if moved < _SETTLED:
                break
        return found

    def linear(
        self,
        model: SmoothModel,
        data: Image,
        end: Solution,
        widths: Mapping[str, float] | None = None,
        structure: SourceStructure | None = None,
    ) -> MarginalisedFit:
        """All directions marginalised about an optimum.

        Args:
            model: The model that was fitted.
            data: The image, light of the lens included.
            end: The optimum.
            widths: Width of the prior of each kind of nuisance, over the given one; chosen by the
                evidence if None.
            structure: Structure of the source that is part of the model and moves with the lens:
                the derivatives of the optimum are exact and include its light.
        """
        end = with_exact_derivatives(model, end) if structure is None else end
        clumps = NO_CLUMPS if structure is None else structure.clumps
        fit = fit_result(model, data, end)
        sensitivity = fit.sensitivity * fit.noise / end.moments.slope
        line = structure is not None
        kinds = nuisance_directions(
            model, end.parameters, sensitivity, self.nuisance, clumps, line=line
        )
        directions, offset = _directions(
            model, fit, list(kinds.values()), end.moments.slope / fit.noise
        )
        ends = np.cumsum([len(model.free), *map(len, kinds.values())])
        groups = [np.arange(*ends[k : k + 2]) for k in range(len(kinds))]
        if widths is None:
            residual = fit.residual.ravel().astype(np.float32)
            chosen = likeliest_widths(directions, residual, offset, groups)
            widths = dict(zip(kinds, chosen, strict=True))
        scale = np.ones(len(offset))
        for group, kind in zip(groups, kinds, strict=True):
            scale[group] = widths[kind]
        directions *= scale[:, np.newaxis].astype(np.float32)
        solution = linear_solution(directions, fit.residual, offset)
        amplitudes = solution.amplitudes
        left = fit.residual - (amplitudes.astype(np.float32) @ directions).reshape(data.shape)
        freedom = left.size - solution.explained
        given = amplitudes * scale
        changes = {
            kind: np.tensordot(given[group].astype(np.float32), part, 1) * end.moments.slope
            for group, (kind, part) in zip(groups, kinds.items(), strict=True)
        }
        pixels = float(np.square(left).sum()) + float(np.log(end.moments.variance).sum())
        return MarginalisedFit(
            fit=replace(fit, residual=left, chi_square=float(np.square(left).sum()) / freedom),
            solution=solution,
            model=model,
            data=data - changes[LENS_LIGHT],
            nuisance=np.sum(list(changes.values()), axis=0),
            cost=pixels + float(np.square(amplitudes - offset).sum()),
            freedom=float(np.square(given[ends[0] :]).sum()),
            penalty=float(np.square(amplitudes[ends[0] :]).sum()),
            widths=dict(widths),
            slope=end.moments.slope,
            structure=SourceStructure(given[groups[KINDS.index(SOURCE)]], clumps),
            source_light=np.zeros(data.shape) if structure is None else changes[SOURCE],
            departures={
                kind: float(np.sqrt(np.square(given[group]).sum() / max(len(group), 1)))
                for group, kind in zip(groups, kinds, strict=True)
            },
        )


def _directions(
    model: SmoothModel,
    fit: SmoothFit,
    nuisance: Sequence[Float32[np.ndarray, "_ h w"]],
    weight: Image,
) -> tuple[Float32[np.ndarray, "k n"], Float[np.ndarray, " k"]]:
    """All that is marginalised, in units of the noise and of the priors, and the priors' means.

    Args:
        model: The model that was fitted.
        fit: The fit; its parameters come first.
        nuisance: What comes after them, in units of flux.
        weight: Counts for a unit of flux, over the noise.
    """
    free, prior = list(model.free), model.prior or FLAT
    deviation = _deviations(prior, free)
    count = len(free) + sum(map(len, nuisance))
    directions = np.empty((count, *fit.residual.shape), np.float32)
    directions[: len(free)] = fit.whitened_jacobian * deviation[:, None, None]
    np.concatenate(nuisance, out=directions[len(free) :])
    directions[len(free) :] *= weight.astype(np.float32)
    directions[np.abs(directions) < _TINY] = 0
    offset = np.zeros(count)
    offset[: len(free)] = (prior.mean - fit.parameters)[free] / deviation
    return directions.reshape(count, -1), offset


def _deviations(prior: GaussianPrior, free: list[int]) -> Float[np.ndarray, " k"]:
    """Standard deviations of the priors of some parameters."""
    return np.asarray(1 / np.sqrt(np.maximum(prior.precision[free], 1e-12)))
