r"""The smooth lens and its exact derivatives, compiled: one pass over the pixels.

An isothermal ellipsoid with shear in front of one elliptical Sersic source, Sersic light of the
lens, and, for the fit of a vortex, one line of mass. Ellipticities are Cartesian,
:math:`e = \frac{1 - q}{1 + q} e^{2 i \phi}`, so nothing is singular where a profile is round. With
:math:`Z = x + i y` about the lens,

.. math::
    Y = Z - e \bar Z, \quad P = Y / |Y|, \quad w = -\bar e P^2, \quad
    \alpha = \theta_E \sqrt{1 - |e|^2} \, P \, S(w), \quad S = \sum_n \frac{w^n}{2 n + 1}

which is Tessore & Metcalf 2015, arXiv:1507.01819, eq. 13, turned into the frame of the sky; and
:math:`S + 2 w S' = 1 / (1 - w)`. A Sersic profile depends on

.. math:: r^2 = \frac{(1 + |e|^2)(x^2 + y^2) - 2 e_1 (x^2 - y^2) - 4 e_2 x y}{1 - |e|^2}

The conjugate deflection of a line of strength :math:`s = \theta_E^2` from `-l` to `l`, at
:math:`z = e^{-i \phi} (Z - Z_0)` along it, is

.. math:: \bar\alpha = e^{-i \phi} g, \quad g = \frac{s}{2 l} \ln \frac{z + l}{z - l}, \quad
          g' = \frac{-s}{z^2 - l^2}, \quad
          \frac{\partial g}{\partial \ln l} = -(g + z g')

The parameters `p` are those of `darklens.modelling.smooth_model.PARAMETERS`, in that order.
"""

from typing import Any

import numpy as np
from numba import njit

from darklens.lensing import special_functions as elementary
from darklens.lensing.special_functions import FASTMATH

__all__ = ["normal_equations", "render_smooth"]

_kernel: Any = njit(fastmath=FASTMATH, error_model="numpy", nogil=True, cache=True)
_sums: Any = njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
_TINY = 1e-300
_SOFTENING2 = 1e-8
_NUMBER_OF_PAIR = np.array([0, 1, 2, 3, 4, 27, 23, 24, 25, 26])
"""Which number the deflection in rows 2 k and 2 k + 1 of the fields is the derivative by."""


@_kernel
def _isothermal(x, y, p, slot, fields):  # type: ignore[no-untyped-def]
    """Deflection (rows 0, 1 of `fields`) and its derivatives by e1, e2, x, y (rows 2 to 9)."""
    theta, e1, e2, x0, y0 = p[0], p[1], p[2], p[3], p[4]
    square = e1 * e1 + e2 * e2
    root = np.sqrt(1.0 - square)
    scale = theta * root
    round_lens = square < 1e-24
    shaped = slot[1] >= 0 or slot[2] >= 0
    placed = slot[3] >= 0 or slot[4] >= 0
    terms = 2 if round_lens else 2 + int(np.ceil(np.log(1e-16) / np.log(np.sqrt(square))))
    if round_lens and not shaped and not placed:
        for j in range(x.size):
            zx, zy = x[j] - x0, y[j] - y0
            inverse = scale / np.sqrt(zx * zx + zy * zy + _TINY)
            fields[0, j], fields[1, j] = zx * inverse, zy * inverse
        return
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
            c = 1.0 / (2.0 * n + 1.0)
            sx, sy = sx * wx - sy * wy + c, sx * wy + sy * wx
            dx, dy = dx * wx - dy * wy + n * c, dx * wy + dy * wx
        sx, sy = sx * wx - sy * wy + 1.0, sx * wy + sy * wx
        qx, qy = px * sx - py * sy, px * sy + py * sx  # P S
        fields[0, j], fields[1, j] = scale * qx, scale * qy
        if not (shaped or placed):
            continue
        gx, gy = sx + 2.0 * (wx * dx - wy * dy), sy + 2.0 * (wx * dy + wy * dx)
        tx, ty = -(px * gy + py * gx), px * gx - py * gy  # i P / (1 - w)
        rx, ry = px * ppx - py * ppy, px * ppy + py * ppx  # P^3
        ux, uy = -(rx * dx - ry * dy), -(rx * dy + ry * dx)  # -P^3 S'
        # d Y for e1, e2, x0, y0; the angle of Y turns by Im(dY conj(Y)) / |Y|^2
        turn1 = (zy * yx + zx * yy) / norm2
        turn2 = (-zx * yx + zy * yy) / norm2
        turn3 = (e2 * yx + (1.0 - e1) * yy) / norm2
        turn4 = (-(1.0 + e1) * yx - e2 * yy) / norm2
        fields[2, j] = scale * (turn1 * tx + ux - e1 / (root * root) * qx)
        fields[3, j] = scale * (turn1 * ty + uy - e1 / (root * root) * qy)
        fields[4, j] = scale * (turn2 * tx + uy - e2 / (root * root) * qx)
        fields[5, j] = scale * (turn2 * ty - ux - e2 / (root * root) * qy)
        fields[6, j], fields[7, j] = scale * turn3 * tx, scale * turn3 * ty
        fields[8, j], fields[9, j] = scale * turn4 * tx, scale * turn4 * ty


