r"""The smooth lens and its exact derivatives, compiled into one pass over the pixels.

An elliptical power law with shear in front of one elliptical Sersic source, Sersic light of the
lens, and, for the fit of a vortex, one line of mass. Ellipticities are Cartesian,
:math:`e = \frac{1 - q}{1 + q} e^{2 i \phi}`, so nothing is singular where a profile is round. With
:math:`Z = x + i y` about the lens, a density slope of :math:`2 + \tau` and
:math:`b = \theta_E \sqrt{1 - |e|^2}`,

.. math::
    Y = Z - e \bar Z, \quad P = Y / |Y|, \quad w = -\bar e P^2, \quad
    \alpha = b \, (b / |Y|)^\tau \, P \, S(w), \quad S = \sum_n c_n w^n

which is Tessore & Metcalf 2015, arXiv:1507.01819, eq. 13, turned into the frame of the sky. A
Sersic profile depends on

.. math:: r^2 = \frac{(1 + |e|^2)(x^2 + y^2) - 2 e_1 (x^2 - y^2) - 4 e_2 x y}{1 - |e|^2}

The conjugate deflection of a line of strength :math:`s = \theta_E^2` from `-l` to `l`, at
:math:`z = e^{-i \phi} (Z - Z_0)` along it, is

.. math:: \bar\alpha = e^{-i \phi} g, \quad g = \frac{s}{2 l} \ln \frac{z + l}{z - l}, \quad
          g' = \frac{-s}{z^2 - l^2}, \quad
          \frac{\partial g}{\partial \ln l} = -(g + z g')

In the compiled functions `p` is a parameter vector and `row_of` gives for each parameter its row in
the Jacobian, or -1 where it is fixed; both are indexed by `Parameter`, see
`darklens.modelling.parameters`.
With a slope of 2 it is the singular isothermal ellipsoid of Kormann, Schneider & Bartelmann 1994,
A&A 284, 285.
"""

from enum import IntEnum
from typing import Any

import numpy as np
from numba import njit

from darklens.lensing import special_functions
from darklens.lensing.grid import PixelGrid
from darklens.lensing.special_functions import FASTMATH
from darklens.modelling.parameters import LightParameter, Parameter

__all__ = ["normal_equations", "render_smooth", "trace_smooth"]

_kernel: Any = njit(fastmath=FASTMATH, error_model="numpy", nogil=True, cache=True)
_sums: Any = njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
_TINY = 1e-300
_SOFTENING2 = 1e-8
_X, _Y = 0, 1


class _Deflection(IntEnum):
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


