r"""Amplitudes with Gaussian priors, marginalised together.

With the residual `z` and all directions in units of the noise and of the priors as rows of `D`, the
most probable amplitudes are :math:`(I + D D^T)^{-1} (D z + o)` where the means of the priors are
`o`, and :math:`D^T (I + D D^T)^{-1} D` is what they take of any image.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from darklens.errors import BadInput

__all__ = ["LinearSolution", "linear_solution"]

_JITTER = 1e-6  # of the curvature, for single precision


@dataclass(frozen=True)
class LinearSolution:
    """Amplitudes of all directions, marginalised together.

    Attributes:
        amplitudes: The most probable ones, in standard deviations of their priors.
        explained: Degrees of freedom of the residual that they take.
        root: A root of the inverse of the curvature of the directions of unit size.
        unit: These directions.
    """

    amplitudes: Float[np.ndarray, " k"]
    explained: float
    root: Float[np.ndarray, "k k"]
    unit: Float32[np.ndarray, "k n"]


def linear_solution(
    directions: Float32[np.ndarray, "k n"],
    residual: Float[np.ndarray, "h w"],
    offset: Float[np.ndarray, " k"],
) -> LinearSolution:
    """Most probable amplitudes of all directions, and what is left without them.

    Args:
        directions: Changes of the image for one standard deviation of each amplitude, in units of
            the noise.
        residual: The residual in units of the noise.
        offset: Means of the priors, in standard deviations.

    Raises:
        BadInput: If a direction is not finite.
    """
    sizes = np.linalg.norm(directions, axis=1).astype(np.float64) + 1e-12
    unit = directions / sizes[:, np.newaxis].astype(np.float32)
    curvature = (unit @ unit.T).astype(np.float64)
    precision = 1 / sizes**2 + _JITTER
    curvature[np.diag_indices(len(offset))] += precision
    if not np.isfinite(curvature).all():
        raise BadInput("the fit of the smooth lens diverged")
    root = _inverse_root(curvature)
    pull = unit @ residual.ravel().astype(np.float32) + offset / sizes
    explained = len(offset) - float((np.square(root) @ precision).sum())
    return LinearSolution(root.T @ (root @ pull) / sizes, explained, root, unit)


def _inverse_root(matrix: Float[np.ndarray, "k k"]) -> Float[np.ndarray, "k k"]:
    """A matrix `R` with :math:`R^T R` the inverse; negative values are rounding errors."""
    try:
        return np.asarray(np.linalg.inv(np.linalg.cholesky(matrix)))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(matrix)
        return np.asarray((vectors / np.sqrt(np.maximum(values, _JITTER))).T)
