"""The fit of a flexible lens to an image: start, strength of the source's field, errors.

The parametric lens of the preset `galaxy` is fitted first, isothermal, as `darklens fit` does.
About its optimum everything else is set free under priors (`darklens.detection.priors`). How much
the source departs from a Sersic profile, and on which scale, is chosen by the evidence.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Float32

from darklens.cutouts import central_cutout
from darklens.detection.flexible_lens import FlexibleLens, LensState
from darklens.detection.gauss_newton import Linearised, Target, linearise, optimise_flexible
from darklens.detection.light_modes import light_modes
from darklens.detection.linear_solution import LinearProblem
from darklens.detection.priors import FlexibilityPriors, prior_of
from darklens.detection.source_modes import source_modes
from darklens.lensing.grid import PixelGrid
from darklens.lensing.instrument import PSF
from darklens.modelling.adaptation import adapt_preset
from darklens.modelling.fit import SmoothFit, SmoothFitter
from darklens.modelling.likelihood import GaussianLikelihood
from darklens.modelling.model_from_preset import smooth_model
from darklens.modelling.parameters import Parameter
from darklens.modelling.smooth_model import SmoothModel
from darklens.observations.observation import Observation
from darklens.simulation.presets import load_preset

__all__ = ["LensFit", "LensFitter", "best_evidence"]

Image = Float[np.ndarray, "h w"]
Vector = Float[np.ndarray, " k"]

_DRAWS = 2000  # of the prior, from which the fit starts
_SLOPES = (1.2, 2.8)
_STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # of the source's field over its envelope
_SCALES = (0.08, 0.2, 0.5, 1.25)  # of its covariance over the Sersic radius
_ROUNDS = 2
_RESOLUTION = 0.8  # half a wave, in pixels of the source plane at a magnification of 4
_ARCS = (1.5, 0.05)  # noise, and share of the brightest arc, above which a pixel is an arc
_NO_LENS = 1e-6
_SATELLITE = 0.05  # Einstein radius of a satellite from which the fit starts [arcsec]
_FIELD = (2.0, 1.0)  # half side of what is kept: Einstein radii, and arcsec


@dataclass(frozen=True)
class LensFit:
    """A flexible lens at its optimum.

    Attributes:
        lens: The model.
        target: The image and its noise.
        here: The linear problem about the optimum.
        means: Prior means.
        deviations: Prior standard deviations.
        log_evidence: Logarithm of the evidence, a perturber held where it is.
        start: The parametric fit from which it began.
    """

    lens: FlexibleLens
    target: Target
    here: Linearised
    means: Vector
    deviations: Vector
    log_evidence: float
    start: SmoothFit

    @property
    def state(self) -> LensState:
        """Values of everything that is free."""
        return self.here.state

    @property
    def residual(self) -> Image:
        """Data less model, in units of the noise; 0 for masked pixels."""
        return self.here.problem.residual.reshape(self.target.data.shape)

    def basis(self) -> Float32[np.ndarray, "r n"]:
        """Root of the projection that marginalises everything but a perturber."""
        problem, spread = _without_perturber(self.here, self.deviations)
        return problem.basis(spread)

    def errors(self) -> Vector:
        """Marginal standard errors of parameters, multipoles, satellites and perturber."""
        parts = (self.lens.free, self.state.multipoles, self.state.satellites, self.state.perturber)
        count = sum(map(len, parts))
        return np.sqrt(np.diag(self.here.problem.covariance(self.deviations, count)))

    @property
    def source_image(self) -> Image:
        """Flux of the lensed source."""
        return self.lens.source_only(self.state)

    @property
    def arcs(self) -> Bool[np.ndarray, "h w"]:
        """Pixels in which the lensed source is bright."""
        source = self.source_image
        seen = source * self.target.weight
        level = max(_ARCS[0], _ARCS[1] * float(seen.max(initial=0.0)))
        return np.asarray(seen > level)

    @property
    def magnification(self) -> float:
        """Flux of the source with the lens over that without."""
        parameters = self.state.parameters.copy()
        parameters[Parameter.EINSTEIN_RADIUS] = _NO_LENS
        parameters[[Parameter.GAMMA1, Parameter.GAMMA2]] = 0.0
        none = np.zeros(0)
        bare = replace(self.state, parameters=parameters, perturber=none, satellites=none)
        unlensed = float(self.lens.source_only(bare).sum())
        return float(self.source_image.sum()) / max(unlensed, 1e-12)


@lru_cache(maxsize=4)
def _general_model(lens_light: bool) -> SmoothModel:
    """The model of the preset `galaxy`; its pixels, noise and PSF are filled in for each image."""
    preset = adapt_preset(load_preset("galaxy"), lens_light=None if lens_light else False)
    return smooth_model(preset, GaussianLikelihood(np.ones(preset.grid.shape)), draws=_DRAWS)


def _model_for(noise: Image, pixel_scale: float, psf: PSF | None, lens_light: bool) -> SmoothModel:
    """The isothermal model of an image."""
    model = _general_model(lens_light)
    instrument = model.instrument if psf is None else replace(model.instrument, psf=psf)
    grid = PixelGrid(noise.shape, pixel_scale)
    likelihood = GaussianLikelihood(noise)
    return _anywhere(replace(model, grid=grid, instrument=instrument, likelihood=likelihood))


def _with_slope(model: SmoothModel) -> SmoothModel:
    """The model with a free slope of the mass."""
    lower, upper = model.lower.copy(), model.upper.copy()
    lower[Parameter.LENS_SLOPE], upper[Parameter.LENS_SLOPE] = _SLOPES
    free = tuple(sorted({*model.free, Parameter.LENS_SLOPE}))
    return replace(model, free=free, lower=lower, upper=upper)


def _anywhere(model: SmoothModel) -> SmoothModel:
    """The model with a lens and a source that may lie off the centre of the image."""
    lower, upper = model.lower.copy(), model.upper.copy()
    half = 0.5 * model.grid.pixel_scale * np.array(model.grid.shape[::-1])
    for first, share in (
        (Parameter.LENS_X, 0.5),
        (Parameter.LENS_LIGHT_X, 0.5),
        (Parameter.SOURCE_X, 0.8),
    ):
        for k, side in zip((first, first + 1), half, strict=True):
            lower[k], upper[k] = min(lower[k], -share * side), max(upper[k], share * side)
    return replace(model, lower=lower, upper=upper)


def _sides(start: SmoothFit, grid: PixelGrid) -> tuple[int, int]:
    """Rows and columns around the lens and its arcs, of the parity of those of the image."""
    p = start.parameters
    offset = max(abs(p[Parameter.LENS_X]), abs(p[Parameter.LENS_Y]))
    half = offset + _FIELD[0] * p[Parameter.EINSTEIN_RADIUS] + _FIELD[1]
    wanted = 2 * int(np.ceil(half / grid.pixel_scale))
    rows, columns = (min(wanted + side % 2, side) for side in grid.shape)
    return rows, columns


class LensFitter:
    """Fits flexible lenses.

    Args:
        priors: Priors of what is free beyond the parametric lens.
    """

    def __init__(self, priors: FlexibilityPriors | None = None) -> None:
        self.priors = priors or FlexibilityPriors()

    def fit(self, seen: Observation, *, lens_light: bool = True) -> LensFit:
        """Fit one image; of a large one only the part around the lens and its arcs is kept.

        Args:
            seen: The image with its noise, and where satellites of the lens are; the PSF is that of
                the preset `galaxy` if unknown.
            lens_light: Whether the lens galaxy is visible.

        Raises:
            BadInput: If the image cannot be fitted.
        """
        noise, pixel_scale = seen.noise_and_scale()
        model = _model_for(noise, pixel_scale, seen.psf, lens_light)
        start = SmoothFitter(model).fit(seen.image)
        rows, columns = _sides(start, model.grid)
        data, noise = (central_cutout(image, rows, columns) for image in (seen.image, noise))
        model = _with_slope(
            replace(
                model, grid=PixelGrid(data.shape, pixel_scale), likelihood=GaussianLikelihood(noise)
            )
        )
        place = start.parameters[[Parameter.LENS_LIGHT_X, Parameter.LENS_LIGHT_Y]]
        light = light_modes(model.grid, *map(float, place))
        source = source_modes(start.parameters, resolution=_RESOLUTION * pixel_scale)
        beside = [value for x, y in seen.satellites for value in (x, y, _SATELLITE)]
        lens = FlexibleLens(
            model, source, light if lens_light else light[:0], satellites=np.array(beside)
        )
        weight = np.where(np.isfinite(noise), 1 / noise, 0.0)
        target = Target(np.where(weight > 0, np.nan_to_num(data), 0.0), weight)
        return self.refit(lens, target, lens.state(start.parameters), start)

    def refit(
        self, lens: FlexibleLens, target: Target, state: LensState, start: SmoothFit
    ) -> LensFit:
        """Optimise from a state, with the strength of the source's field by the evidence."""
        noise = float(np.median(1 / target.weight[target.weight > 0]))
        radius = float(np.exp(start.parameters[Parameter.SOURCE_LOG_RADIUS]))
        first = lens.source.deviations(_STRENGTHS[2], _SCALES[1] * radius)
        begin = replace(lens.state(start.parameters), perturber=state.perturber)
        means, deviations = prior_of(lens, begin, first, noise, self.priors)
        here = linearise(lens, target, state, means, deviations)
        evidence = -np.inf
        for _ in range(_ROUNDS):
            evidence, chosen = best_evidence(here, lens, deviations, radius)
            if np.array_equal(chosen, deviations) and here.converged:
                break
            deviations = chosen
            here = optimise_flexible(lens, target, here.state, means, deviations)
        evidence = _evidence(here, deviations)
        return LensFit(lens, target, here, means, deviations, evidence, start)


def best_evidence(
    here: Linearised, lens: FlexibleLens, deviations: Vector, radius: float
) -> tuple[float, Vector]:
    """The largest evidence over the strength and scale of the source's field, and its priors."""
    best, chosen = -np.inf, deviations
    for strength in _STRENGTHS:
        for scale in _SCALES:
            trial = deviations.copy()
            trial[-len(lens.source) :] = lens.source.deviations(strength, scale * radius)
            evidence = _evidence(here, trial)
            if evidence > best:
                best, chosen = evidence, trial
    return best, chosen


def _evidence(here: Linearised, deviations: Vector) -> float:
    """Logarithm of the evidence, a perturber held where it is."""
    problem, spread = _without_perturber(here, deviations)
    return problem.solve(spread).log_evidence


def _without_perturber(
    here: Linearised, deviations: Vector
) -> tuple[LinearProblem, Float[np.ndarray, " j"]]:
    """The linear problem with the perturber held, and the other priors."""
    problem, count = here.problem, len(here.state.perturber)
    if not count:
        return problem, deviations
    first = len(problem.values) - len(here.state.source) - len(here.state.light) - 3 - count
    kept = np.r_[0:first, first + count : len(problem.values)]
    return problem.of_some(kept), deviations[kept]