_PARAMETER_OF = np.array(
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


class _Light(IntEnum):
    """Rows of the light buffer (row, ray): the brightness and its derivatives."""

    BRIGHTNESS = 0
    BY_X = 1
    BY_Y = 2
    BY_E1 = 3
    BY_E2 = 4
    BY_LOG_RADIUS = 5
    BY_SERSIC_INDEX = 6


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
def _power_law(x, y, p, row_of, alpha):  # type: ignore[no-untyped-def]
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
    terms = 2 if round_lens else 2 + int(np.ceil(np.log(1e-16) / np.log(np.sqrt(square))))
    if round_lens and tau == 0.0 and not shaped and not placed and not sloped:
        for j in range(x.size):
            zx, zy = x[j] - x0, y[j] - y0
            inverse = scale / np.sqrt(zx * zx + zy * zy + _TINY)
            alpha[_Deflection.LENS, _X, j] = zx * inverse
            alpha[_Deflection.LENS, _Y, j] = zy * inverse
        return
    c, c_by_slope = _series(p[Parameter.LENS_SLOPE], terms)
    for j in range(x.size):
        zx, zy = x[j] - x0, y[j] - y0
        yx = zx - e1 * zx - e2 * zy
        yy = zy - e2 * zx + e1 * zy
        norm2 = yx * yx + yy * yy + _TINY
        inverse = 1.0 / np.sqrt(norm2)
        px, py = yx * inverse, yy * inverse
        ppx, ppy = px * px - py * py, 2.0 * px * py
        wx, wy = -(e1 * ppx + e2 * ppy), -(e1 * ppy - e2 * ppx)
        sx, sy, dx, dy = 0.0, 0.0, 0.0, 0.0
        for n in range(terms, 0, -1):  # Horner for S and S' at once
            sx, sy = sx * wx - sy * wy + c[n], sx * wy + sy * wx
            dx, dy = dx * wx - dy * wy + n * c[n], dx * wy + dy * wx
        sx, sy = sx * wx - sy * wy + 1.0, sx * wy + sy * wx
        qx, qy = px * sx - py * sy, px * sy + py * sx  # P S
        factor, stretch = scale, 0.0
        if tau != 0.0 or sloped:
            stretch = special_functions.log(scale * inverse)
            factor = scale * special_functions.exp(tau * stretch)
        alpha[_Deflection.LENS, _X, j] = factor * qx
        alpha[_Deflection.LENS, _Y, j] = factor * qy
        if sloped:
            vx, vy = 0.0, 0.0
            for n in range(terms, -1, -1):
                vx, vy = vx * wx - vy * wy + c_by_slope[n], vx * wy + vy * wx
            alpha[_Deflection.LENS_SLOPE, _X, j] = factor * (stretch * qx + px * vx - py * vy)
            alpha[_Deflection.LENS_SLOPE, _Y, j] = factor * (stretch * qy + px * vy + py * vx)
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
        alpha[_Deflection.LENS_E1, _X, j] = factor * (psi_e1 * tx + ux + by_e1 * qx)
        alpha[_Deflection.LENS_E1, _Y, j] = factor * (psi_e1 * ty + uy + by_e1 * qy)
        alpha[_Deflection.LENS_E2, _X, j] = factor * (psi_e2 * tx + uy + by_e2 * qx)
        alpha[_Deflection.LENS_E2, _Y, j] = factor * (psi_e2 * ty - ux + by_e2 * qy)
        alpha[_Deflection.LENS_X, _X, j] = factor * (psi_x0 * tx - tau * log_x0 * qx)
        alpha[_Deflection.LENS_X, _Y, j] = factor * (psi_x0 * ty - tau * log_x0 * qy)
        alpha[_Deflection.LENS_Y, _X, j] = factor * (psi_y0 * tx - tau * log_y0 * qx)
        alpha[_Deflection.LENS_Y, _Y, j] = factor * (psi_y0 * ty - tau * log_y0 * qy)


@_kernel
def _line(x, y, p, alpha):  # type: ignore[no-untyped-def]
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
        ratio = (plus * plus + v2 + _TINY) / (minus * minus + v2 + _TINY)
        gx = 0.5 * factor * special_functions.log(ratio)
        gy = -factor * special_functions.atan2(2.0 * half * v, plus * minus + v2)
        # g' = -1 / (z^2 - l^2), softened at the ends
        ax, ay = u * u - v2 - half * half, 2.0 * u * v
        inverse = -1.0 / (ax * ax + ay * ay + 1e-12)
        hx, hy = ax * inverse, -ay * inverse
        kx, ky = gx + u * hx - v * hy, gy + u * hy + v * hx  # g + z g'
        alpha[_Deflection.LINE, _X, j] = c * gx + s * gy
        alpha[_Deflection.LINE, _Y, j] = -(c * gy - s * gx)
        # t = e^{-2 i phi} g', w = W
        tx, ty = c * hx + s * hy, c * hy - s * hx
        tx, ty = c * tx + s * ty, c * ty - s * tx
        wx, wy = c * kx + s * ky, c * ky - s * kx
        alpha[_Deflection.LINE_X, _X, j] = -strength * tx
        alpha[_Deflection.LINE_X, _Y, j] = strength * ty
        alpha[_Deflection.LINE_Y, _X, j] = strength * ty
        alpha[_Deflection.LINE_Y, _Y, j] = strength * tx
        alpha[_Deflection.LINE_ANGLE, _X, j] = strength * wy
        alpha[_Deflection.LINE_ANGLE, _Y, j] = strength * wx
        alpha[_Deflection.LINE_LOG_HALF_LENGTH, _X, j] = -strength * wx
        alpha[_Deflection.LINE_LOG_HALF_LENGTH, _Y, j] = strength * wy


@_kernel
def _sersic(x, y, p, first, b, b_slope, out):  # type: ignore[no-untyped-def]
    r"""Sersic profile and its derivatives; the parameters of the profile begin at `first`.

    With :math:`u = (r^2 / R^2)^{1 / (2 n)}` the profile (Graham & Driver 2005,
    arXiv:astro-ph/0503176, eq. 1) and its derivatives are

    .. math::
        I = A \, e^{b - b u}, \quad
        \frac{\partial I}{\partial r^2} = -\frac{I b u}{2 n r^2}, \quad
        \frac{\partial I}{\partial \ln R} = \frac{I b u}{n}, \quad
        \frac{\partial I}{\partial n} = I b' (1 - u) + \frac{I b u}{2 n^2} \ln \frac{r^2}{R^2}

        \frac{\partial r^2}{\partial e_1} = \frac{2}{1 - |e|^2}
            \left(e_1 (x^2 + y^2) - (x^2 - y^2) + e_1 r^2\right)

    with :math:`2 x y` in place of :math:`x^2 - y^2` for :math:`e_2`. Within 1e-4 arcsec the profile
    is constant.
    """
    x0, y0 = p[first + LightParameter.X], p[first + LightParameter.Y]
    e1, e2 = p[first + LightParameter.E1], p[first + LightParameter.E2]
    inverse_radius2 = np.exp(-2.0 * p[first + LightParameter.LOG_RADIUS])
    half = 0.5 / p[first + LightParameter.SERSIC_INDEX]
    amplitude = np.exp(p[first + LightParameter.LOG_AMPLITUDE])
    square = e1 * e1 + e2 * e2
    inverse = 1.0 / (1.0 - square)
    for j in range(x.size):
        dx, dy = x[j] - x0, y[j] - y0
        rho2 = dx * dx + dy * dy
        a, c = dx * dx - dy * dy, 2.0 * dx * dy
        r2 = ((1.0 + square) * rho2 - 2.0 * (e1 * a + e2 * c)) * inverse
        inside = r2 < _SOFTENING2
        r2 = max(r2, _SOFTENING2)
        logarithm = special_functions.log(r2 * inverse_radius2)
        power = special_functions.exp(half * logarithm)
        light = amplitude * special_functions.exp(b - b * power)
        steep = light * b * power
        slope = 0.0 if inside else -steep * half / r2  # d light / d r2
        out[_Light.BRIGHTNESS, j] = light
        out[_Light.BY_X, j] = (
            slope * 2.0 * inverse * ((1.0 + square) * dx - 2.0 * (e1 * dx + e2 * dy))
        )
        out[_Light.BY_Y, j] = (
            slope * 2.0 * inverse * ((1.0 + square) * dy - 2.0 * (e2 * dx - e1 * dy))
        )
        out[_Light.BY_E1, j] = slope * 2.0 * inverse * (e1 * rho2 - a + e1 * r2)
        out[_Light.BY_E2, j] = slope * 2.0 * inverse * (e2 * rho2 - c + e2 * r2)
        out[_Light.BY_LOG_RADIUS, j] = steep * 2.0 * half
        out[_Light.BY_SERSIC_INDEX, j] = (
            light * b_slope * (1.0 - power) + steep * logarithm * 2.0 * half * half
        )


@_kernel
def _add(target, row_of, k, values, weight):  # type: ignore[no-untyped-def]
    """Add the derivatives with respect to parameter `k`, if it is free."""
    if row_of[k] >= 0:
        row = target[row_of[k]]
        for j in range(row.size):
            row[j] += weight * values[j]


@_kernel
def _add_mass(target, row_of, x, y, alpha, light, values, theta, weight):  # type: ignore[no-untyped-def]
    r"""Add the derivatives with respect to the parameters of lens, line and shear.

    By the chain rule :math:`\partial I / \partial p = -\nabla I \cdot \partial\alpha / \partial p`,
    with :math:`\partial_{\theta_E} \alpha = (1 + \tau) \alpha / \theta_E`,
    :math:`\partial_{\gamma_1} \alpha = (x, -y)` and :math:`\partial_{\gamma_2} \alpha = (y, x)`.
    """
    if row_of[Parameter.EINSTEIN_RADIUS] >= 0:
        for j in range(x.size):
            along, across = alpha[_Deflection.LENS, _X, j], alpha[_Deflection.LENS, _Y, j]
            values[j] = -(light[_Light.BY_X, j] * along + light[_Light.BY_Y, j] * across) / theta
        _add(target, row_of, Parameter.EINSTEIN_RADIUS, values, weight)
    for k in range(_Deflection.LENS_E1, alpha.shape[0]):
        parameter = _PARAMETER_OF[k]
        if row_of[parameter] >= 0:
            for j in range(x.size):
                along, across = alpha[k, _X, j], alpha[k, _Y, j]
                values[j] = -(light[_Light.BY_X, j] * along + light[_Light.BY_Y, j] * across)
            _add(target, row_of, parameter, values, weight)
    if row_of[Parameter.GAMMA1] >= 0:
        for j in range(x.size):
            values[j] = light[_Light.BY_Y, j] * y[j] - light[_Light.BY_X, j] * x[j]
        _add(target, row_of, Parameter.GAMMA1, values, weight)
    if row_of[Parameter.GAMMA2] >= 0:
        for j in range(x.size):
            values[j] = -light[_Light.BY_X, j] * y[j] - light[_Light.BY_Y, j] * x[j]
        _add(target, row_of, Parameter.GAMMA2, values, weight)


@_kernel
def _add_light(target, row_of, first, light, weight):  # type: ignore[no-untyped-def]
    """Add the derivatives with respect to a Sersic profile whose parameters begin at `first`."""
    _add(target, row_of, first + LightParameter.X, light[_Light.BY_X], -weight)
    _add(target, row_of, first + LightParameter.Y, light[_Light.BY_Y], -weight)
    _add(target, row_of, first + LightParameter.E1, light[_Light.BY_E1], weight)
    _add(target, row_of, first + LightParameter.E2, light[_Light.BY_E2], weight)
    _add(target, row_of, first + LightParameter.LOG_RADIUS, light[_Light.BY_LOG_RADIUS], weight)
    _add(target, row_of, first + LightParameter.SERSIC_INDEX, light[_Light.BY_SERSIC_INDEX], weight)
    _add(target, row_of, first + LightParameter.LOG_AMPLITUDE, light[_Light.BRIGHTNESS], weight)


@_kernel
def render_smooth(  # type: ignore[no-untyped-def]
    image, jacobian, scale, samples, p, row_of, source_b, source_db, light_b, light_db, lens_light
):
    """Flux of each pixel before the PSF, and its derivatives.

    Args:
        image: Output, (rows, columns) [flux / pixel].
        jacobian: Output, (free parameters, rows, columns).
        scale: Side of a pixel [arcsec].
        samples: Rays along each side of a pixel.
        p: Parameter vector.
        row_of: Row of each parameter in `jacobian`, or -1.
        source_b: Sersic constant b of the source.
        source_db: Its derivative db/dn.
        light_b: Sersic constant b of the lens light.
        light_db: Its derivative db/dn.
        lens_light: Whether the lens galaxy emits light.
    """
    rows, columns = image.shape
    x, y, bx, by = np.empty(columns), np.empty(columns), np.empty(columns), np.empty(columns)
    alpha, light = np.zeros((len(_PARAMETER_OF), 2, columns)), np.empty((7, columns))
    gamma1, gamma2 = p[Parameter.GAMMA1], p[Parameter.GAMMA2]
    theta = p[Parameter.EINSTEIN_RADIUS] / (p[Parameter.LENS_SLOPE] - 1.0)
    strength = p[Parameter.LINE_STRENGTH]
    line = strength != 0.0 or row_of[Parameter.LINE_STRENGTH] >= 0
    values = np.empty(columns)
    weight = scale * scale / (samples * samples)
    image[:] = 0.0
    jacobian[:] = 0.0
    for i in range(rows):
        target = jacobian[:, i]
        for s in range(samples * samples):
            for j in range(columns):
                x[j] = (j - 0.5 * (columns - 1) + (s % samples + 0.5) / samples - 0.5) * scale
                y[j] = (i - 0.5 * (rows - 1) + (s // samples + 0.5) / samples - 0.5) * scale
            _power_law(x, y, p, row_of, alpha)
            for j in range(columns):
                bx[j] = x[j] - alpha[_Deflection.LENS, _X, j] - gamma1 * x[j] - gamma2 * y[j]
                by[j] = y[j] - alpha[_Deflection.LENS, _Y, j] - gamma2 * x[j] + gamma1 * y[j]
            if line:
                _line(x, y, p, alpha)
                for j in range(columns):
                    bx[j] -= strength * alpha[_Deflection.LINE, _X, j]
                    by[j] -= strength * alpha[_Deflection.LINE, _Y, j]
            _sersic(bx, by, p, Parameter.SOURCE_X, source_b, source_db, light)
            for j in range(columns):
                image[i, j] += weight * light[_Light.BRIGHTNESS, j]
            _add_mass(target, row_of, x, y, alpha, light, values, theta, weight)
            _add_light(target, row_of, Parameter.SOURCE_X, light, weight)
            if lens_light:
                _sersic(x, y, p, Parameter.LENS_LIGHT_X, light_b, light_db, light)
                for j in range(columns):
                    image[i, j] += weight * light[_Light.BRIGHTNESS, j]
                _add_light(target, row_of, Parameter.LENS_LIGHT_X, light, weight)


@_kernel
def _trace(x, y, p, row_of, alpha):  # type: ignore[no-untyped-def]
    """Replace the rays at `x`, `y` by where they meet the source plane; the line is left out."""
    gamma1, gamma2 = p[Parameter.GAMMA1], p[Parameter.GAMMA2]
    _power_law(x, y, p, row_of, alpha)
    for j in range(x.size):
        along, across = x[j], y[j]
        x[j] = along - alpha[_Deflection.LENS, _X, j] - gamma1 * along - gamma2 * across
        y[j] = across - alpha[_Deflection.LENS, _Y, j] - gamma2 * along + gamma1 * across


def trace_smooth(
    shape: tuple[int, int], scale: float, parameters: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Where the rays of the pixel centres meet the source plane, x and y [arcsec].

    Args:
        shape: Rows and columns.
        scale: Side of a pixel [arcsec].
        parameters: Parameter vector; its line of mass is left out.
    """
    x, y = (c.ravel() for c in PixelGrid(shape, scale).coordinates())
    alpha = np.zeros((len(_PARAMETER_OF), 2, x.size))
    _trace(x, y, parameters, np.full(len(Parameter), -1), alpha)
    return x.reshape(shape), y.reshape(shape)


@_sums
def normal_equations(jacobian, weight, score):  # type: ignore[no-untyped-def]
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
