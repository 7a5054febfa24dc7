"""Gauss-Newton optimisation of a flexible lens under its priors."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from darklens.detection.flexible_lens import FlexibleLens, LensState
from darklens.detection.linear_solution import LinearProblem
from darklens.detection.satellites import SATELLITE_SIZE
from darklens.modelling.parameters import Parameter, inside_bounds

__all__ = ["Linearised", "Target", "linearise", "optimise_flexible"]

Image = Float[np.ndarray, "h w"]
Vector = Float[np.ndarray, " k"]

_STEPS, _TOLERANCE = 12, 0.3
_SHORTENED = (1.0, 0.5, 0.2, 0.05)
_ALL_MASSES = (5.0, 12.0)  # logarithm of the mass


@dataclass(frozen=True)
class Target:
    """What is fitted.

    Args:
        data: The image.
        weight: Reciprocal of the noise; 0 for masked pixels.
    """

    data: Image
    weight: Image

    def residual(self, image: Image) -> Float[np.ndarray, " n"]:
        """Data less an image, in units of the noise."""
        return np.asarray(((self.data - image) * self.weight).ravel())


@dataclass(frozen=True)
class Linearised:
    """A lens about one state.

    Attributes:
        state: The state.
        image: Its image.
        problem: The linear problem about it.
        gradient: Gradient of the lensed source before the PSF [flux / arcsec].
        objective: Squared residuals and squared departures from the prior.
        converged: Whether the last step hardly changed the objective.
        steps: Number of steps.
    """

    state: LensState
    image: Image
    problem: LinearProblem
    gradient: Float[np.ndarray, "2 h w"]
    objective: float
    converged: bool = False
    steps: int = 0


def linearise(
    lens: FlexibleLens, target: Target, state: LensState, means: Vector, deviations: Vector
) -> Linearised:
    """The linear problem about a state."""
    image, rows, gradient = lens.directions(state)
    rows *= target.weight.astype(np.float32)
    vector = state.vector(lens.free)
    residual = target.residual(image)
    exact = len(vector) - len(state.source) - len(state.light)
    problem = LinearProblem.of(rows.reshape(len(rows), -1), residual, vector, means, exact)
    objective = _objective(residual, vector, means, deviations)
    return Linearised(state, image, problem, gradient, objective)


def optimise_flexible(
    lens: FlexibleLens,
    target: Target,
    start: LensState,
    means: Vector,
    deviations: Vector,
    *,
    steps: int = _STEPS,
) -> Linearised:
    """Gauss-Newton steps, shortened where the objective would grow.

    Args:
        lens: The model.
        target: The image and its noise.
        start: State to start from.
        means: Prior means.
        deviations: Prior standard deviations.
        steps: Largest number of steps.
    """
    here = linearise(lens, target, start, means, deviations)
    for step in range(steps):
        end = here.problem.solve(deviations).values
        for share in _SHORTENED:
            wanted = here.problem.values + share * (end - here.problem.values)
            trial = _inside(lens, here.state.moved(lens.free, wanted))
            vector = trial.vector(lens.free)
            residual = target.residual(lens.image(trial))
            objective = _objective(residual, vector, means, deviations)
            if objective < here.objective:
                break
        else:
            return replace(here, converged=True, steps=step)
        gain = here.objective - objective
        here = linearise(lens, target, trial, means, deviations)
        if gain < _TOLERANCE and share == 1.0:
            return replace(here, converged=True, steps=step + 1)
    return replace(here, steps=steps)


def _objective(
    residual: Float[np.ndarray, " n"], vector: Vector, means: Vector, deviations: Vector
) -> float:
    departure = (vector - means) / deviations
    return float(residual @ residual + departure @ departure)


def _inside(lens: FlexibleLens, state: LensState) -> LensState:
    """The state within the bounds of the model."""
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
