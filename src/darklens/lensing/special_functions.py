r"""Elementary functions that the compiler can vectorise, essential for the speed of the renderer.

The library versions of `exp`, `log` and `atan2` are function calls, which prevent LLVM from
processing several pixels at once. These are branch-free: an exact range reduction, and a polynomial
interpolation at Chebyshev nodes, of a degree for which the error is below float64 rounding.

Symbols: `2^k` is the power of two factored out, `r` and `s` are the reduced arguments.
"""

from typing import Any

import numpy as np
from numba import njit

__all__ = ["FASTMATH", "atan2", "cos_sin_turn", "exp", "log"]

FASTMATH = {"contract", "nnan", "ninf", "nsz"}
"""Fused multiply-add is allowed but not reordering of sums: results do not depend on the loop."""

_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_LOG2_E = 1.4426950408889634
_TAN_PI_8 = 0.41421356237309503

_inline: Any = njit(fastmath=FASTMATH, error_model="numpy", inline="always")


@_inline
def _polynomial_exp(r):  # type: ignore[no-untyped-def]
    """Exponential on [-ln(2)/2, ln(2)/2], relative error 2e-17."""
    p = 2.5100375832561234e-08
    p = p * r + 2.7620075879983367e-07
    p = p * r + 2.7557268480310024e-06
    p = p * r + 2.4801521322368692e-05
    p = p * r + 0.00019841269863040545
    p = p * r + 0.0013888888917196719
    p = p * r + 0.008333333333330065
    p = p * r + 0.041666666666624164
    p = p * r + 0.16666666666666669
    p = p * r + 0.5000000000000001
    p = p * r + 1.0
    return p * r + 1.0


@_inline
def exp(x):  # type: ignore[no-untyped-def]
    """Exponential of `x`, with `x` clipped to [-700, 700]."""
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
    p = 0.07308224842521703
    p = p * w + 0.07665860800278021
    p = p * w + 0.09091444562630861
    p = p * w + 0.1111110556739754
    p = p * w + 0.14285714312987743
    p = p * w + 0.19999999999949752
    p = p * w + 0.3333333333333335
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
    p = -0.01917688711906226
    p = p * w + 0.03923165829558719
    p = p * w - 0.0508544973794026
    p = p * w + 0.0585814891280221
    p = p * w - 0.06664511447381948
    p = p * w + 0.07692183190826087
    p = p * w - 0.09090904578123903
    p = p * w + 0.11111111015256361
    p = p * w - 0.14285714284666542
    p = p * w + 0.1999999999999552
    p = p * w - 0.3333333333333333
    angle = t + t * w * p + (0.25 * np.pi if upper else 0.0)
    angle = 0.5 * np.pi - angle if ay > ax else angle
    angle = np.pi - angle if x < 0.0 else angle
    return -angle if y < 0.0 else angle


@_inline
def cos_sin_turn(turns):  # type: ignore[no-untyped-def]
    """Cosine and sine of an angle in turns, between 0 and 1: cos and sin of `2 pi turns`."""
    quarters = np.floor(4.0 * turns + 0.5)
    r = 2.0 * np.pi * (turns - 0.25 * quarters)
    w = r * r
    c = 1.0 / 20922789888000.0
    c = c * w - 1.0 / 87178291200.0
    c = c * w + 1.0 / 479001600.0
    c = c * w - 1.0 / 3628800.0
    c = c * w + 1.0 / 40320.0
    c = c * w - 1.0 / 720.0
    c = c * w + 1.0 / 24.0
    c = (c * w - 0.5) * w + 1.0
    s = -1.0 / 1307674368000.0
    s = s * w + 1.0 / 6227020800.0
    s = s * w - 1.0 / 39916800.0
    s = s * w + 1.0 / 362880.0
    s = s * w - 1.0 / 5040.0
    s = s * w + 1.0 / 120.0
    s = r + r * w * (s * w - 1.0 / 6.0)
    odd = (quarters == 1.0) or (quarters == 3.0)
    cos, sin = (s, c) if odd else (c, s)
    cos = -cos if (quarters == 1.0) or (quarters == 2.0) else cos
    sin = -sin if (quarters == 2.0) or (quarters == 3.0) else sin
    return cos, sin
