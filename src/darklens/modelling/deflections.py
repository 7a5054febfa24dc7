r"""Deflections of the smooth lens and of a line of mass, with their exact derivatives, compiled.

Ellipticities are Cartesian, :math:`e = \frac{1 - q}{1 + q} e^{2 i \phi}`, so that nothing is
singular where the lens is round. With :math:`Z = x + i y` about the lens, a density slope of
:math:`2 + \tau` and :math:`b = \theta_E \sqrt{1 - |e|^2}`,

.. math::
    Y = Z - e \bar Z, \quad P = Y / |Y|, \quad w = -\bar e P^2, \quad
    \alpha = b \, (b / |Y|)^\tau \, P \, S(w), \quad S = \sum_n c_n w^n

which is Tessore & Metcalf 2015, arXiv:1507.01819, eq. 13, turned into the frame of the sky.
With a slope of 2 it is the singular isothermal ellipsoid of Kormann, Schneider & Bartelmann 1994,
A&A 284, 285.

The conjugate deflection of a line of strength :math:`s = \theta_E^2` from `-l` to `l`, at
:math:`z = e^{-i \phi} (Z - Z_0)` along it, is

.. math:: \bar\alpha = e^{-i \phi} g, \quad g = \frac{s}{2 l} \ln \frac{z + l}{z - l}, \quad
          g' = \frac{-s}{z^2 - l^2}, \quad
          \frac{\partial g}{\partial \ln l} = -(g + z g')

In the compiled functions `p` is a parameter vector and `row_of` gives for each parameter its row in
the Jacobian, or -1 where it is fixed; both are indexed by `Parameter`, see
`darklens.modelling.parameters`.
"""

from enum import IntEnum
from typing import Any

import numpy as np
from numba import njit

from darklens.lensing import special_functions
from darklens.lensing.special_functions import FASTMATH
from darklens.modelling.parameters import Parameter

__all__ = ["PARAMETER_OF", "TINY", "Deflection", "X", "Y", "line_of_mass", "power_law"]

_kernel: Any = njit(fastmath=FASTMATH, error_model="numpy", nogil=True, cache=True)
TINY = 1e-300
X, Y = 0, 1
"""Components of a deflection in its buffer."""


class Deflection(IntEnum):
    """Entries of the deflection buffer (entry, component, ray).

    Each is the derivative of the deflection with respect to the parameter in its name, except that
    `LENS` is the deflection of the lens itself and `LINE` that of a line of unit strength.
    """

    LENS = 0
    LENS_E1 = 1
    LENS_E2 = 2
    LENS_X = 3
    LENS_Y = 4
    LENS_SLOPE = 5
    LINE = 6
    LINE_X = 7
    LINE_Y = 8
    LINE_ANGLE = 9
    LINE_LOG_HALF_LENGTH = 10


PARAMETER_OF = np.array(
    [
        Parameter.EINSTEIN_RADIUS,
        Parameter.LENS_E1,
        Parameter.LENS_E2,
        Parameter.LENS_X,
        Parameter.LENS_Y,
        Parameter.LENS_SLOPE,
        Parameter.LINE_STRENGTH,
        Parameter.LINE_X,
        Parameter.LINE_Y,
        Parameter.LINE_ANGLE,
        Parameter.LINE_LOG_HALF_LENGTH,
    ]
)
"""The parameter of each entry of the deflection buffer."""


@_kernel
def _series(slope, terms):  # type: ignore[no-untyped-def]
    r"""Coefficients of `S` and their derivatives by the slope, from n = 0.

    .. math:: c_n = \prod_{k=1}^{n} \frac{2 k - 1 + \tau}{2 k + 1 - \tau}, \qquad
              \frac{d \ln c_n}{d \tau} =
              \sum_{k=1}^{n} \frac{1}{2 k - 1 + \tau} + \frac{1}{2 k + 1 - \tau}
    """
    tau = slope - 2.0
    c, by_slope = np.empty(terms + 1), np.empty(terms + 1)
    c[0], by_slope[0] = 1.0, 0.0
    logarithmic = 0.0
    for n in range(1, terms + 1):
        above, below = 2.0 * n - 1.0 + tau, 2.0 * n + 1.0 - tau
        c[n] = 1.0 / below if tau == 0.0 else c[n - 1] * above / below
        logarithmic += 1.0 / above + 1.0 / below
        by_slope[n] = c[n] * logarithmic
    return c, by_slope


