r"""Compiled deflections and light of the profiles, for many rays at a time.

The functions `add_*` take the coordinates of any number of rays, `x` and `y`, and add the
profile's deflection to `ax` and `ay`, or its light to `flux` (all 1-d float64, arcsec). Angles
come as cosine and sine. They are written so that LLVM processes several rays at once. The
conventions are those of `darklens.lensing.profiles`.
"""

from typing import Any

import numpy as np
from numba import njit

from darklens.lensing import special_functions
from darklens.lensing.special_functions import FASTMATH

__all__ = [
    "add_epl",
    "add_line_mass",
    "add_line_of_points",
    "add_multipole",
    "add_point_mass",
    "add_point_masses",
    "add_sersic",
    "add_shear",
    "add_sie",
    "add_tnfw",
]

_inline: Any = njit(fastmath=FASTMATH, error_model="numpy", inline="always")
_kernel: Any = njit(fastmath=FASTMATH, error_model="numpy", nogil=True, cache=True)
_TINY = 1e-300
_SMALL = 1e-60  # four of them multiplied are still a normal number
_CENTRE = 1e-12  # of a multipole, squared [arcsec^2]
_SOFTENING = 1e-4
"""Smallest Sersic radius [arcsec], the softening of lenstronomy."""


@_kernel
def add_sie(x, y, ax, ay, einstein_radius, axis_ratio, cos, sin, x0, y0):  # type: ignore[no-untyped-def]
    r"""Singular isothermal ellipsoid, by its angular series in coordinates along its axes.

    .. math:: \alpha_x + i \alpha_y = \frac{2 \theta_E \sqrt{q}}{1 + q}
              \sum_n \frac{(-f)^n}{2 n + 1} e^{i (2 n + 1) \varphi},
              \quad \tan\varphi = \frac{y}{q x}, \quad f = \frac{1 - q}{1 + q}

    Unlike the form with arctan and arctanh it has no special case at `q = 1`, and it is nothing
    but multiplications. Tessore & Metcalf 2015, arXiv:1507.01819, eq. 13 with t = 1.
    """
    f = (1.0 - axis_ratio) / (1.0 + axis_ratio)
    # The terms fall as f^n / (2 n + 1): as many as float64 can see, in blocks of four.
    terms = 4 * int(np.ceil(np.log(2e-16) / np.log(max(f, 1e-10)) / 4.0)) if f > 0.0 else 0
    scale = 2.0 * einstein_radius * np.sqrt(axis_ratio) / (1.0 + axis_ratio)
    u, v = np.empty(x.size), np.empty(x.size)
    for j in range(x.size):
        dx = x[j] - x0
        dy = y[j] - y0
        along = axis_ratio * (cos * dx + sin * dy)
        across = cos * dy - sin * dx
        inverse = scale / np.sqrt(along * along + across * across + _TINY)
        u[j] = along * inverse
        v[j] = across * inverse
    if terms > 0:
        _sie_series(u, v, f, terms, scale)
    for j in range(x.size):
        ax[j] += cos * u[j] - sin * v[j]
        ay[j] += sin * u[j] + cos * v[j]


@_kernel
def _sie_series(u, v, f, terms, scale):  # type: ignore[no-untyped-def]
    r"""Multiply `u + i v`, of modulus `scale`, by the sum over :math:`w^n / (2 n + 1)`.

    With real coefficients c the sum is :math:`c_0 + w b_1 - |w|^2 b_2` (Knuth), where
    :math:`b_n = c_n + 2 \mathrm{Re}(w) b_{n+1} - |w|^2 b_{n+2}` and here
    :math:`w = -f e^{2 i \varphi}`: two real multiplications a term.
    """
    turn = -f / (scale * scale + _TINY)
    ff = f * f
    first, second = np.zeros(u.size), np.zeros(u.size)
    for n in range(terms - 4, 0, -4):
        for j in range(u.size):
            p = 2.0 * turn * (u[j] * u[j] - v[j] * v[j])
            b1, b2 = first[j], second[j]
            b2 = (1.0 / (2.0 * n + 7.0) - ff * b2) + p * b1
            b1 = (1.0 / (2.0 * n + 5.0) - ff * b1) + p * b2
            b2 = (1.0 / (2.0 * n + 3.0) - ff * b2) + p * b1
            b1 = (1.0 / (2.0 * n + 1.0) - ff * b1) + p * b2
            first[j], second[j] = b1, b2
    for j in range(u.size):
        w_re = turn * (u[j] * u[j] - v[j] * v[j])
        w_im = turn * (2.0 * u[j] * v[j])
        b1, b2 = first[j], second[j]
        b2 = (1.0 / 7.0 - ff * b2) + 2.0 * w_re * b1
        b1 = (1.0 / 5.0 - ff * b1) + 2.0 * w_re * b2
        b2 = (1.0 / 3.0 - ff * b2) + 2.0 * w_re * b1
        re, im = 1.0 + w_re * b2 - ff * b1, w_im * b2
        u[j], v[j] = u[j] * re - v[j] * im, u[j] * im + v[j] * re


