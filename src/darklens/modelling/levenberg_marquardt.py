r"""Levenberg-Marquardt optimisation of the parameters of a smooth model.

It solves the score equations of `darklens.modelling.likelihood` with exact derivatives. With the
Jacobian `J` of the mean and the variances `v`, a step is

.. math:: \left(A + \lambda \operatorname{diag} A\right) \delta = J^T (n - \mu) / v,
          \qquad A = J^T \operatorname{diag}(1 / v) J

and the variances are updated after each step (Fisher scoring). Where the model has a Gaussian prior
of mean `m` and precision `P`, `A` gains `P`, the right-hand side :math:`P (m - p)`, and chi-square
the prior's own.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from numba import njit

from darklens.modelling.likelihood import Likelihood, Moments
from darklens.modelling.parameters import FLAT
from darklens.modelling.smooth_model import SmoothModel

__all__ = ["RoughNoise", "Solution", "optimise", "solution_at", "with_exact_derivatives"]

Image = Float[np.ndarray, "h w"]
Parameters = Float[np.ndarray, " p"]

TOLERANCE = 0.01

_sums: Any = njit(fastmath=True, error_model="numpy", nogil=True, cache=True)


@dataclass(frozen=True)
class RoughNoise(Likelihood):
    """Fixed noise that does not depend on the model, for the early stages of a fit.

    Args:
        likelihood: Gives the stored signal per unit of flux.
        background: Added to each pixel.
        variance: Of each pixel.
    """

    likelihood: Likelihood
    background: float
    variance: Image

    def moments(self, flux: Image, exposure: float) -> Moments:
        scale = self.likelihood.scale(exposure)
        signal = scale * flux
        return Moments(signal + self.background, self.variance, scale, signal)

    def scale(self, exposure: float) -> float:
        return self.likelihood.scale(exposure)


@dataclass(frozen=True)
class Solution:
    """State of a fit when the optimiser stops."""

    parameters: Parameters
    moments: Moments
    jacobian: Float[np.ndarray, "k h w"]
    curvature: Float[np.ndarray, "k k"]
    chi_square: float
    converged: bool
    steps: int


def optimise(
    model: SmoothModel, data: Image, start: Parameters, steps: int, tolerance: float = TOLERANCE
) -> Solution:
    """Levenberg-Marquardt steps from `start`; weights are updated at each step.

    Converged when the next step would be shorter than `tolerance` standard errors.
    """
    free = list(model.free)
    parameters, damping, converged = model.inside(start), 1e-3, False
    prior = model.prior or FLAT
    moments = _moments(model, parameters)
    jacobian = _jacobian(model, parameters, moments)
    for step in range(steps + 1):
        weight = 1 / moments.variance
        curvature, gradient, chi = _equations(model, data, moments, jacobian)
        gradient += prior.pull(parameters)[free]
        accepted = False
        while step < steps and not accepted and damping < 1e8:
            damped = curvature + damping * np.diag(np.diag(curvature) + 1e-300)
            trial = parameters.copy()
            trial[free] += _solve(damped, gradient)
            trial = model.inside(trial)
            moved = (trial - parameters)[free]
            converged = float(moved @ curvature @ moved) < tolerance**2
            if converged:
                break
            trial_moments = _moments(model, trial)
            difference = data - trial_moments.mean
            trial_chi = float(np.vdot(difference, difference * weight))
            accepted = trial_chi + prior.chi_square(trial) <= chi + prior.chi_square(parameters)
            damping = max(damping * 0.1, 1e-9) if accepted else damping * 10
        if not accepted:
            break
        parameters, moments = trial, trial_moments
        jacobian = _jacobian(model, parameters, moments)
    return Solution(parameters, moments, jacobian, curvature, chi, converged, step)


def solution_at(
    model: SmoothModel,
    data: Image,
    parameters: Parameters,
    more: Float[np.ndarray, "k i j"] | None = None,
) -> Solution:
    """A solution at given parameters, with exact derivatives.

    Args:
        model: The model.
        data: The image.
        parameters: Parameter vector.
        more: Derivatives of light that is not in the model, on the pixels, before the PSF.
    """
    moments = _moments(model, parameters)
    jacobian = _of_the_mean(model, model.exact_derivatives(parameters, more), moments)
    curvature, _, chi = _equations(model, data, moments, jacobian)
    return Solution(parameters, moments, jacobian, curvature, chi, converged=False, steps=0)


def with_exact_derivatives(model: SmoothModel, end: Solution) -> Solution:
    """A solution whose derivatives are exact where those of its steps were not."""
    if model.exact is None:
        return end
    jacobian = model.exact_derivatives(end.parameters)
    return replace(end, jacobian=_of_the_mean(model, jacobian, end.moments))


def _equations(
    model: SmoothModel, data: Image, moments: Moments, jacobian: Float[np.ndarray, "k h w"]
) -> tuple[Float[np.ndarray, "k k"], Float[np.ndarray, " k"], float]:
    """Curvature, that of the prior included; gradient and chi-square of the pixels alone."""
    weight, residual = 1 / moments.variance, data - moments.mean
    score = residual * weight
    flat = jacobian.reshape(len(jacobian), -1)
    curvature, gradient = _normal_equations(flat, weight.ravel(), score.ravel())
    precision = (model.prior or FLAT).precision[list(model.free)]
    curvature[np.diag_indices(len(precision))] += precision
    return curvature, gradient, float(np.vdot(residual, score))


def _moments(model: SmoothModel, parameters: Parameters) -> Moments:
    """Mean and variance of the image."""
    return model.likelihood.moments(model.image(parameters), model.exposure(parameters))


def _jacobian(
    model: SmoothModel, parameters: Parameters, moments: Moments
) -> Float[np.ndarray, "k h w"]:
    """Derivatives of the mean."""
    return _of_the_mean(model, model.derivatives(parameters), moments)


def _of_the_mean(
    model: SmoothModel, jacobian: Float[np.ndarray, "k h w"], moments: Moments
) -> Float[np.ndarray, "k h w"]:
    """Derivatives of the mean, from those of the flux; the array is changed."""
    if not (isinstance(moments.slope, float) and moments.slope == 1.0):
        jacobian *= moments.slope
    if "log_exposure" in model.names:
        jacobian[model.names.index("log_exposure")] = moments.exposure_slope
    return jacobian


def _solve(matrix: Float[np.ndarray, "k k"], vector: Float[np.ndarray, " k"]) -> Any:
    try:
        return np.linalg.solve(matrix, vector)
    except np.linalg.LinAlgError:
        return np.linalg.lstsq(matrix, vector, rcond=None)[0]


@_sums
def _normal_equations(jacobian, weight, score):  # type: ignore[no-untyped-def]
    """Normal equations: sums over pixels of J_a J_b weight, and of J_a score.

    Args:
        jacobian: Derivatives, (free parameters, pixels).
        weight: Weight of each pixel.
        score: Weighted residual of each pixel.
    """
    free, pixels = jacobian.shape
    matrix, vector = np.empty((free, free)), np.empty(free)
    scaled = np.empty(pixels)
    for a in range(free):
        total = 0.0
        for j in range(pixels):
            scaled[j] = jacobian[a, j] * weight[j]
            total += jacobian[a, j] * score[j]
        vector[a] = total
        for b in range(a, free):
            total = 0.0
            for j in range(pixels):
                total += scaled[j] * jacobian[b, j]
            matrix[a, b] = total
            matrix[b, a] = total
    return matrix, vector