@_kernel
def _sums(w, square, c):  # type: ignore[no-untyped-def]
    r"""Real and imaginary part of the sum over :math:`c_n w^n`, for each `w` of one modulus.

    With real coefficients it is :math:`c_0 + w b_1 - |w|^2 b_2` (Knuth), where
    :math:`b_n = c_n + 2 \mathrm{Re}(w) b_{n+1} - |w|^2 b_{n+2}`: two real multiplications a term.
    Four terms are added at a time, so that the compiler takes several rays at once.

    Args:
        w: Real and imaginary parts, (2, rays).
        square: Square of their modulus.
        c: Coefficients, from n = 0; of a number that is one more than a multiple of four.
    """
    rays = w.shape[1]
    b, later, out = np.zeros(rays), np.zeros(rays), np.empty((2, rays))
    for n in range(c.size - 4, 0, -4):
        for j in range(rays):
            p, b1, b2 = 2.0 * w[0, j], b[j], later[j]
            b2 = (c[n + 3] - square * b2) + p * b1
            b1 = (c[n + 2] - square * b1) + p * b2
            b2 = (c[n + 1] - square * b2) + p * b1
            b[j], later[j] = (c[n] - square * b1) + p * b2, b2
    for j in range(rays):
        out[0, j] = c[0] + w[0, j] * b[j] - square * later[j]
        out[1, j] = w[1, j] * b[j]
    return out