@_kernel
def add_epl(x, y, ax, ay, einstein_radius, slope, axis_ratio, cos, sin, x0, y0):  # type: ignore[no-untyped-def]
    r"""Elliptical power law, by its angular series in coordinates along its axes.

    .. math:: \alpha_x + i \alpha_y = \frac{2 b}{1 + q} \left(\frac{b}{R}\right)^{t - 1}
              \sum_n c_n (-f)^n e^{i (2 n + 1) \varphi}, \quad
              c_n = c_{n - 1} \frac{2 n - 2 + t}{2 n + 2 - t}, \quad c_0 = 1

    with :math:`t = \gamma - 1`, :math:`b = \theta_E \sqrt{q}`, :math:`R^2 = q^2 x^2 + y^2`,
    :math:`\varphi` and `f` as in `add_sie`, which is the case t = 1. Tessore & Metcalf 2015,
    arXiv:1507.01819, eq. 13, with the hypergeometric function as its series.
    """
    t = slope - 1.0
    f = (1.0 - axis_ratio) / (1.0 + axis_ratio)
    terms = int(np.ceil(np.log(2e-16) / np.log(max(f, 1e-10)))) if f > 0.0 else 0
    coefficients = np.ones(terms + 1)
    for n in range(1, terms + 1):
        coefficients[n] = coefficients[n - 1] * (2.0 * n - 2.0 + t) / (2.0 * n + 2.0 - t)
    b = einstein_radius * np.sqrt(axis_ratio)
    half = 0.5 * (t - 1.0)
    log_b2 = np.log(b * b + _TINY)
    u, v, radial = np.empty(x.size), np.empty(x.size), np.empty(x.size)
    for j in range(x.size):
        dx = x[j] - x0
        dy = y[j] - y0
        along = axis_ratio * (cos * dx + sin * dy)
        across = cos * dy - sin * dx
        square = along * along + across * across + _TINY
        inverse = 1.0 / np.sqrt(square)
        u[j] = along * inverse
        v[j] = across * inverse
        power = special_functions.exp(half * (log_b2 - special_functions.log(square)))
        radial[j] = 2.0 * b / (1.0 + axis_ratio) * power
    _epl_series(u, v, f, coefficients)
    for j in range(x.size):
        ax[j] += radial[j] * (cos * u[j] - sin * v[j])
        ay[j] += radial[j] * (sin * u[j] + cos * v[j])


@_kernel
def _epl_series(u, v, f, coefficients):  # type: ignore[no-untyped-def]
    r"""Multiply the unit vectors `u + i v` by the sum over :math:`c_n w^n`.

    As in `_sie_series`, :math:`w = -f e^{2 i \varphi}` and the sum is
    :math:`c_0 + w b_1 - |w|^2 b_2`; here the coefficients are given.
    """
    ff = f * f
    first, second = np.zeros(u.size), np.zeros(u.size)
    for n in range(coefficients.size - 1, 0, -1):
        for j in range(u.size):
            p = -2.0 * f * (u[j] * u[j] - v[j] * v[j])
            b = (coefficients[n] - ff * second[j]) + p * first[j]
            second[j] = first[j]
            first[j] = b
    for j in range(u.size):
        w_re = -f * (u[j] * u[j] - v[j] * v[j])
        w_im = -f * (2.0 * u[j] * v[j])
        re = 1.0 + w_re * first[j] - ff * second[j]
        im = w_im * first[j]
        u[j], v[j] = u[j] * re - v[j] * im, u[j] * im + v[j] * re


