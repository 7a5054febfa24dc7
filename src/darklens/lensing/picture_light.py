r"""Light given as a picture: the pixels of a galaxy, interpolated by cubic B-splines.

With the coefficients :math:`c_{ij}` of a picture, the surface brightness at column `u` and row `v`
(whole numbers at pixel centres) is

.. math:: I = \frac{F}{s^2} \max\Big(0, \sum_{ij} c_{ij} \, B(v - i) \, B(u - j)\Big),

where `B` is the cubic B-spline, `F` the flux and `s` the size of a pixel on the sky. It has
continuous second derivatives, so that no pixels are seen in a magnified arc, and it is zero beyond
the picture. Unser 1999, IEEE Signal Processing Magazine 16 (6), 22.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from numba import njit

from darklens.lensing.special_functions import FASTMATH

__all__ = ["PictureLight"]

Rays = Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class PictureLight:
    """A picture of a galaxy on the sky.

    Args:
        spline: B-spline coefficients; the spline adds up to one over the pixels.
        flux: Total flux [flux].
        pixel_scale: Size of a pixel of the picture on the sky [arcsec].
        column: Place in the picture that lies at `x`, `y` [pixel].
        row: The same along the other axis [pixel].
        rotation: Direction of the picture's rows on the sky [rad].
        x: Place on the sky [arcsec].
        y: Place on the sky [arcsec].
    """

    spline: Float32[np.ndarray, "h w"]
    flux: float
    pixel_scale: float
    column: float
    row: float
    rotation: float = 0.0
    x: float = 0.0
    y: float = 0.0

    def brightness(
        self, x: Float[np.ndarray, "..."], y: Float[np.ndarray, "..."]
    ) -> Float[np.ndarray, "..."]:
        """Surface brightness at the coordinates `x`, `y` [flux / arcsec^2]."""
        flat_x, flat_y = (np.ascontiguousarray(c, dtype=np.float64).ravel() for c in (x, y))
        light = np.zeros(flat_x.size)
        self.add(flat_x, flat_y, light)
        return light.reshape(np.shape(x))

    def add(self, x: Rays, y: Rays, light: Rays, weight: float = 1.0) -> None:
        """Add `weight` times the surface brightness at `x`, `y` to `light`."""
        _add_picture(
            x,
            y,
            light,
            self.spline,
            weight * self.flux / self.pixel_scale**2,
            float(np.cos(self.rotation)) / self.pixel_scale,
            float(np.sin(self.rotation)) / self.pixel_scale,
            self.x,
            self.y,
            self.column,
            self.row,
        )


_inline: Any = njit(fastmath=FASTMATH, error_model="numpy", inline="always")
_kernel: Any = njit(fastmath=FASTMATH, error_model="numpy", nogil=True, cache=True)


@_inline
def _weights(t):  # type: ignore[no-untyped-def]
    """The four B-splines that are not zero at `t` in [0, 1) behind a pixel centre."""
    rest = 1.0 - t
    square, cube = t * t, t * t * t
    return (
        rest * rest * rest / 6.0,
        (3.0 * cube - 6.0 * square + 4.0) / 6.0,
        (3.0 * (square + t - cube) + 1.0) / 6.0,
        cube / 6.0,
    )


@_kernel
def _add_picture(x, y, light, spline, factor, cos, sin, x0, y0, column, row):  # type: ignore[no-untyped-def]
    """Add the light of a picture; `cos` and `sin` are over the size of a pixel."""
    rows, columns = spline.shape
    for j in range(x.size):
        dx, dy = x[j] - x0, y[j] - y0
        u = cos * dx + sin * dy + column
        v = cos * dy - sin * dx + row
        if u < 1.0 or v < 1.0 or u >= columns - 2.0 or v >= rows - 2.0:
            continue
        k, i = int(u), int(v)
        a, b, c, d = _weights(u - k)
        down = _weights(v - i)
        total = 0.0
        for m in range(4):
            line = spline[i - 1 + m]
            total += down[m] * (a * line[k - 1] + b * line[k] + c * line[k + 1] + d * line[k + 2])
        light[j] += factor * max(total, 0.0)