@_kernel
def power_law(x, y, p, row_of, alpha):  # type: ignore[no-untyped-def]
    r"""Deflection of the elliptical power law, and its derivatives by e1, e2, x0, y0, slope.

    With :math:`\psi = \arg Y` a change of any of them gives :math:`dP = i P \, d\psi`,
    :math:`dw = 2 i w \, d\psi - P^2 d\bar e`, and therefore

    .. math::
        d(P S) = i P (S + 2 w S') \, d\psi - P^3 S' \, d\bar e, \quad
        d\psi = \operatorname{Im}(dY \, \bar Y) / |Y|^2, \quad
        d\ln|Y| = \operatorname{Re}(dY \, \bar Y) / |Y|^2

        \partial_{e_1} Y = -\bar Z, \quad \partial_{e_2} Y = -i \bar Z, \quad
        \partial_{x_0} Y = e - 1, \quad \partial_{y_0} Y = -i (1 + e)

    The factor :math:`b^{1 + \tau} |Y|^{-\tau}` adds :math:`-\tau \, \alpha \, d\ln|Y|`, and by
    :math:`b = \theta_E \sqrt{1 - |e|^2}` also :math:`-(1 + \tau) e_k / (1 - |e|^2) \, \alpha` to
    the derivative by :math:`e_k`. By the slope,

    .. math:: \partial_\tau \alpha = \alpha \ln(b / |Y|)
              + b^{1 + \tau} |Y|^{-\tau} P \, \partial_\tau S

    Writes the entries `LENS` to `LENS_SLOPE` of `alpha`.
    """
    theta, e1, e2 = p[Parameter.EINSTEIN_RADIUS], p[Parameter.LENS_E1], p[Parameter.LENS_E2]
    x0, y0, tau = p[Parameter.LENS_X], p[Parameter.LENS_Y], p[Parameter.LENS_SLOPE] - 2.0
    square = e1 * e1 + e2 * e2
    root = np.sqrt(1.0 - square)
    scale = theta * root
    round_lens = square < 1e-24
    shaped = row_of[Parameter.LENS_E1] >= 0 or row_of[Parameter.LENS_E2] >= 0
    placed = row_of[Parameter.LENS_X] >= 0 or row_of[Parameter.LENS_Y] >= 0
    sloped = row_of[Parameter.LENS_SLOPE] >= 0
    terms = 4 if round_lens else 4 * int(np.ceil(np.log(1e-17) / np.log(square) / 2.0))
    if round_lens and tau == 0.0 and not shaped and not placed and not sloped:
        for j in range(x.size):
            zx, zy = x[j] - x0, y[j] - y0
            inverse = scale / np.sqrt(zx * zx + zy * zy + TINY)
            alpha[Deflection.LENS, X, j] = zx * inverse
            alpha[Deflection.LENS, Y, j] = zy * inverse
        return
    c, c_by_slope = _series(p[Parameter.LENS_SLOPE], terms)
    ws = np.empty((2, x.size))
    for j in range(x.size):
        zx, zy = x[j] - x0, y[j] - y0
        yx = zx - e1 * zx - e2 * zy
        yy = zy - e2 * zx + e1 * zy
        inverse = 1.0 / np.sqrt(yx * yx + yy * yy + TINY)
        px, py = yx * inverse, yy * inverse
        ppx, ppy = px * px - py * py, 2.0 * px * py
        ws[0, j], ws[1, j] = -(e1 * ppx + e2 * ppy), -(e1 * ppy - e2 * ppx)
    falling = np.zeros(terms + 1)  # coefficients of S'
    for n in range(terms):
        falling[n] = (n + 1.0) * c[n + 1]
    series, derivative = _sums(ws, square, c), _sums(ws, square, falling)
    by_slope = _sums(ws, square, c_by_slope) if sloped else series
    for j in range(x.size):
        zx, zy = x[j] - x0, y[j] - y0
        yx = zx - e1 * zx - e2 * zy
        yy = zy - e2 * zx + e1 * zy
        norm2 = yx * yx + yy * yy + TINY
        inverse = 1.0 / np.sqrt(norm2)
        px, py = yx * inverse, yy * inverse
        ppx, ppy = px * px - py * py, 2.0 * px * py
        wx, wy = ws[0, j], ws[1, j]
        sx, sy = series[0, j], series[1, j]
        dx, dy = derivative[0, j], derivative[1, j]
        qx, qy = px * sx - py * sy, px * sy + py * sx  # P S
        factor, stretch = scale, 0.0
        if tau != 0.0 or sloped:
            stretch = special_functions.log(scale * inverse)
            factor = scale * special_functions.exp(tau * stretch)
        alpha[Deflection.LENS, X, j] = factor * qx
        alpha[Deflection.LENS, Y, j] = factor * qy
        if sloped:
            vx, vy = by_slope[0, j], by_slope[1, j]
            alpha[Deflection.LENS_SLOPE, X, j] = factor * (stretch * qx + px * vx - py * vy)
            alpha[Deflection.LENS_SLOPE, Y, j] = factor * (stretch * qy + px * vy + py * vx)
        if not (shaped or placed):
            continue
        gx, gy = sx + 2.0 * (wx * dx - wy * dy), sy + 2.0 * (wx * dy + wy * dx)
        tx, ty = -(px * gy + py * gx), px * gx - py * gy  # i P (S + 2 w S')
        rx, ry = px * ppx - py * ppy, px * ppy + py * ppx  # P^3
        ux, uy = -(rx * dx - ry * dy), -(rx * dy + ry * dx)  # -P^3 S'
        # d psi and d ln|Y| by e1, e2, x0, y0
        psi_e1, log_e1 = (zy * yx + zx * yy) / norm2, (zy * yy - zx * yx) / norm2
        psi_e2, log_e2 = (-zx * yx + zy * yy) / norm2, -(zx * yy + zy * yx) / norm2
        psi_x0 = (e2 * yx + (1.0 - e1) * yy) / norm2
        log_x0 = ((e1 - 1.0) * yx + e2 * yy) / norm2
        psi_y0 = (-(1.0 + e1) * yx - e2 * yy) / norm2
        log_y0 = (e2 * yx - (1.0 + e1) * yy) / norm2
        by_e1 = -tau * log_e1 - (1.0 + tau) * e1 / (root * root)
        by_e2 = -tau * log_e2 - (1.0 + tau) * e2 / (root * root)
        alpha[Deflection.LENS_E1, X, j] = factor * (psi_e1 * tx + ux + by_e1 * qx)
        alpha[Deflection.LENS_E1, Y, j] = factor * (psi_e1 * ty + uy + by_e1 * qy)
        alpha[Deflection.LENS_E2, X, j] = factor * (psi_e2 * tx + uy + by_e2 * qx)
        alpha[Deflection.LENS_E2, Y, j] = factor * (psi_e2 * ty - ux + by_e2 * qy)
        alpha[Deflection.LENS_X, X, j] = factor * (psi_x0 * tx - tau * log_x0 * qx)
        alpha[Deflection.LENS_X, Y, j] = factor * (psi_x0 * ty - tau * log_x0 * qy)
        alpha[Deflection.LENS_Y, X, j] = factor * (psi_y0 * tx - tau * log_y0 * qx)
        alpha[Deflection.LENS_Y, Y, j] = factor * (psi_y0 * ty - tau * log_y0 * qy)


