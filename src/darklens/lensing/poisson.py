r"""Poisson counts with a different mean in each pixel, fast and exact.

A Poisson variate of mean `m + d` is the sum of independent variates of means `m` and `d`. With `m`
a multiple of an eighth and `0 <= d < 1/8`, the first is drawn from an indexed table of cumulative
probabilities and the second, which is mostly zero, by inversion. For means of 128 and above the
transformed rejection PTRS of Hormann 1993, doi:10.1016/0167-6687(93)90997-4, is used, as in NumPy;
NumPy's own sampler spends most of its time on the set-up for each new mean.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float, Int64, UInt8
from numba import njit
from numpy.random import Generator

from darklens.errors import BadPreset
from darklens.lensing.threefry import draw_key, uniform_pair, uniform_pairs

__all__ = ["poisson"]

_TABLED = 128
_STEPS = 8
"""Rows of the table per unit of the mean."""
_WIDTH = 256
_CELLS = 256
_LARGEST = 1e12
_BLOCK = 512
"""Number of uniform variates drawn at a time: small enough for the L1 cache."""


def poisson(mean: Float[np.ndarray, "h w"], rng: Generator) -> Int64[np.ndarray, "h w"]:
    """Independent Poisson counts with the given means, which must not be negative.

    Raises:
        BadPreset: If a mean is NaN or too large.
    """
    flat = np.ascontiguousarray(mean).ravel()
    if not flat.max(initial=0.0) < _LARGEST:
        raise BadPreset(f"a pixel expects {flat.max():g} counts: check source and exposure")
    counts = _poisson(flat, *draw_key(rng), _BELOW.ravel(), _START.ravel())
    return np.asarray(counts).reshape(mean.shape)


def _tables() -> tuple[Float[np.ndarray, "m k"], UInt8[np.ndarray, "m c"]]:
    """Probabilities of values below k for means 0, 1/8, ..., and starting points of the search."""
    below = np.zeros((_TABLED * _STEPS, _WIDTH + 1))
    start = np.zeros((_TABLED * _STEPS, _CELLS), dtype=np.uint8)
    k = np.arange(_WIDTH)
    log_factorial = np.array([math.lgamma(i + 1.0) for i in k])
    below[0, 1:] = 1.0
    for row in range(1, _TABLED * _STEPS):
        m = row / _STEPS
        below[row, 1:] = np.cumsum(np.exp(k * math.log(m) - m - log_factorial))
        start[row] = np.searchsorted(below[row, 1:], np.arange(_CELLS) / _CELLS, side="right")
    below[:, -1] = 2.0  # sentinel: ends every search
    return below, start


_BELOW, _START = _tables()

_kernel: Any = njit(nogil=True, cache=True, error_model="numpy")


@_kernel
def _poisson(mean, key0, key1, below, start):  # type: ignore[no-untyped-def]
    counts = np.empty(mean.size, dtype=np.int64)
    first, second = np.empty(_BLOCK), np.empty(_BLOCK)
    for begin in range(0, mean.size, _BLOCK):
        uniform_pairs(first, second, begin, key0, key1)
        for i in range(begin, min(begin + _BLOCK, mean.size)):
            u, v = first[i - begin], second[i - begin]
            if mean[i] < _TABLED:
                counts[i] = _look_up(max(mean[i], 0.0), u, v, below, start)
            else:
                attempt = 0
                k = _ptrs(mean[i], u, v)
                while k < 0:
                    attempt += 1
                    u, v = uniform_pair(i, attempt, key0, key1)
                    k = _ptrs(mean[i], u, v)
                counts[i] = k
    return counts


@_kernel
def _look_up(mean, u, v, below, start):  # type: ignore[no-untyped-def]
    """The sum of both parts; unsigned indices avoid handling of negative ones."""
    scaled = mean * _STEPS
    row = np.int64(scaled)
    first = np.uint64(row * (_WIDTH + 1) + 1)
    k = np.uint64(start[np.uint64(row * _CELLS + np.int64(u * _CELLS))])
    k += np.uint64(u >= below[first + k])  # usually the last step, without a branch
    while u >= below[first + k]:
        k += np.uint64(1)
    return np.int64(k) + _invert((scaled - row) / _STEPS, v)


@_kernel
def _invert(mean, u):  # type: ignore[no-untyped-def]
    """Smallest k whose cumulative probability exceeds `u`, for a mean below one."""
    if u < 1.0 - mean:  # less than exp(-mean), which need not be computed
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
def _ptrs(mean, u, v):  # type: ignore[no-untyped-def]
    """One trial with two uniform variates; -1 if rejected."""
    root = math.sqrt(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    u -= 0.5
    us = 0.5 - abs(u)
    k = math.floor((2.0 * a / us + b) * u + mean + 0.43)
    if us >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2.0):
        return int(k)
    if k < 0.0 or us == 0.0 or (us < 0.013 and v > us):
        return -1
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    left = math.log(v * inverse_alpha / (a / (us * us) + b))
    if left <= k * math.log(mean) - mean - math.lgamma(k + 1.0):
        return int(k)
    return -1