@_kernel
def add_multipole(x, y, ax, ay, order, amplitude, cos, sin, einstein_radius, x0, y0):  # type: ignore[no-untyped-def]
    r"""Isothermal multipole of order `m`: :math:`\kappa = a_m \cos m(\phi - \phi_m) / (2 r)`.

    .. math:: \psi = \frac{a_m r}{1 - m^2} \cos m(\phi - \phi_m) \quad (m \ge 2), \qquad
              \psi = \frac{a_1 r}{2} \ln\frac{r}{\theta_E} \cos(\phi - \phi_1)

    `cos` and `sin` are those of :math:`m \phi_m`. Xu et al. 2013, arXiv:1307.4220, eq. B12; for
    m = 1 the form of lenstronomy, with the same :math:`\kappa`.
    """
    u, v = np.empty(x.size), np.empty(x.size)
    re, im = np.empty(x.size), np.empty(x.size)
    for j in range(x.size):
        dx = x[j] - x0
        dy = y[j] - y0
        inverse = 1.0 / np.sqrt(dx * dx + dy * dy + _TINY)
        u[j], v[j] = dx * inverse, dy * inverse
        re[j] = cos * u[j] + sin * v[j]
        im[j] = cos * v[j] - sin * u[j]
    if order == 1:
        for j in range(x.size):
            dx = x[j] - x0
            dy = y[j] - y0
            square = max(dx * dx + dy * dy, _CENTRE) / (einstein_radius * einstein_radius)
            level = 0.5 * special_functions.log(square)
            ax[j] += 0.5 * amplitude * (cos * level + re[j] * u[j])
            ay[j] += 0.5 * amplitude * (sin * level + re[j] * v[j])
        return
    for _ in range(order - 1):
        for j in range(x.size):
            re[j], im[j] = re[j] * u[j] - im[j] * v[j], re[j] * v[j] + im[j] * u[j]
    factor = amplitude / (1.0 - order * order)
    for j in range(x.size):
        ax[j] += factor * (re[j] * u[j] + order * im[j] * v[j])
        ay[j] += factor * (re[j] * v[j] - order * im[j] * u[j])


@_kernel
def add_shear(x, y, ax, ay, gamma1, gamma2):  # type: ignore[no-untyped-def]
    r"""External shear: :math:`\alpha = (\gamma_1 x + \gamma_2 y, \gamma_2 x - \gamma_1 y)`."""
    for j in range(x.size):
        ax[j] += gamma1 * x[j] + gamma2 * y[j]
        ay[j] += gamma2 * x[j] - gamma1 * y[j]


@_kernel
def add_point_masses(x, y, ax, ay, points):  # type: ignore[no-untyped-def]
    """Point masses with the rows `x, y, einstein_radius`, four at a time with one division."""
    fours = points.shape[0] - points.shape[0] % 4
    for k in range(0, fours, 4):
        x_a, y_a, theta_a = points[k]
        x_b, y_b, theta_b = points[k + 1]
        x_c, y_c, theta_c = points[k + 2]
        x_d, y_d, theta_d = points[k + 3]
        m_a, m_b, m_c, m_d = theta_a**2, theta_b**2, theta_c**2, theta_d**2
        for j in range(x.size):
            dx_a, dx_b, dx_c, dx_d = x[j] - x_a, x[j] - x_b, x[j] - x_c, x[j] - x_d
            dy_a, dy_b, dy_c, dy_d = y[j] - y_a, y[j] - y_b, y[j] - y_c, y[j] - y_d
            norm_a, norm_b = _norm(dx_a, dy_a), _norm(dx_b, dy_b)
            norm_c, norm_d = _norm(dx_c, dy_c), _norm(dx_d, dy_d)
            norm_ab, norm_cd = norm_a * norm_b, norm_c * norm_d
            inverse = 1.0 / (norm_ab * norm_cd)
            inverse_ab, inverse_cd = norm_cd * inverse, norm_ab * inverse
            a, b = m_a * (norm_b * inverse_ab), m_b * (norm_a * inverse_ab)
            c, d = m_c * (norm_d * inverse_cd), m_d * (norm_c * inverse_cd)
            ax[j] += (a * dx_a + b * dx_b) + (c * dx_c + d * dx_d)
            ay[j] += (a * dy_a + b * dy_b) + (c * dy_c + d * dy_d)
    for k in range(fours, points.shape[0]):
        add_point_mass(x, y, ax, ay, points[k, 2], points[k, 0], points[k, 1])