@_kernel
def line_of_mass(x, y, p, alpha):  # type: ignore[no-untyped-def]
    r"""Deflection of the line of mass, and its derivatives.

    With `g` for unit strength and :math:`W = e^{-i \phi} (g + z g')`,

    .. math::
        \partial_{x_0} \bar\alpha = -s \, e^{-2 i \phi} g', \quad
        \partial_{y_0} \bar\alpha = -i s \, e^{-2 i \phi} g', \quad
        \partial_\phi \bar\alpha = -i s W, \quad
        \partial_{\ln l} \bar\alpha = -s W

    Writes the entries `LINE` to `LINE_LOG_HALF_LENGTH` of `alpha`.
    """
    c, s = np.cos(p[Parameter.LINE_ANGLE]), np.sin(p[Parameter.LINE_ANGLE])
    half, strength = np.exp(p[Parameter.LINE_LOG_HALF_LENGTH]), p[Parameter.LINE_STRENGTH]
    x0, y0 = p[Parameter.LINE_X], p[Parameter.LINE_Y]
    factor = 0.5 / half
    for j in range(x.size):
        dx, dy = x[j] - x0, y[j] - y0
        u, v = c * dx + s * dy, c * dy - s * dx
        v2 = v * v
        plus, minus = u + half, u - half
        ratio = (plus * plus + v2 + TINY) / (minus * minus + v2 + TINY)
        gx = 0.5 * factor * special_functions.log(ratio)
        gy = -factor * special_functions.atan2(2.0 * half * v, plus * minus + v2)
        # g' = -1 / (z^2 - l^2), softened at the ends
        ax, ay = u * u - v2 - half * half, 2.0 * u * v
        inverse = -1.0 / (ax * ax + ay * ay + 1e-12)
        hx, hy = ax * inverse, -ay * inverse
        kx, ky = gx + u * hx - v * hy, gy + u * hy + v * hx  # g + z g'
        alpha[Deflection.LINE, X, j] = c * gx + s * gy
        alpha[Deflection.LINE, Y, j] = -(c * gy - s * gx)
        # t = e^{-2 i phi} g', w = W
        tx, ty = c * hx + s * hy, c * hy - s * hx
        tx, ty = c * tx + s * ty, c * ty - s * tx
        wx, wy = c * kx + s * ky, c * ky - s * kx
        alpha[Deflection.LINE_X, X, j] = -strength * tx
        alpha[Deflection.LINE_X, Y, j] = strength * ty
        alpha[Deflection.LINE_Y, X, j] = strength * ty
        alpha[Deflection.LINE_Y, Y, j] = strength * tx
        alpha[Deflection.LINE_ANGLE, X, j] = strength * wy
        alpha[Deflection.LINE_ANGLE, Y, j] = strength * wx
        alpha[Deflection.LINE_LOG_HALF_LENGTH, X, j] = -strength * wx
        alpha[Deflection.LINE_LOG_HALF_LENGTH, Y, j] = strength * wy
