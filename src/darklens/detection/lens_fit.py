"""The fit of a flexible lens to an image: start, strength of the source's field, errors.

The parametric lens of the preset `galaxy` is fitted first, isothermal, as `darklens fit` does.
About its optimum everything else is set free under priors (`darklens.detection.priors`). How much
the source departs from a Sersic profile, and on which scale, is chosen by the evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32

from darklens.detection.band_fit import BandFit
from darklens.detection.bands import REGISTRATION_SIZE, Band, Bands, States, Target
from darklens.detection.evidence import (
    best_priors,
    log_evidence,
    pull_of_determinant,
    without_perturber,
)
from darklens.detection.flexible_lens import FlexibleLens
from darklens.detection.gauss_newton import Linearised, linearise, optimise_flexible
from darklens.detection.lens_state import LensState
from darklens.detection.linear_solution import FitDiverged
from darklens.detection.priors import FlexibilityPriors, prior_of
from darklens.detection.satellites import SATELLITE_SIZE
from darklens.detection.starting_fit import band_of, starting_fit
from darklens.modelling.fit import SmoothFit
from darklens.modelling.parameters import Parameter
from darklens.observations.alignment import band_offsets
from darklens.observations.observation import Observation

__all__ = ["LensFit", "LensFitter"]

Image = Float[np.ndarray, "h w"]
Vector = Float[np.ndarray, " k"]

_FIELD = (0.1, 0.2)  # strength and scale of the source's field from which the fit starts
_ROUNDS = 2
_CORRECTIONS = 2
_NEGLIGIBLE = 0.2  # standard errors of the slope
_STRUCTURE = 0.02  # of the source's light, beyond its profile, from which its prior adapts to it
_ADAPTATIONS, _WORTH = 2, 30.0  # and the gain of log-evidence from which it does so once more
_SATELLITE = 0.05  # Einstein radius of a satellite from which the fit starts [arcsec]


@dataclass(frozen=True)
class LensFit:
    """A flexible lens at its optimum.

    Its image, residual, arcs and source are those of the first band; `views` has those of all.

    Attributes:
        bands: The images with their models.
        here: The linear problem about the optimum.
        means: Prior means.
        deviations: Prior standard deviations.
        log_evidence: Logarithm of the evidence, a perturber held where it is.
        starts: The parametric fits from which it began.
        pull: Change of the prior mean of the slope that stands for the determinant.
    """

    bands: Bands
    here: Linearised
    means: Vector
    deviations: Vector
    log_evidence: float
    starts: tuple[SmoothFit, ...]
    pull: float

    @cached_property
    def views(self) -> tuple[BandFit, ...]:
        """What each band shows."""
        registered = self.bands.registered(self.here.states)
        return tuple(
            BandFit(
                band,
                self.here.states[k],
                self.here.images[k],
                self.here.gradients[k],
                self.here.problem.parts[k].residual.reshape(band.target.data.shape),
                (float(registered[k][0]), float(registered[k][1])),
            )
            for k, band in enumerate(self.bands.bands)
        )

    @property
    def lens(self) -> FlexibleLens:
        """The model."""
        return self.bands.first.lens

    @property
    def target(self) -> Target:
        """The image and its noise."""
        return self.bands.first.target

    @property
    def state(self) -> LensState:
        """Values of everything that is free."""
        return self.here.states[0]

    @property
    def image(self) -> Image:
        """The image of the lens."""
        return self.here.images[0]

    @property
    def start(self) -> SmoothFit:
        """The parametric fit from which it began."""
        return self.starts[0]

    @property
    def residual(self) -> Image:
        """Data less model, in units of the noise; 0 for masked pixels."""
        return self.views[0].residual

    @property
    def source_image(self) -> Image:
        """Flux of the lensed source."""
        return self.views[0].source_image

    @property
    def arcs(self) -> Bool[np.ndarray, "h w"]:
        """Pixels of the first band in which the lensed source is bright in any band."""
        first, *others = self.views
        arcs = first.arcs
        if others:
            x, y = self.lens.model.grid.coordinates()
            for view in others:
                arcs |= view.arcs_at(x.ravel(), y.ravel()).reshape(arcs.shape)
        return arcs

    @property
    def magnification(self) -> float:
        """Flux of the source with the lens over that without."""
        return self.views[0].magnification

    def settled_residual(self) -> Float[np.ndarray, " n"]:
        """Residual at the optimum of the linear problem, the pixels of the bands one after another.

        The steps end near the optimum. A heavy perturber, nearly all of whose change the smooth
        lens takes up, would take the rest of the way for its own.
        """
        means = self.means.copy()
        means[self.lens.free.index(Parameter.LENS_SLOPE)] += self.pull
        best = self.here.problem.with_means(means).best(self.deviations)
        return self.here.problem.residual_at(best)

    def basis(self) -> Float32[np.ndarray, "r n"]:
        """Root of the projection that marginalises everything but a perturber.

        The pixels of the bands follow one another.
        """
        problem, spread = without_perturber(self.here, self.deviations)
        return problem.basis(spread)

    def errors(self) -> Vector:
        """Marginal standard errors of parameters, multipoles, satellites and perturber.

        Of source, lens light and background they are those of the first band.
        """
        parts = (self.lens.free, self.state.multipoles, self.state.satellites, self.state.perturber)
        count = sum(map(len, parts))
        return np.sqrt(np.diag(self.here.problem.covariance(self.deviations, count)))


class LensFitter:
    """Fits flexible lenses.

    Args:
        priors: Priors of what is free beyond the parametric lens.
    """

    def __init__(self, priors: FlexibilityPriors | None = None) -> None:
        self.priors = priors or FlexibilityPriors()

    def fit(self, seen: Observation | Sequence[Observation], *, lens_light: bool = True) -> LensFit:
        """Fit one lens; of a large image only the part around the lens and its arcs is kept.

        Args:
            seen: The image with its noise, or one image in each of several bands, and where
                satellites of the lens are; the PSF is that of the preset `galaxy` if unknown.
            lens_light: Whether the lens galaxy is visible.

        Raises:
            BadInput: If an image cannot be fitted, or they are not of one lens.
        """
        images = (seen,) if isinstance(seen, Observation) else tuple(seen)
        offsets = band_offsets(images)
        beside = _satellites(images, offsets)
        bands: list[Band] = []
        starts: list[SmoothFit] = []
        for one, offset in zip(images, offsets, strict=True):
            first = starts[0].parameters if starts else None
            start = starting_fit(one, lens_light=lens_light, first=first, offset=offset)
            moved = beside - np.tile([*offset, 0.0], len(beside) // SATELLITE_SIZE)
            bands.append(
                band_of(one, start, lens_light=lens_light, offset=offset, satellites=moved)
            )
            starts.append(start)
        every = Bands(tuple(bands))
        states = tuple(b.lens.state(s.parameters) for b, s in zip(bands, starts, strict=True))
        fit = self.refit(every, every.moved(states, every.vector(states)), tuple(starts))
        return self._adapted(fit)

    def _adapted(self, fit: LensFit) -> LensFit:
        """The fit with a prior of the source that follows the source, where that is more likely."""
        if max(view.departure for view in fit.views) < _STRUCTURE:
            return fit
        for _ in range(_ADAPTATIONS):
            bands, states = [], []
            for band, state in zip(fit.bands.bands, fit.here.states, strict=True):
                source, coefficients = band.lens.source.adapted(state.parameters, state.source)
                bands.append(replace(band, lens=replace(band.lens, source=source)))
                states.append(replace(state, source=coefficients))
            try:
                again = self.refit(Bands(tuple(bands)), tuple(states), fit.starts)
            except FitDiverged:
                break
            gain = again.log_evidence - fit.log_evidence
            fit = again if gain > 0 else fit
            if gain < _WORTH:
                break
        return fit

    def refit(
        self,
        bands: Bands,
        states: States,
        starts: tuple[SmoothFit, ...],
        *,
        pull: float | None = None,
    ) -> LensFit:
        """Optimise from a state, with the strength of the source's field by the evidence.

        Args:
            bands: The images with their models.
            states: Where to start.
            starts: The parametric fits.
            pull: Change of the prior mean of the slope that stands for the determinant; found
                here if None.
        """
        means, deviations = self._prior(bands, states, starts)
        slope = bands.first.lens.free.index(Parameter.LENS_SLOPE)
        moved = means.copy()
        moved[slope] += pull or 0.0
        here = linearise(bands, states, moved, deviations)
        here, deviations = self._under_best_priors(bands, here, moved, deviations, starts)
        if pull is None:
            here, pull = _with_pull(bands, here, means, deviations, slope)
        here = here.under(bands, means, deviations)
        evidence = log_evidence(here, deviations)
        return LensFit(bands, here, means, deviations, evidence, starts, pull)

    def _under_best_priors(
        self,
        bands: Bands,
        here: Linearised,
        means: Vector,
        deviations: Vector,
        starts: tuple[SmoothFit, ...],
    ) -> tuple[Linearised, Vector]:
        """The optimum under the priors of the largest evidence, and their deviations."""
        for _ in range(_ROUNDS):
            chosen = best_priors(
                here, bands, deviations, _radii(starts), multipole=self.priors.multipole
            )
            if np.array_equal(chosen, deviations) and here.converged:
                break
            deviations = chosen
            here = optimise_flexible(bands, here, means, deviations)
        return here, deviations

    def _prior(
        self, bands: Bands, states: States, starts: tuple[SmoothFit, ...]
    ) -> tuple[Vector, Vector]:
        """Prior means and standard deviations of all values."""
        means, deviations = [], []
        for band, state, start, radius in zip(
            bands.bands, states, starts, _radii(starts), strict=True
        ):
            lens, weight = band.lens, band.target.weight
            noise = float(np.median(1 / weight[weight > 0]))
            first = lens.source.deviations(_FIELD[0], _FIELD[1] * radius)
            begin = replace(lens.state(start.parameters), perturber=state.perturber)
            mean, deviation = prior_of(lens, begin, first, noise, self.priors)
            means.append(mean)
            deviations.append(deviation)
        known = [np.zeros(REGISTRATION_SIZE)] * len(bands)
        free = [np.full(REGISTRATION_SIZE, self.priors.registration)] * len(bands)
        return bands.joined(states, means, known), bands.joined(states, deviations, free)


def _with_pull(
    bands: Bands, here: Linearised, means: Vector, deviations: Vector, slope: int
) -> tuple[Linearised, float]:
    """The optimum with a slope of the largest evidence, and the pull of its prior that gives it."""
    moved = means.copy()
    for _ in range(_CORRECTIONS):
        wanted = means[slope] + pull_of_determinant(bands, here, means, deviations, slope)
        error = float(np.sqrt(here.problem.covariance(deviations, slope + 1)[slope, slope]))
        if abs(wanted - moved[slope]) * error < _NEGLIGIBLE * deviations[slope] ** 2:
            break
        moved[slope] = wanted
        here = optimise_flexible(bands, here, moved, deviations)
    return here, float(moved[slope] - means[slope])


def _satellites(
    images: Sequence[Observation], offsets: Sequence[tuple[float, float]]
) -> Float[np.ndarray, " v"]:
    """Start of the satellites, in the coordinates of the first band.

    They are those of the first image that names any.
    """
    for one, (dx, dy) in zip(images, offsets, strict=True):
        if one.satellites:
            beside = [value for x, y in one.satellites for value in (x + dx, y + dy, _SATELLITE)]
            return np.array(beside)
    return np.zeros(0)


def _radii(starts: Sequence[SmoothFit]) -> list[float]:
    """Sersic radius of the source in each band [arcsec]."""
    return [float(np.exp(start.parameters[Parameter.SOURCE_LOG_RADIUS])) for start in starts]
