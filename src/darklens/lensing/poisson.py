"""Poisson counts with a different mean in each pixel, fast and exact.

A Poisson number of mean `m + d`, with `m` whole and `0 <= d < 1`, is the sum of independent ones of
means `m` and `d`. The first comes from a table of cumulative probabilities with an index into it,
the second by inversion, which seldom takes more than one step; where in its step of the table the
first uniform number lies is again a uniform number, and serves the second. From a mean of 128 on
it is the
transformed rejection PTRS of Hormann 1993, doi:10.1016/0167-6687(93)90997-4, as in NumPy; NumPy's
own sampler spends most of its time on the set-up of each new mean.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float, Int16, Int64
from numba import njit
from numpy.random import Generator

__all__ = ["poisson"]

_TABLED = 128
_WIDTH = 256
_CELLS = 256


def poisson(mean: Float[np.ndarray, "h w"], rng: Generator) -> Int64[np.ndarray, "h w"]:
    """Independent Poisson counts with the given means, which must not be negative."""
    uniform = rng.random(mean.size)
    counts = _poisson(np.ascontiguousarray(mean).ravel(), uniform, rng, _CUMULATIVE, _START)
    return np.asarray(counts).reshape(mean.shape)


def _tables() -> tuple[Float[np.ndarray, "m k"], Int16[np.ndarray, "m c"]]:
    """Cumulative probabilities of the whole means, and where to begin to search them."""
    cumulative = np.ones((_TABLED, _WIDTH))
    start = np.zeros((_TABLED, _CELLS), dtype=np.int16)
    k = np.arange(_WIDTH)
    log_factorial = np.array([math.lgamma(i + 1.0) for i in k])
    for m in range(1, _TABLED):
        cumulative[m] = np.cumsum(np.exp(k * math.log(m) - m - log_factorial))
        start[m] = np.searchsorted(cumulative[m], np.arange(_CELLS) / _CELLS, side="right")
    cumulative[:, -1] = 2.0  # ends every search
    return cumulative, start


_CUMULATIVE, _START = _tables()

_kernel: Any = njit(nogil=True, cache=True, error_model="numpy")


@_kernel
def _poisson(mean, uniform, rng, cumulative, start):  # type: ignore[no-untyped-def]
    counts = np.empty(mean.size, dtype=np.int64)
    for i in range(mean.size):
        if mean[i] >= _TABLED:
            counts[i] = _ptrs(mean[i], rng)
            continue
        if mean[i] <= 0.0:
            counts[i] = 0
            continue
        m = int(mean[i])
        u = uniform[i]
        k = int(start[m, int(u * _CELLS)])
        while u >= cumulative[m, k]:
            k += 1
        below = cumulative[m, k - 1] if k > 0 else 0.0
        counts[i] = k + _invert(mean[i] - m, (u - below) / (cumulative[m, k] - below))
    return counts


@_kernel
def _invert(mean, u):  # type: ignore[no-untyped-def]
    """Smallest k whose cumulative probability exceeds `u`, for a mean below one."""
    if u < 1.0 - mean:  # below exp(-mean), which need not be computed
        return 0
    probability = math.exp(-mean)
    cumulative = probability
    k = 0
    while u >= cumulative and k < 30:
        k += 1
        probability *= mean / k
        cumulative += probability
    return k


@_kernel
def _ptrs(mean, rng):  # type: ignore[no-untyped-def]
    root = math.sqrt(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = rng.random() - 0.5
        v = rng.random()
        us = 0.5 - abs(u)
        k = math.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= v_r:
            return int(k)
        if k < 0.0 or (us < 0.013 and v > us):
            continue
        inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
        left = math.log(v * inverse_alpha / (a / (us * us) + b))
        if left <= k * math.log(mean) - mean - math.lgamma(k + 1.0):
            return int(k)
