"""A map on evenly spaced nodes as a smooth function of the place, with its gradient.

Cubic B-splines with coefficients by `scipy.ndimage.spline_filter`; value and gradient come in one
pass over the places.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numba import njit
from scipy import ndimage

from darklens.lensing.special_functions import FASTMATH

__all__ = ["CubicSpline"]

Places = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class CubicSpline:
    """A bicubic spline on a square.

    Attributes:
        coefficients: Of the B-splines, with two more on each side than there are nodes.
        corner: Place x, y of the first node.
        step: Distance between nodes.
    """

    coefficients: Float[np.ndarray, "q q"]
    corner: tuple[float, float]
    step: float

    @classmethod
    def through(
        cls, nodes: Float[np.ndarray, "g g"], centre: tuple[float, float], half_width: float
    ) -> "CubicSpline":
        """The spline through a map whose nodes reach from edge to edge, rows along y.

        Args:
            nodes: The map.
            centre: Middle of the square x, y.
            half_width: Half its side.
        """
        padded = np.pad(nodes, _BEYOND, mode="reflect")
        coefficients = ndimage.spline_filter(padded, order=3, mode="mirror")
        step = 2 * half_width / (len(nodes) - 1)
        corner = centre[0] - half_width, centre[1] - half_width
        return cls(np.ascontiguousarray(coefficients), corner, float(step))

    def at(self, x: Places, y: Places) -> tuple[Places, Places, Places]:
        """Value at some places, and its derivatives along x and y; 0 off the square."""
        out = np.zeros((3, x.size))
        _evaluate(self.coefficients, x, y, *self.corner, self.step, _BEYOND, out)
        return out[0], out[1], out[2]


_BEYOND = 2
_kernel: Any = njit(fastmath=FASTMATH, error_model="numpy", nogil=True, cache=True)


@_kernel
def _weights(t, weight, slope):  # type: ignore[no-untyped-def]
    """Weights of four neighbouring coefficients at a share t of a step, and their derivatives."""
    u = 1.0 - t
    weight[0] = u * u * u / 6.0
    weight[1] = 2.0 / 3.0 - t * t + 0.5 * t * t * t
    weight[2] = 2.0 / 3.0 - u * u + 0.5 * u * u * u
    weight[3] = t * t * t / 6.0
    slope[0] = -0.5 * u * u
    slope[1] = 1.5 * t * t - 2.0 * t
    slope[2] = 2.0 * u - 1.5 * u * u
    slope[3] = 0.5 * t * t


@_kernel
def _evaluate(c, x, y, x0, y0, step, beyond, out):  # type: ignore[no-untyped-def]
    last = c.shape[0] - 2 * beyond - 1
    wx, sx, wy, sy = np.empty(4), np.empty(4), np.empty(4), np.empty(4)
    for k in range(x.size):
        u, v = (x[k] - x0) / step, (y[k] - y0) / step
        if not (0.0 <= u <= last and 0.0 <= v <= last):
            continue
        i, j = min(int(v), last - 1), min(int(u), last - 1)
        _weights(u - j, wx, sx)
        _weights(v - i, wy, sy)
        value, by_x, by_y = 0.0, 0.0, 0.0
        for a in range(4):
            row, slope = 0.0, 0.0
            for b in range(4):
                one = c[i + beyond - 1 + a, j + beyond - 1 + b]
                row += wx[b] * one
                slope += sx[b] * one
            value += wy[a] * row
            by_x += wy[a] * slope
            by_y += sy[a] * row
        out[0, k] = value
        out[1, k] = by_x / step
        out[2, k] = by_y / step