@_kernel
def _line(x, y, p, fields):  # type: ignore[no-untyped-def]
    """Deflection of the line of mass, with its derivatives.

    Rows 10, 11 of `fields` hold the deflection by a line of strength 1, rows 12 to 19 the
    derivatives of the whole one by x, y, angle, and logarithm of the half length.
    """
    c, s = np.cos(p[25]), np.sin(p[25])
    half, strength = np.exp(p[26]), p[27]
    factor = 0.5 / half
    for j in range(x.size):
        dx, dy = x[j] - p[23], y[j] - p[24]
        u, v = c * dx + s * dy, c * dy - s * dx
        v2 = v * v
        plus, minus = u + half, u - half
        ratio = (plus * plus + v2 + _TINY) / (minus * minus + v2 + _TINY)
        gx = 0.5 * factor * elementary.log(ratio)
        gy = -factor * elementary.atan2(2.0 * half * v, plus * minus + v2)
        # g' = -1 / (z^2 - l^2), softened at the ends
        ax, ay = u * u - v2 - half * half, 2.0 * u * v
        inverse = -1.0 / (ax * ax + ay * ay + 1e-12)
        hx, hy = ax * inverse, -ay * inverse
        kx, ky = gx + u * hx - v * hy, gy + u * hy + v * hx  # g + z g'
        fields[10, j] = c * gx + s * gy
        fields[11, j] = -(c * gy - s * gx)
        # e^{-2 i phi} g' and e^{-i phi} (g + z g')
        tx, ty = c * hx + s * hy, c * hy - s * hx
        tx, ty = c * tx + s * ty, c * ty - s * tx
        wx, wy = c * kx + s * ky, c * ky - s * kx
        fields[12, j], fields[13, j] = -strength * tx, strength * ty
        fields[14, j], fields[15, j] = strength * ty, strength * tx
        fields[16, j], fields[17, j] = strength * wy, strength * wx
        fields[18, j], fields[19, j] = -strength * wx, strength * wy


@_kernel
def _sersic(x, y, p, first, b, b_slope, out):  # type: ignore[no-untyped-def]
    """Light and its derivatives.

    Rows of `out`: brightness, derivatives by the ray's x, y, by e1, e2, log radius, index.
    """
    x0, y0, e1, e2 = p[first], p[first + 1], p[first + 2], p[first + 3]
    inverse_radius2 = np.exp(-2.0 * p[first + 4])
    half = 0.5 / p[first + 5]
    amplitude = np.exp(p[first + 6])
    square = e1 * e1 + e2 * e2
    inverse = 1.0 / (1.0 - square)
    for j in range(x.size):
        dx, dy = x[j] - x0, y[j] - y0
        rho2 = dx * dx + dy * dy
        a, c = dx * dx - dy * dy, 2.0 * dx * dy
        r2 = ((1.0 + square) * rho2 - 2.0 * (e1 * a + e2 * c)) * inverse
        inside = r2 < _SOFTENING2
        r2 = max(r2, _SOFTENING2)
        logarithm = elementary.log(r2 * inverse_radius2)
        power = elementary.exp(half * logarithm)
        light = amplitude * elementary.exp(b - b * power)
        steep = light * b * power
        slope = 0.0 if inside else -steep * half / r2  # d light / d r2
        out[0, j] = light
        out[1, j] = slope * 2.0 * inverse * ((1.0 + square) * dx - 2.0 * (e1 * dx + e2 * dy))
        out[2, j] = slope * 2.0 * inverse * ((1.0 + square) * dy - 2.0 * (e2 * dx - e1 * dy))
        out[3, j] = slope * 2.0 * inverse * (e1 * rho2 - a + e1 * r2)
        out[4, j] = slope * 2.0 * inverse * (e2 * rho2 - c + e2 * r2)
        out[5, j] = steep * 2.0 * half
        out[6, j] = light * b_slope * (1.0 - power) + steep * logarithm * 2.0 * half * half


