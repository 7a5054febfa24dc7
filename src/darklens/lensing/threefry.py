r"""Uniform and normal random numbers by the hundred thousand, from a key and a counter.

Threefry-2x64 with twenty rounds (Salmon, Moraes, Dror & Shaw 2011, doi:10.1145/2063384.2063405)
turns a counter of two words under a key of two words into two random words. It consists of
additions, rotations and exclusive ors only, so the compiler vectorises it: it is several times as
fast as NumPy's generators (`benchmarks/own_code.py`). The key is drawn from the lens's own
generator.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from numba import njit
from numpy.random import Generator

from darklens.lensing import special_functions
from darklens.lensing.special_functions import FASTMATH

__all__ = ["draw_key", "normals", "threefry", "uniform_pair", "uniform_pairs"]

_inline: Any = njit(fastmath=FASTMATH, error_model="numpy", inline="always")
_kernel: Any = njit(fastmath=FASTMATH, error_model="numpy", nogil=True, cache=True)
_PARITY = np.uint64(0x1BD11BDAA9FC1A22)
_ONE = np.uint64(0x3FF0000000000000)
"""The bits of 1.0."""


def draw_key(rng: Generator) -> tuple[np.uint64, np.uint64]:
    """A key from an explicit generator."""
    first, second = rng.bit_generator.random_raw(2)
    return first, second


def normals(count: int, rng: Generator) -> Float[np.ndarray, " n"]:
    """Independent standard normal numbers."""
    out = np.empty(count + count % 2)
    _normals(out, *draw_key(rng))
    return out[:count]


@_inline
def _mix(x0, x1, r):  # type: ignore[no-untyped-def]
    x0 = x0 + x1
    return x0, ((x1 << np.uint64(r)) | (x1 >> np.uint64(64 - r))) ^ x0


@_inline
def _four_rounds(x0, x1, a, b, c, d, key0, key1, number):  # type: ignore[no-untyped-def]
    x0, x1 = _mix(x0, x1, a)
    x0, x1 = _mix(x0, x1, b)
    x0, x1 = _mix(x0, x1, c)
    x0, x1 = _mix(x0, x1, d)
    return x0 + key0, x1 + (key1 + np.uint64(number))


@_inline
def threefry(counter0, counter1, key0, key1):  # type: ignore[no-untyped-def]
    """Two random words."""
    key2 = key0 ^ key1 ^ _PARITY
    x0, x1 = counter0 + key0, counter1 + key1
    x0, x1 = _four_rounds(x0, x1, 16, 42, 12, 31, key1, key2, 1)
    x0, x1 = _four_rounds(x0, x1, 16, 32, 24, 21, key2, key0, 2)
    x0, x1 = _four_rounds(x0, x1, 16, 42, 12, 31, key0, key1, 3)
    x0, x1 = _four_rounds(x0, x1, 16, 32, 24, 21, key1, key2, 4)
    return _four_rounds(x0, x1, 16, 42, 12, 31, key2, key0, 5)


@_inline
def _uniform(word):  # type: ignore[no-untyped-def]
    """Uniform in [0, 1) from the upper 52 bits."""
    return np.uint64((word >> np.uint64(12)) | _ONE).view(np.float64) - 1.0


@_inline
def uniform_pair(counter0, counter1, key0, key1):  # type: ignore[no-untyped-def]
    """Two independent uniform numbers in [0, 1)."""
    first, second = threefry(np.uint64(counter0), np.uint64(counter1), key0, key1)
    return _uniform(first), _uniform(second)


@_kernel
def uniform_pairs(first, second, start, key0, key1):  # type: ignore[no-untyped-def]
    """Fill two arrays with the pairs of the counters (`start`, 0), (`start` + 1, 0), and so on."""
    for j in range(first.size):
        first[j], second[j] = uniform_pair(start + j, 0, key0, key1)


@_kernel
def _normals(out, key0, key1):  # type: ignore[no-untyped-def]
    """Fill an array of even length by the method of Box & Muller 1958."""
    half = out.size // 2
    for j in range(half):
        u, v = uniform_pair(j, 0, key0, key1)
        radius = np.sqrt(-2.0 * special_functions.log(1.0 - u))
        cos, sin = special_functions.cos_sin_turn(v)
        out[j] = radius * cos
        out[half + j] = radius * sin
