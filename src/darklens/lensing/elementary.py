r"""Elementary functions that the compiler can vectorise: the speed of the renderer rests on them.

The library versions of `exp`, `log` and `atan2` are calls that stop LLVM from processing several
pixels at once. These are straight-line code: an exact range reduction and the Taylor series, cut
where the next term is below the rounding error of float64.

Symbols: `2^k` is the power of two split off, `r` and `s` are the reduced arguments.
"""

from typing import Any

import numpy as np
from numba import njit

__all__ = ["FASTMATH", "atan2", "exp", "log"]

FASTMATH = {"contract", "nnan", "ninf", "nsz"}
"""Fused multiply-add is allowed, reordering of sums is not: results do not depend on the loop."""

_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_LOG2_E = 1.4426950408889634
_TAN_PI_8 = 0.41421356237309503

_inline: Any = njit(fastmath=FASTMATH, error_model="numpy", inline="always")


@_inline
def _polynomial_exp(r):  # type: ignore[no-untyped-def]
    """Taylor series of exp on [-ln(2)/2, ln(2)/2]."""
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    return p * r + 1.0


@_inline
def exp(x):  # type: ignore[no-untyped-def]
    """Exponential of `x`; arguments are limited to [-700, 700]."""
    x = min(max(x, -700.0), 700.0)
    k = np.floor(x * _LOG2_E + 0.5)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    power = np.int64((np.int64(k) + 1023) << 52).view(np.float64)
    return _polynomial_exp(r) * power


@_inline
def log(x):  # type: ignore[no-untyped-def]
    """Natural logarithm of a positive normal number."""
    bits = np.float64(x).view(np.int64)
    # The offset puts the mantissa into [sqrt(1/2), sqrt(2)).
    k = (bits - 0x3FE6A09E667F3BCD) >> 52
    m = np.int64(bits - (k << 52)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    w = s * s
    p = 1.0 / 23.0
    p = p * w + 1.0 / 21.0
    p = p * w + 1.0 / 19.0
    p = p * w + 1.0 / 17.0
    p = p * w + 1.0 / 15.0
    p = p * w + 1.0 / 13.0
    p = p * w + 1.0 / 11.0
    p = p * w + 1.0 / 9.0
    p = p * w + 1.0 / 7.0
    p = p * w + 1.0 / 5.0
    p = p * w + 1.0 / 3.0
    k_float = np.float64(k)
    return k_float * _LN2_HIGH + (2.0 * s + (2.0 * s * w * p + k_float * _LN2_LOW))


@_inline
def atan2(y, x):  # type: ignore[no-untyped-def]
    """Angle of the point (`x`, `y`) from the x axis, in (-pi, pi]; 0 at the origin."""
    ax = abs(x)
    ay = abs(y)
    low = min(ax, ay)
    high = max(ax, ay) + 1e-300
    upper = low > _TAN_PI_8 * high
    t = (low - high if upper else low) / (low + high if upper else high)
    w = t * t
    p = -1.0 / 43.0
    p = p * w + 1.0 / 41.0
    p = p * w - 1.0 / 39.0
    p = p * w + 1.0 / 37.0
    p = p * w - 1.0 / 35.0
    p = p * w + 1.0 / 33.0
    p = p * w - 1.0 / 31.0
    p = p * w + 1.0 / 29.0
    p = p * w - 1.0 / 27.0
    p = p * w + 1.0 / 25.0
    p = p * w - 1.0 / 23.0
    p = p * w + 1.0 / 21.0
    p = p * w - 1.0 / 19.0
    p = p * w + 1.0 / 17.0
    p = p * w - 1.0 / 15.0
    p = p * w + 1.0 / 13.0
    p = p * w - 1.0 / 11.0
    p = p * w + 1.0 / 9.0
    p = p * w - 1.0 / 7.0
    p = p * w + 1.0 / 5.0
    p = p * w - 1.0 / 3.0
    angle = t + t * w * p + (0.25 * np.pi if upper else 0.0)
    angle = 0.5 * np.pi - angle if ay > ax else angle
    angle = np.pi - angle if x < 0.0 else angle
    return -angle if y < 0.0 else angle