@_kernel
def _add(target, slot, k, values, weight):  # type: ignore[no-untyped-def]
    """Add a row of derivatives by parameter `k`, if it is free."""
    if slot[k] >= 0:
        row = target[slot[k]]
        for j in range(row.size):
            row[j] += weight * values[j]


@_kernel
def _add_mass(target, slot, x, y, fields, light, values, theta, weight):  # type: ignore[no-untyped-def]
    """Add the derivatives by the parameters of the masses, -grad I . d alpha."""
    if slot[0] >= 0:
        for j in range(x.size):
            values[j] = -(light[1, j] * fields[0, j] + light[2, j] * fields[1, j]) / theta
        _add(target, slot, 0, values, weight)
    for k in range(1, 10):
        number = _NUMBER_OF_PAIR[k]
        if slot[number] >= 0:
            for j in range(x.size):
                along, across = fields[2 * k, j], fields[2 * k + 1, j]
                values[j] = -(light[1, j] * along + light[2, j] * across)
            _add(target, slot, number, values, weight)
    if slot[5] >= 0:
        for j in range(x.size):
            values[j] = light[2, j] * y[j] - light[1, j] * x[j]
        _add(target, slot, 5, values, weight)
    if slot[6] >= 0:
        for j in range(x.size):
            values[j] = -light[1, j] * y[j] - light[2, j] * x[j]
        _add(target, slot, 6, values, weight)


@_kernel
def _add_light(target, slot, first, light, weight):  # type: ignore[no-untyped-def]
    """Add the derivatives by the parameters of a Sersic profile, from `first` on."""
    _add(target, slot, first, light[1], -weight)
    _add(target, slot, first + 1, light[2], -weight)
    for k in range(4):
        _add(target, slot, first + 2 + k, light[3 + k], weight)
    _add(target, slot, first + 6, light[0], weight)


@_kernel
def render_smooth(image, jacobian, scale, samples, p, slot, constants, lens_light):  # type: ignore[no-untyped-def]
    """Surface brightness times pixel area before the PSF, and its derivatives.

    Args:
        image: Filled, (rows, columns).
        jacobian: Filled, (free, rows, columns).
        scale: Side of a pixel [arcsec].
        samples: Rays along each side of a pixel.
        p: The parameters of the model.
        slot: For each of them its row in `jacobian`, or -1.
        constants: b and db/dn of the source and of the lens light.
        lens_light: Whether the lens shines.
    """
    rows, columns = image.shape
    x, y, bx, by = np.empty(columns), np.empty(columns), np.empty(columns), np.empty(columns)
    fields, light = np.zeros((20, columns)), np.empty((7, columns))
    line = p[27] != 0.0 or slot[27] >= 0
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
            _isothermal(x, y, p, slot, fields)
            for j in range(columns):
                bx[j] = x[j] - fields[0, j] - p[5] * x[j] - p[6] * y[j]
                by[j] = y[j] - fields[1, j] - p[6] * x[j] + p[5] * y[j]
            if line:
                _line(x, y, p, fields)
                for j in range(columns):
                    bx[j] -= p[27] * fields[10, j]
                    by[j] -= p[27] * fields[11, j]
            _sersic(bx, by, p, 7, constants[0], constants[1], light)
            for j in range(columns):
                image[i, j] += weight * light[0, j]
            _add_mass(target, slot, x, y, fields, light, values, p[0], weight)
            _add_light(target, slot, 7, light, weight)
            if lens_light:
                _sersic(x, y, p, 14, constants[2], constants[3], light)
                for j in range(columns):
                    image[i, j] += weight * light[0, j]
                _add_light(target, slot, 14, light, weight)


@_sums
def normal_equations(jacobian, weight, score):  # type: ignore[no-untyped-def]
    """Sums over pixels of J_a J_b weight and of J_a score.

    Args:
        jacobian: Derivatives (free, pixels).
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