@_inline
def _norm(x, y):  # type: ignore[no-untyped-def]
    return x * x + y * y + _SMALL


@_kernel
def add_point_mass(x, y, ax, ay, einstein_radius, x0, y0):  # type: ignore[no-untyped-def]
    r"""Point mass: :math:`\alpha = \theta_E^2 \, (x, y) / (x^2 + y^2)`."""
    squared = einstein_radius * einstein_radius
    for j in range(x.size):
        dx = x[j] - x0
        dy = y[j] - y0
        factor = squared / (dx * dx + dy * dy + _TINY)
        ax[j] += factor * dx
        ay[j] += factor * dy


@_kernel
def add_line_mass(x, y, ax, ay, einstein_radius, half_length, cos, sin, x0, y0):  # type: ignore[no-untyped-def]
    r"""Straight line of uniform mass from `-l` to `l`, in closed form along the line.

    .. math:: \alpha = \frac{\theta_E^2}{2 l} \int_{-l}^{l} \frac{(x - t, y)}{(x - t)^2 + y^2} dt
            = \frac{\theta_E^2}{2 l} \left(\frac{1}{2} \ln\frac{(x + l)^2 + y^2}{(x - l)^2 + y^2},
              \; \mathrm{atan2}(2 l y,\; x^2 + y^2 - l^2)\right)
    """
    factor = einstein_radius * einstein_radius / (2.0 * half_length)
    for j in range(x.size):
        dx = x[j] - x0
        dy = y[j] - y0
        u = cos * dx + sin * dy
        v = cos * dy - sin * dx
        v2 = v * v
        plus = u + half_length
        minus = u - half_length
        ratio = (plus * plus + v2 + _TINY) / (minus * minus + v2 + _TINY)
        along = 0.5 * factor * special_functions.log(ratio)
        across = factor * special_functions.atan2(2.0 * half_length * v, plus * minus + v2)
        ax[j] += cos * along - sin * across
        ay[j] += sin * along + cos * across


