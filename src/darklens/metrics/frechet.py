r"""Fréchet distance between two sets of features, and its limit at infinite sample size.

Each set is modelled as a Gaussian with mean :math:`\mu` and covariance :math:`C`. With factors
:math:`F^T F = C`, the eigenvalues of :math:`(C_1 C_2)^{1/2}` are the singular values of
:math:`F_1 F_2^T`. This avoids the square root of a nearly singular matrix, and is exact also with
fewer images than features.

The estimate is biased high, to first order in one over the number of images. Compare it with the
distance between two halves of one set, or extrapolate it (`extrapolate_frechet`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Real

__all__ = [
    "Distance",
    "Extrapolation",
    "extrapolate_frechet",
    "frechet_distance",
]

Distance = Callable[[np.ndarray, np.ndarray], float]
_Moments = tuple[np.ndarray, np.ndarray]  # mean (d,) and factor (r, d) of the covariance


@dataclass(frozen=True)
class Extrapolation:
    """Straight-line fit to distances against one over the number of images.

    Attributes:
        value: Distance at infinite size, the intercept.
        error: Standard error of the intercept, from the scatter about the line. It includes
            neither the sampling error common to all points nor any curvature.
        slope: Change of distance per unit of one over the size.
        sizes: Number of images of the smaller set at each point, in descending order.
        distances: Mean distance at each size.
    """

    value: float
    error: float
    slope: float
    sizes: Int[np.ndarray, " m"]
    distances: Float[np.ndarray, " m"]


def frechet_distance(first: Real[np.ndarray, "n d"], second: Real[np.ndarray, "m d"]) -> float:
    r"""Squared Fréchet distance between the Gaussians fitted to two sets of features.

    .. math:: D = |\mu_1 - \mu_2|^2 + \mathrm{Tr}\,(C_1 + C_2 - 2 (C_1 C_2)^{1/2})

    Covariances are unbiased estimates. With features of Inception this is the FID.

    Args:
        first: Features of one set, of at least two images.
        second: Features of the other set.

    >>> round(frechet_distance(np.array([[0.0], [2.0]]), np.array([[3.0], [7.0]])), 6)
    18.0

    References:
        Dowson & Landau 1982, J. Multivar. Anal. 12, 450; Heusel et al. 2017, arXiv:1706.08500,
        eq. 6.
    """
    return _distance(_sample_moments(first), _sample_moments(second))


def extrapolate_frechet(
    first: Real[np.ndarray, "n d"],
    second: Real[np.ndarray, "m d"],
    *,
    parts: int = 5,
    distance: Distance = frechet_distance,
    seed: int = 0,
) -> Extrapolation:
    r"""Fréchet distance extrapolated to infinite sample size.

    Both sets are divided at random into :math:`k = 1, 2, ...` parts, with mean distance
    :math:`D_k` between parts. The bias is :math:`b_1 / n + b_2 / m` to first order, so that

    .. math:: D_k = D_\infty + b k = D_\infty + b' / N_k

    is a straight line, also for sets of different sizes. Every image contributes to every point,
    so all points have about the same error.

    Parts with fewer images than feature dimensions bend the line downwards, and the intercept
    comes out too high: inspect the points before you trust it.

    Args:
        first: Features of one set.
        second: Features of the other set.
        parts: Largest number of parts, at least three; also the number of points.
        distance: Distance between two sets, with a bias linear in one over the size.
        seed: Seed of the random divisions.

    Raises:
        ValueError: If there are fewer than three points, or fewer than two images in a part.

    References:
        Chong & Forsyth 2020, arXiv:1911.07023.
    """
    size = min(len(first), len(second))
    if parts < 3 or size < 2 * parts:
        raise ValueError(f"{parts} parts of {size} images: need 3 parts of 2 images at least")
    generator = np.random.default_rng(seed)
    first, second = generator.permutation(first), generator.permutation(second)
    cuts = np.arange(1, parts + 1)
    points = [
        np.mean([distance(first[i::k], second[i::k]) for i in range(k)]) for k in cuts.tolist()
    ]
    distances = np.array(points, dtype=np.float64)
    value, error, gain = _line(cuts.astype(np.float64), distances)
    return Extrapolation(value, error, gain * size, size // cuts, distances)


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Intercept, its standard error and the slope of the least-squares line."""
    design = np.stack([np.ones_like(x), x], axis=1)
    inverse = np.linalg.inv(design.T @ design)
    intercept, slope = inverse @ design.T @ y
    residuals = y - intercept - slope * x
    variance = residuals @ residuals / (len(x) - 2)
    return float(intercept), float(np.sqrt(variance * inverse[0, 0])), float(slope)


def _sample_moments(features: Real[np.ndarray, "n d"]) -> _Moments:
    """Mean and factor of the covariance; the factor is triangular if that is smaller."""
    count, size = features.shape
    if count < 2:
        raise ValueError("a covariance needs at least two images")
    mean = features.mean(axis=0, dtype=np.float64)
    factor = (features - mean) / np.sqrt(count - 1)
    return mean, np.asarray(np.linalg.qr(factor, mode="r")) if count > size else factor


def _distance(first: _Moments, second: _Moments) -> float:
    (mean_1, factor_1), (mean_2, factor_2) = first, second
    shift = np.sum((mean_1 - mean_2) ** 2)
    traces = np.sum(factor_1**2) + np.sum(factor_2**2)
    root_trace = np.linalg.svd(factor_1 @ factor_2.T, compute_uv=False).sum()
    return float(max(0.0, shift + traces - 2 * root_trace))
