r"""The smooth lens and its exact derivatives, compiled into one pass over the pixels.

An elliptical power law with shear in front of one elliptical Sersic source, Sersic light of the
lens, and, for the fit of a vortex, one line of mass. The deflections are those of
`darklens.modelling.deflections`. Ellipticities are Cartesian,
:math:`e = \frac{1 - q}{1 + q} e^{2 i \phi}`, so nothing is singular where a profile is round. A
Sersic profile depends on

.. math:: r^2 = \frac{(1 + |e|^2)(x^2 + y^2) - 2 e_1 (x^2 - y^2) - 4 e_2 x y}{1 - |e|^2}

In the compiled functions `p` is a parameter vector and `row_of` gives for each parameter its row in
the Jacobian, or -1 where it is fixed; both are indexed by `Parameter`, see
`darklens.modelling.parameters`.
"""

from enum import IntEnum
from typing import Any

import numpy as np
from numba import njit

from darklens.lensing import special_functions
from darklens.lensing.grid import PixelGrid
from darklens.lensing.kernels import add_epl, add_line_mass, add_sersic, add_shear, add_sie
from darklens.lensing.special_functions import FASTMATH
from darklens.modelling.deflections import PARAMETER_OF, Deflection, X, Y, line_of_mass, power_law
from darklens.modelling.parameters import LightParameter, Parameter

__all__ = [
    "LightRow",
    "power_law_rays",
    "render_light",
    "render_smooth",
    "sersic_rays",
    "spread_light",
    "trace_smooth",
]

_kernel: Any = njit(fastmath=FASTMATH, error_model="numpy", nogil=True, cache=True)
_SOFTENING2 = 1e-8