@_kernel
def add_line_of_points(x, y, ax, ay, einstein_radius, half_length, cos, sin, x0, y0, count):  # type: ignore[no-untyped-def]
    r"""Equal points evenly spaced on a line, the first and last at its ends.

    With :math:`z = u + i v` along the line the points at `t` and `-t` deflect by the conjugate of
    :math:`1 / (z - t) + 1 / (z + t) = 2 z / (z^2 - t^2)`, and four such pairs share a division.
    """
    share = einstein_radius * einstein_radius / count
    spacing = 2.0 * half_length / max(count - 1, 1)
    square_re, square_im = np.empty(x.size), np.empty(x.size)
    sum_re, sum_im = np.zeros(x.size), np.zeros(x.size)
    for j in range(x.size):
        dx = x[j] - x0
        dy = y[j] - y0
        u = cos * dx + sin * dy
        v = cos * dy - sin * dx
        square_re[j] = u * u - v * v
        square_im[j] = 2.0 * u * v
    t2 = (half_length - spacing * np.arange(count // 2)) ** 2
    fours = t2.size - t2.size % 4
    for k in range(0, fours, 4):
        _add_four_pairs(
            square_re, square_im, sum_re, sum_im, t2[k], t2[k + 1], t2[k + 2], t2[k + 3]
        )
    for k in range(fours, t2.size):
        for j in range(x.size):
            re, im = square_re[j] - t2[k], square_im[j]
            inverse = 1.0 / (re * re + im * im + _TINY)
            sum_re[j] += re * inverse
            sum_im[j] -= im * inverse
    for j in range(x.size):
        dx = x[j] - x0
        dy = y[j] - y0
        u = cos * dx + sin * dy
        v = cos * dy - sin * dx
        along = 2.0 * share * (u * sum_re[j] - v * sum_im[j])
        across = -2.0 * share * (u * sum_im[j] + v * sum_re[j])
        ax[j] += cos * along - sin * across
        ay[j] += sin * along + cos * across
    if count % 2 == 1:
        add_point_mass(x, y, ax, ay, np.sqrt(share), x0, y0)


@_kernel
def _add_four_pairs(square_re, square_im, sum_re, sum_im, a, b, c, d):  # type: ignore[no-untyped-def]
    """Add 1 / (z^2 - t^2) for four t^2 with one division, by products of the denominators."""
    for j in range(sum_re.size):
        im = square_im[j]
        im2 = im * im + _SMALL
        re_a, re_b = square_re[j] - a, square_re[j] - b
        re_c, re_d = square_re[j] - c, square_re[j] - d
        norm_a, norm_b = re_a * re_a + im2, re_b * re_b + im2
        norm_c, norm_d = re_c * re_c + im2, re_d * re_d + im2
        norm_ab, norm_cd = norm_a * norm_b, norm_c * norm_d
        inverse = 1.0 / (norm_ab * norm_cd)
        inverse_ab, inverse_cd = norm_cd * inverse, norm_ab * inverse
        a_part, b_part = norm_b * inverse_ab, norm_a * inverse_ab
        c_part, d_part = norm_d * inverse_cd, norm_c * inverse_cd
        sum_re[j] += (re_a * a_part + re_b * b_part) + (re_c * c_part + re_d * d_part)
        sum_im[j] -= im * ((a_part + b_part) + (c_part + d_part))


@_inline
def _tnfw_f(u):  # type: ignore[no-untyped-def]
    """The function F of the NFW profile, arccos(1/u) / sqrt(u^2 - 1) and its continuation."""
    d = u * u - 1.0
    if abs(d) < 2e-4:  # series around u = 1, error below 1e-16
        e = u - 1.0
        return 1.0 - 2.0 / 3.0 * e + 7.0 / 15.0 * e * e - 12.0 / 35.0 * e * e * e
    root = np.sqrt(abs(d))
    return np.arctan(root) / root if d > 0.0 else np.arctanh(root) / root


@_kernel
def add_tnfw(x, y, ax, ay, einstein_radius, scale_radius, truncation, x0, y0):  # type: ignore[no-untyped-def]
    r"""Truncated NFW halo, Baltz, Marshall & Oguri 2009, arXiv:0705.0682, eq. A.11.

    `truncation` is the truncation radius over the scale radius, :math:`\tau`; the Einstein radius
    is that of a point of the mass :math:`M_0 = 4 \pi \rho_0 r_s^3`.
    """
    t2 = truncation * truncation
    squared = einstein_radius * einstein_radius * t2 / (t2 + 1.0) ** 2
    for j in range(x.size):
        dx = x[j] - x0
        dy = y[j] - y0
        r2 = dx * dx + dy * dy + _TINY
        u = max(np.sqrt(r2) / scale_radius, 1e-10)
        root = np.sqrt(t2 + u * u)
        mass = (
            (t2 + 1.0 + 2.0 * (u * u - 1.0)) * _tnfw_f(u)
            + truncation * np.pi
            + (t2 - 1.0) * np.log(truncation)
            + root * (-np.pi + (t2 - 1.0) / truncation * np.log(u / (truncation + root)))
        )
        factor = squared * mass / r2
        ax[j] += factor * dx
        ay[j] += factor * dy


@_kernel
def add_sersic(x, y, flux, amplitude, radius, inverse_index, axis_ratio, cos, sin, x0, y0, b):  # type: ignore[no-untyped-def]
    r"""Sersic light, added to `flux`.

    .. math:: I = I_e \exp\left(-b \left[(R / R_e)^{1 / n} - 1\right]\right), \quad
              R = \max\left(10^{-4}, \sqrt{q x^2 + y^2 / q}\right)
    """
    major = axis_ratio / (radius * radius)
    minor = 1.0 / (axis_ratio * radius * radius)
    least = (_SOFTENING / radius) ** 2
    power = np.empty(x.size)  # of the radius, first 2 and at last 1 / n
    for j in range(x.size):
        dx = x[j] - x0
        dy = y[j] - y0
        u = cos * dx + sin * dy
        v = cos * dy - sin * dx
        power[j] = max(major * u * u + minor * v * v, least)
    if inverse_index == 1.0:
        for j in range(x.size):
            power[j] = np.sqrt(power[j])
    else:
        for j in range(x.size):
            power[j] = special_functions.exp(0.5 * inverse_index * special_functions.log(power[j]))
    for j in range(x.size):
        flux[j] += amplitude * special_functions.exp(b - b * power[j])
