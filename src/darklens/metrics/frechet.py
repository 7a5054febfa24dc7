r"""Fréchet distance between two sets of features, its floor, and its limit at infinite size.

Each set is taken for a Gaussian with mean :math:`\mu` and covariance :math:`C`. A factor
:math:`F` with :math:`F^T F = C` spares the square root of a matrix that need not have one to
working precision: the eigenvalues of :math:`(C_1 C_2)^{1/2}` are the singular values of
:math:`F_1 F_2^T`. With fewer images than features this is exact, too.

The estimate is biased upwards, to first order as one over the number of images. So a distance
means something only beside that of two halves of one set (`split_half_floor`), or extrapolated
(`extrapolate_frechet`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Real

__all__ = [
    "Distance",
    "Extrapolation",
    "Floor",
    "extrapolate_frechet",
    "frechet_distance",
    "gaussian_frechet_distance",
    "split_half_floor",
]

Distance = Callable[[np.ndarray, np.ndarray], float]
_Moments = tuple[np.ndarray, np.ndarray]  # mean (d,) and factor (r, d) of the covariance


@dataclass(frozen=True)
class Floor:
    """Distances between random halves of one set, their mean and their standard deviation."""

    mean: float
    spread: float
    distances: Float[np.ndarray, " m"]


@dataclass(frozen=True)
class Extrapolation:
    """A straight line through distances against one over the number of images.

    Attributes:
        value: Distance at infinite size, the intercept.
        error: Standard error of the intercept from the scatter about the line. It holds neither
            the sampling error that all points share nor a curvature.
        slope: Distance gained for each unit of one over the size.
        sizes: Images of the smaller set behind each point, from all of them down.
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

    Covariances are the unbiased ones. This is the FID when the features are Inception's.

    Args:
        first: Features of one set, at least two images.
        second: Features of the other set.

    >>> round(frechet_distance(np.array([[0.0], [2.0]]), np.array([[3.0], [7.0]])), 6)
    18.0

    References:
        Dowson & Landau 1982, J. Multivar. Anal. 12, 450; Heusel et al. 2017, arXiv:1706.08500,
        eq. 6.
    """
    return _distance(_sample_moments(first), _sample_moments(second))


def gaussian_frechet_distance(
    first_mean: Float[np.ndarray, " d"],
    first_covariance: Float[np.ndarray, "d d"],
    second_mean: Float[np.ndarray, " d"],
    second_covariance: Float[np.ndarray, "d d"],
) -> float:
    """Squared Fréchet distance between two Gaussians, as in `frechet_distance`.

    Eigenvalues of a covariance below its rounding errors count as zero.
    """
    return _distance(
        (first_mean, _covariance_factor(first_covariance)),
        (second_mean, _covariance_factor(second_covariance)),
    )


def split_half_floor(
    features: Real[np.ndarray, "n d"],
    *,
    distance: Distance = frechet_distance,
    repeats: int = 10,
    seed: int = 0,
) -> Floor:
    """What a distance is between two sets that differ by chance alone.

    The halves have :math:`n / 2` images each, so the floor belongs beside a distance between two
    sets of that size.

    Args:
        features: Features of the genuine set.
        distance: Function of two sets.
        repeats: Number of random halvings.
        seed: Seed of the halvings.
    """
    generator = np.random.default_rng(seed)
    half = len(features) // 2
    values = []
    for _ in range(repeats):
        order = generator.permutation(len(features))
        values.append(distance(features[order[:half]], features[order[half : 2 * half]]))
    distances = np.array(values, dtype=np.float64)
    spread = float(distances.std(ddof=1)) if repeats > 1 else np.nan
    return Floor(float(distances.mean()), spread, distances)


def extrapolate_frechet(
    first: Real[np.ndarray, "n d"],
    second: Real[np.ndarray, "m d"],
    *,
    parts: int = 5,
    distance: Distance = frechet_distance,
    seed: int = 0,
) -> Extrapolation:
    r"""Fréchet distance at infinite size, from that of parts of the sets.

    Both sets are cut at random into :math:`k = 1, 2, ...` parts, and the mean distance between
    the parts is :math:`D_k`. The bias is :math:`b_1 / n + b_2 / m` to first order, so that

    .. math:: D_k = D_\infty + b k = D_\infty + b' / N_k

    is a line, also for sets of different sizes. Every image is in every point, which therefore
    all have about the same error.

    Parts that have fewer images than the features have directions bend the line downwards, and
    the limit comes out too high: look at the points before you trust the intercept.

    Args:
        first: Features of one set.
        second: Features of the other set.
        parts: Largest number of parts, at least three; there are as many points.
        distance: Function of two sets whose bias is linear in one over the size.
        seed: Seed of the random order.

    Raises:
        ValueError: If there are less than three points or less than two images in a part.

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
    """Mean and a factor of the covariance, triangular where that is smaller than the sample."""
    count, size = features.shape
    if count < 2:
        raise ValueError("a covariance needs at least two images")
    mean = features.mean(axis=0, dtype=np.float64)
    factor = (features - mean) / np.sqrt(count - 1)
    return mean, np.asarray(np.linalg.qr(factor, mode="r")) if count > size else factor


def _covariance_factor(covariance: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "r d"]:
    """Rows, as many as the covariance has rank, whose product with themselves it is."""
    values, vectors = np.linalg.eigh(covariance.astype(np.float64))
    kept = values > len(values) * np.finfo(np.float64).eps * values[-1]
    return np.asarray(np.sqrt(values[kept])[:, np.newaxis] * vectors.T[kept])


def _distance(first: _Moments, second: _Moments) -> float:
    (mean_1, factor_1), (mean_2, factor_2) = first, second
    shift = np.sum((mean_1 - mean_2) ** 2)
    traces = np.sum(factor_1**2) + np.sum(factor_2**2)
    root_trace = np.linalg.svd(factor_1 @ factor_2.T, compute_uv=False).sum()
    return float(max(0.0, shift + traces - 2 * root_trace))
