"""Gauss-Newton optimisation of a flexible lens under its priors, in all of its bands."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from darklens.detection.bands import Bands, States
from darklens.detection.flexible_lens import FlexibleLens
from darklens.detection.joint_solution import JointProblem
from darklens.detection.lens_state import LensState
from darklens.detection.linear_solution import LinearProblem
from darklens.detection.satellites import SATELLITE_SIZE
from darklens.detection.thinning import thinned
from darklens.modelling.parameters import Parameter, inside_bounds

__all__ = ["Linearised", "linearise", "optimise_flexible"]

Vector = Float[np.ndarray, " k"]

_STEPS, _TOLERANCE, _PROMISE = 25, 0.3, 1.0
_DAMPING = (0.0, 0.01, 0.1, 1.0, 10.0, 100.0)
_FARTHEST = np.array([0.15, 0.15, 0.5])  # step of a perturber: arcsec, arcsec, dex
_ALL_MASSES = (5.0, 12.0)  # logarithm of the mass


@dataclass(frozen=True)
class Linearised:
    """A lens about one state, in all of its bands.

    Attributes:
        states: The state of each band.
        images: Its image in each.
        problem: The linear problem about it.
        gradients: Gradient of the lensed source before the PSF in each [flux / arcsec].
        objective: Squared residuals and squared departures from the prior.
        converged: Whether the last step, or each of two damped ones, hardly changed it.
        steps: Number of steps.
    """

    states: States
    images: tuple[Float[np.ndarray, "_ _"], ...]
    problem: JointProblem
    gradients: tuple[Float[np.ndarray, "2 _ _"], ...]
    objective: float
    converged: bool = False
    steps: int = 0

    def under(self, bands: Bands, means: Vector, deviations: Vector) -> "Linearised":
        """The same about the same state, under other priors.

        Args:
            bands: The images with their models.
            means: Prior means.
            deviations: Prior standard deviations.
        """
        problem = self.problem.with_means(means)
        vector = bands.vector(self.states)
        objective = _objective(problem.residual, vector, means, deviations)
        return replace(self, problem=problem, objective=objective)


def linearise(bands: Bands, states: States, means: Vector, deviations: Vector) -> Linearised:
    """The linear problem about a state."""
    vector, places = bands.vector(states), bands.rows(states)
    images, parts, gradients = [], [], []
    for k, (band, state) in enumerate(zip(bands.bands, states, strict=True)):
        image, rows, gradient = band.lens.directions(state)
        rows *= band.target.weight.astype(np.float32)
        flat = bands.with_registration(k, state, rows.reshape(len(rows), -1))
        residual = band.target.residual(image)
        exact = len(flat) - len(state.source) - len(state.light)
        part = LinearProblem.of(flat, residual, vector[places[k]], means[places[k]], exact)
        images.append(image)
        parts.append(part)
        gradients.append(gradient)
    problem = JointProblem(tuple(parts), tuple(places))
    objective = _objective(problem.residual, vector, means, deviations)
    return Linearised(states, tuple(images), problem, tuple(gradients), objective)


def optimise_flexible(
    bands: Bands,
    start: Linearised,
    means: Vector,
    deviations: Vector,
    *,
    steps: int = _STEPS,
) -> Linearised:
    """Gauss-Newton steps, damped where the objective would grow (Levenberg 1944, Marquardt 1963).

    Modes of the field that its prior makes too faint to be seen stay dark on the way.

    Args:
        bands: The images with their models.
        start: The lens about the state to start from, under any prior.
        means: Prior means.
        deviations: Prior standard deviations.
        steps: Largest number of steps.
    """
    few = thinned(bands, start.states, start.problem, deviations)
    end = _descend(few.bands, few.states, means[few.places], deviations[few.places], steps)
    here = linearise(bands, few.restored(end.states), means, deviations)
    return replace(here, converged=end.converged, steps=end.steps)


def _descend(
    bands: Bands, start: States, means: Vector, deviations: Vector, steps: int
) -> Linearised:
    """The steps, with all modes that the bands have."""
    here = linearise(bands, start, means, deviations)
    gain, first = np.inf, 0
    for step in range(steps):
        for level in range(first, len(_DAMPING)):
            problem = here.problem.damped(_DAMPING[level]) if level else here.problem
            wanted = bands.moved(here.states, problem.best(deviations))
            trial = _inside(bands, _near(bands, wanted, here.states))
            vector = bands.vector(trial)
            objective = _objective(_residual(bands, trial), vector, means, deviations)
            if objective < here.objective:
                break
        else:
            return replace(here, converged=_is_best(here, means, deviations), steps=step)
        before, gain = gain, here.objective - objective
        here = linearise(bands, trial, means, deviations)
        if gain < _TOLERANCE and (level == 0 or before < _TOLERANCE):
            return replace(here, converged=True, steps=step + 1)
        first = max(level - 1, 0)
    return replace(here, steps=steps)


def _is_best(here: Linearised, means: Vector, deviations: Vector) -> bool:
    """Whether the linear problem promises hardly anything better."""
    best = here.problem.best(deviations)
    promised = _objective(here.problem.residual_at(best), best, means, deviations)
    return here.objective - promised < _PROMISE


def _residual(bands: Bands, states: States) -> Float[np.ndarray, " n"]:
    """Data less the images, in units of the noise, one band after another."""
    each = zip(bands.bands, states, strict=True)
    return np.concatenate([band.target.residual(band.lens.image(state)) for band, state in each])


def _objective(
    residual: Float[np.ndarray, " n"], vector: Vector, means: Vector, deviations: Vector
) -> float:
    departure = (vector - means) / deviations
    return float(residual @ residual + departure @ departure)


def _inside(bands: Bands, states: States) -> States:
    """The states within the bounds of the models."""
    inside = tuple(
        _within(band.lens, state) for band, state in zip(bands.bands, states, strict=True)
    )
    return inside if len(bands) == 1 else bands.moved(inside, bands.vector(inside))


def _near(bands: Bands, wanted: States, here: States) -> States:
    """The wanted states with a perturber that moves no further than the image is linear in it."""
    before = here[0].perturber
    if not len(before):
        return wanted
    step = np.clip(wanted[0].perturber - before, -_FARTHEST, _FARTHEST)
    return bands.with_perturber(wanted, before + step)


def _within(lens: FlexibleLens, state: LensState) -> LensState:
    """The state of one band within the bounds of its model."""
    parameters = inside_bounds(state.parameters, lens.model.lower, lens.model.upper)
    perturber = state.perturber
    if len(perturber):
        perturber = perturber.copy()
        perturber[2] = np.clip(perturber[2], *_ALL_MASSES)
        half = 0.5 * np.array(lens.model.grid.shape[::-1]) * lens.model.grid.pixel_scale
        perturber[:2] = np.clip(perturber[:2], -half, half)
    parameters[Parameter.LENS_SLOPE] = np.clip(parameters[Parameter.LENS_SLOPE], 1.2, 2.8)
    satellites = state.satellites.copy()
    satellites[SATELLITE_SIZE - 1 :: SATELLITE_SIZE] = np.maximum(
        satellites[SATELLITE_SIZE - 1 :: SATELLITE_SIZE], 0.0
    )
    return replace(state, parameters=parameters, perturber=perturber, satellites=satellites)