class LightRow(IntEnum):
    """Rows of the light buffer (row, ray): the brightness and its derivatives."""

    BRIGHTNESS = 0
    BY_X = 1
    BY_Y = 2
    BY_E1 = 3
    BY_E2 = 4
    BY_LOG_RADIUS = 5
    BY_SERSIC_INDEX = 6


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
        out[LightRow.BRIGHTNESS, j] = light
        out[LightRow.BY_X, j] = (
            slope * 2.0 * inverse * ((1.0 + square) * dx - 2.0 * (e1 * dx + e2 * dy))
        )
        out[LightRow.BY_Y, j] = (
            slope * 2.0 * inverse * ((1.0 + square) * dy - 2.0 * (e2 * dx - e1 * dy))
        )
        out[LightRow.BY_E1, j] = slope * 2.0 * inverse * (e1 * rho2 - a + e1 * r2)
        out[LightRow.BY_E2, j] = slope * 2.0 * inverse * (e2 * rho2 - c + e2 * r2)
        out[LightRow.BY_LOG_RADIUS, j] = steep * 2.0 * half
        out[LightRow.BY_SERSIC_INDEX, j] = (
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
            along, across = alpha[Deflection.LENS, X, j], alpha[Deflection.LENS, Y, j]
            values[j] = (
                -(light[LightRow.BY_X, j] * along + light[LightRow.BY_Y, j] * across) / theta
            )
        _add(target, row_of, Parameter.EINSTEIN_RADIUS, values, weight)
    for k in range(Deflection.LENS_E1, alpha.shape[0]):
        parameter = PARAMETER_OF[k]
        if row_of[parameter] >= 0:
            for j in range(x.size):
                along, across = alpha[k, X, j], alpha[k, Y, j]
                values[j] = -(light[LightRow.BY_X, j] * along + light[LightRow.BY_Y, j] * across)
            _add(target, row_of, parameter, values, weight)
    if row_of[Parameter.GAMMA1] >= 0:
        for j in range(x.size):
            values[j] = light[LightRow.BY_Y, j] * y[j] - light[LightRow.BY_X, j] * x[j]
        _add(target, row_of, Parameter.GAMMA1, values, weight)
    if row_of[Parameter.GAMMA2] >= 0:
        for j in range(x.size):
            values[j] = -light[LightRow.BY_X, j] * y[j] - light[LightRow.BY_Y, j] * x[j]
        _add(target, row_of, Parameter.GAMMA2, values, weight)


@_kernel
def _add_light(target, row_of, first, light, weight):  # type: ignore[no-untyped-def]
    """Add the derivatives with respect to a Sersic profile whose parameters begin at `first`."""
    _add(target, row_of, first + LightParameter.X, light[LightRow.BY_X], -weight)
    _add(target, row_of, first + LightParameter.Y, light[LightRow.BY_Y], -weight)
    _add(target, row_of, first + LightParameter.E1, light[LightRow.BY_E1], weight)
    _add(target, row_of, first + LightParameter.E2, light[LightRow.BY_E2], weight)
    _add(target, row_of, first + LightParameter.LOG_RADIUS, light[LightRow.BY_LOG_RADIUS], weight)
    _add(
        target, row_of, first + LightParameter.SERSIC_INDEX, light[LightRow.BY_SERSIC_INDEX], weight
    )
    _add(target, row_of, first + LightParameter.LOG_AMPLITUDE, light[LightRow.BRIGHTNESS], weight)


@_kernel
def render_smooth(  # type: ignore[no-untyped-def]
    jacobian, scale, samples, p, row_of, source_b, source_db, light_b, light_db, lens_light
):
    """Derivatives of the flux of each pixel before the PSF.

    Args:
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
    _, rows, columns = jacobian.shape
    x, y, bx, by = np.empty(columns), np.empty(columns), np.empty(columns), np.empty(columns)
    alpha, light = np.zeros((len(PARAMETER_OF), 2, columns)), np.empty((7, columns))
    gamma1, gamma2 = p[Parameter.GAMMA1], p[Parameter.GAMMA2]
    theta = p[Parameter.EINSTEIN_RADIUS] / (p[Parameter.LENS_SLOPE] - 1.0)
    strength = p[Parameter.LINE_STRENGTH]
    line = strength != 0.0 or row_of[Parameter.LINE_STRENGTH] >= 0
    values = np.empty(columns)
    weight = scale * scale / (samples * samples)
    jacobian[:] = 0.0
    for i in range(rows):
        target = jacobian[:, i]
        for s in range(samples * samples):
            for j in range(columns):
                x[j] = (j - 0.5 * (columns - 1) + (s % samples + 0.5) / samples - 0.5) * scale
                y[j] = (i - 0.5 * (rows - 1) + (s // samples + 0.5) / samples - 0.5) * scale
            power_law(x, y, p, row_of, alpha)
            for j in range(columns):
                bx[j] = x[j] - alpha[Deflection.LENS, X, j] - gamma1 * x[j] - gamma2 * y[j]
                by[j] = y[j] - alpha[Deflection.LENS, Y, j] - gamma2 * x[j] + gamma1 * y[j]
            if line:
                line_of_mass(x, y, p, alpha)
                for j in range(columns):
                    bx[j] -= strength * alpha[Deflection.LINE, X, j]
                    by[j] -= strength * alpha[Deflection.LINE, Y, j]
            _sersic(bx, by, p, Parameter.SOURCE_X, source_b, source_db, light)
            _add_mass(target, row_of, x, y, alpha, light, values, theta, weight)
            _add_light(target, row_of, Parameter.SOURCE_X, light, weight)
            if lens_light:
                _sersic(x, y, p, Parameter.LENS_LIGHT_X, light_b, light_db, light)
                _add_light(target, row_of, Parameter.LENS_LIGHT_X, light, weight)


@_kernel
def spread_light(jacobian, scale, p, row_of, light):  # type: ignore[no-untyped-def]
    """Derivatives of any light behind the lens, one ray to a pixel, before the PSF.

    Args:
        jacobian: Output, (free parameters, rows, columns).
        scale: Side of a pixel [arcsec].
        p: Parameter vector.
        row_of: Row of each parameter in `jacobian`, or -1.
        light: The light and its derivatives where each ray meets the source plane, (rows,
            `LightRow`, columns) [flux / pixel].
    """
    _, rows, columns = jacobian.shape
    x, y = np.empty(columns), np.empty(columns)
    alpha, values = np.zeros((len(PARAMETER_OF), 2, columns)), np.empty(columns)
    theta = p[Parameter.EINSTEIN_RADIUS] / (p[Parameter.LENS_SLOPE] - 1.0)
    jacobian[:] = 0.0
    for i in range(rows):
        for j in range(columns):
            x[j] = (j - 0.5 * (columns - 1)) * scale
            y[j] = (i - 0.5 * (rows - 1)) * scale
        power_law(x, y, p, row_of, alpha)
        if row_of[Parameter.LINE_STRENGTH] >= 0:
            line_of_mass(x, y, p, alpha)
        _add_mass(jacobian[:, i], row_of, x, y, alpha, light[i], values, theta, 1.0)
        _add_light(jacobian[:, i], row_of, Parameter.SOURCE_X, light[i], 1.0)


@_kernel
def _add_sersic(x, y, flux, p, first, b):  # type: ignore[no-untyped-def]
    """Add the light of the Sersic profile whose parameters begin at `first`."""
    e1, e2 = p[first + LightParameter.E1], p[first + LightParameter.E2]
    e, angle = np.sqrt(e1 * e1 + e2 * e2), 0.5 * np.arctan2(e2, e1)
    add_sersic(
        x,
        y,
        flux,
        np.exp(p[first + LightParameter.LOG_AMPLITUDE]),
        np.exp(p[first + LightParameter.LOG_RADIUS]),
        1.0 / p[first + LightParameter.SERSIC_INDEX],
        (1.0 - e) / (1.0 + e),
        np.cos(angle),
        np.sin(angle),
        p[first + LightParameter.X],
        p[first + LightParameter.Y],
        b,
    )


@_kernel
def render_light(image, scale, samples, p, source_b, light_b, lens_light):  # type: ignore[no-untyped-def]
    """Flux of each pixel before the PSF.

    Args:
        image: Output, (rows, columns) [flux / pixel].
        scale: Side of a pixel [arcsec].
        samples: Rays along each side of a pixel.
        p: Parameter vector.
        source_b: Sersic constant b of the source.
        light_b: Sersic constant b of the lens light.
        lens_light: Whether the lens galaxy emits light.
    """
    rows, columns = image.shape
    x, y, bx, by = np.empty(columns), np.empty(columns), np.empty(columns), np.empty(columns)
    ax, ay, flux = np.empty(columns), np.empty(columns), np.empty(columns)
    e1, e2 = p[Parameter.LENS_E1], p[Parameter.LENS_E2]
    e, angle = np.sqrt(e1 * e1 + e2 * e2), 0.5 * np.arctan2(e2, e1)
    q, cos, sin = (1.0 - e) / (1.0 + e), np.cos(angle), np.sin(angle)
    theta, slope = p[Parameter.EINSTEIN_RADIUS], p[Parameter.LENS_SLOPE]
    x0, y0 = p[Parameter.LENS_X], p[Parameter.LENS_Y]
    strength, half_length = p[Parameter.LINE_STRENGTH], np.exp(p[Parameter.LINE_LOG_HALF_LENGTH])
    line_cos, line_sin = np.cos(p[Parameter.LINE_ANGLE]), np.sin(p[Parameter.LINE_ANGLE])
    line_x, line_y = p[Parameter.LINE_X], p[Parameter.LINE_Y]
    weight = scale * scale / (samples * samples)
    for i in range(rows):
        flux[:] = 0.0
        for s in range(samples * samples):
            for j in range(columns):
                x[j] = (j - 0.5 * (columns - 1) + (s % samples + 0.5) / samples - 0.5) * scale
                y[j] = (i - 0.5 * (rows - 1) + (s // samples + 0.5) / samples - 0.5) * scale
            ax[:], ay[:] = 0.0, 0.0
            if slope == 2.0:
                add_sie(x, y, ax, ay, theta, q, cos, sin, x0, y0)
            else:
                add_epl(x, y, ax, ay, theta, slope, q, cos, sin, x0, y0)
            add_shear(x, y, ax, ay, p[Parameter.GAMMA1], p[Parameter.GAMMA2])
            for j in range(columns):
                bx[j], by[j] = x[j] - ax[j], y[j] - ay[j]
            if strength != 0.0:
                ax[:], ay[:] = 0.0, 0.0
                add_line_mass(x, y, ax, ay, 1.0, half_length, line_cos, line_sin, line_x, line_y)
                for j in range(columns):
                    bx[j] -= strength * ax[j]
                    by[j] -= strength * ay[j]
            _add_sersic(bx, by, flux, p, Parameter.SOURCE_X, source_b)
            if lens_light:
                _add_sersic(x, y, flux, p, Parameter.LENS_LIGHT_X, light_b)
        for j in range(columns):
            image[i, j] = weight * flux[j]


@_kernel
def _trace(x, y, p, row_of, alpha):  # type: ignore[no-untyped-def]
    """Replace the rays at `x`, `y` by where they meet the source plane; the line is left out."""
    gamma1, gamma2 = p[Parameter.GAMMA1], p[Parameter.GAMMA2]
    power_law(x, y, p, row_of, alpha)
    for j in range(x.size):
        along, across = x[j], y[j]
        x[j] = along - alpha[Deflection.LENS, X, j] - gamma1 * along - gamma2 * across
        y[j] = across - alpha[Deflection.LENS, Y, j] - gamma2 * along + gamma1 * across


def trace_smooth(
    shape: tuple[int, int], scale: float, parameters: Any, *, line: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Where the rays of the pixel centres meet the source plane, x and y [arcsec].

    Args:
        shape: Rows and columns.
        scale: Side of a pixel [arcsec].
        parameters: Parameter vector.
        line: Whether its line of mass deflects, too.
    """
    x, y = (c.ravel() for c in PixelGrid(shape, scale).coordinates())
    alpha = np.zeros((len(PARAMETER_OF), 2, x.size))
    strength = parameters[Parameter.LINE_STRENGTH] if line else 0.0
    if strength:
        line_of_mass(x, y, parameters, alpha)
    bent = strength * alpha[Deflection.LINE]
    _trace(x, y, parameters, np.full(len(Parameter), -1), alpha)
    x -= bent[X]
    y -= bent[Y]
    return x.reshape(shape), y.reshape(shape)


def power_law_rays(x: Any, y: Any, parameters: Any) -> Any:
    """Deflection of the lens at some rays, and its derivatives.

    Args:
        x: Coordinates of the rays [arcsec], 1-d.
        y: Coordinates of the rays [arcsec], 1-d.
        parameters: Parameter vector.

    Returns:
        Entries `LENS` to `LENS_SLOPE` of `Deflection`, each with both components, for each ray.
    """
    alpha = np.zeros((Deflection.LENS_SLOPE + 1, 2, x.size))
    power_law(x, y, parameters, np.zeros(len(Parameter), dtype=np.int64), alpha)
    return alpha


def sersic_rays(x: Any, y: Any, parameters: Any, first: int, b: float, b_slope: float) -> Any:
    """Sersic light at some rays, and its derivatives.

    Args:
        x: Coordinates of the rays [arcsec], 1-d.
        y: Coordinates of the rays [arcsec], 1-d.
        parameters: Parameter vector.
        first: Its first parameter of the profile.
        b: Sersic constant b.
        b_slope: Its derivative db/dn.

    Returns:
        The rows of `LightRow` for each ray.
    """
    out = np.empty((len(LightRow), x.size))
    _sersic(x, y, parameters, first, b, b_slope, out)
    return out
