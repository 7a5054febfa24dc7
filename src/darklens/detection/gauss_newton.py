"""Gauss-Newton optimisation of a flexible lens under its priors, in all of its bands."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from darklens.detection.bands import Bands, States
from darklens.detection.flexible_lens import FlexibleLens, LensState
from darklens.detection.joint_solution import JointProblem
from darklens.detection.linear_solution import LinearProblem
from darklens.detection.satellites import SATELLITE_SIZE
from darklens.modelling.parameters import Parameter, inside_bounds

__all__ = ["Linearised", "linearise", "optimise_flexible"]

Vector = Float[np.ndarray, " k"]

_STEPS, _TOLERANCE = 25, 0.3
_SHORTENED = (1.0, 0.5, 0.2, 0.05)
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
        converged: Whether the last step, or each of two shortened ones, hardly changed it.
        steps: Number of steps.
    """

    states: States
    images: tuple[Float[np.ndarray, "_ _"], ...]
    problem: JointProblem
    gradients: tuple[Float[np.ndarray, "2 _ _"], ...]
    objective: float
    converged: bool = False
    steps: int = 0


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
    start: States,
    means: Vector,
    deviations: Vector,
    *,
    steps: int = _STEPS,
) -> Linearised:
    """Gauss-Newton steps, shortened where the objective would grow.

    Args:
        bands: The images with their models.
        start: State to start from.
        means: Prior means.
        deviations: Prior standard deviations.
        steps: Largest number of steps.
    """
    here = linearise(bands, start, means, deviations)
    values = bands.vector(start)
    gain = np.inf
    for step in range(steps):
        end = here.problem.best(deviations)
        for share in _SHORTENED:
            wanted = values + share * (end - values)
            trial = _inside(bands, bands.moved(here.states, wanted))
            vector = bands.vector(trial)
            objective = _objective(_residual(bands, trial), vector, means, deviations)
            if objective < here.objective:
                break
        else:
            return replace(here, converged=True, steps=step)
        before, gain = gain, here.objective - objective
        here, values = linearise(bands, trial, means, deviations), vector
        if gain < _TOLERANCE and (share == 1.0 or before < _TOLERANCE):
            return replace(here, converged=True, steps=step + 1)
    return replace(here, steps=steps)


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
