r"""Orthogonal matching pursuit: point masses added one after the other to explain a residual.

At each step the position where a positive mass is most significant is added, and the masses of all
positions so far are fitted together. A few heavy subhalos are explained by as many points; a vortex
leaves a row of them. Everything is linear about the fit, as in `darklens.modelling.matched_filter`:
with the marginalised residual `z`, the projection `M` and the change :math:`\tau_p` of the image by
a unit mass at `p`, point `k` lowers chi-square by :math:`U_k^2 / V_k`, where

.. math:: U_k = \tau_k^T z_k, \qquad V_k = \tau_k^T w_k, \qquad
          w_k = M \tau_k - \sum_{i < k} w_i \frac{w_i^T \tau_k}{V_i}, \qquad
          z_{k + 1} = z_k - w_k \frac{U_k}{V_k}

References:
    Pati, Rezaiifar & Krishnaprasad 1993, Asilomar Conference on Signals, Systems and Computers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32
from scipy.linalg import solve_triangular

from darklens.modelling.matched_filter import MatchedFilters, SignificanceMaps

__all__ = ["PointPursuit", "pursue_points"]

Map = Float32[np.ndarray, "i j"]

_LEAST_SHARE = 1e-2  # of the power of a position, once other points are explained


@dataclass(frozen=True)
class PointPursuit:
    """Point masses that together explain a residual.

    Attributes:
        gains: What each lowers chi-square by, in the order in which they were added.
        strengths: Their strengths when fitted together, squares of Einstein radii [arcsec^2].
        positions: Row and column of each on the map.
        strength_map: The strengths on the map; 0 where there is no point.
        residual: What all of them leave.
        significance: Significance of a further point mass at each position.
    """

    gains: Float[np.ndarray, " k"]
    strengths: Float[np.ndarray, " k"]
    positions: tuple[tuple[int, int], ...]
    strength_map: Map
    residual: Float32[np.ndarray, "h w"]
    significance: Map


def pursue_points(
    filters: MatchedFilters,
    residual: Float32[np.ndarray, "h w"],
    sensitivity: Float32[np.ndarray, "2 h w"],
    basis: Float32[np.ndarray, "k h w"],
    maps: SignificanceMaps,
    *,
    count: int,
) -> PointPursuit:
    """Explain a residual by point masses.

    Args:
        filters: The filters that made the maps.
        residual: Residual in units of the noise, with everything else marginalised.
        sensitivity: Derivative of the image with respect to an extra deflection [noise / arcsec].
        basis: Root of the projection.
        maps: Output of the filters for these.
        count: Largest number of points; fewer where no further mass explains anything.
    """
    power, pull = np.square(maps.depth), maps.point * maps.depth
    least = _LEAST_SHARE * power
    left = residual.copy()
    points: list[_Point] = []
    gains: list[float] = []
    while len(points) < count:
        significance = pull / np.sqrt(power)
        row, column = np.unravel_index(int(significance.argmax()), significance.shape)
        place = (int(row), int(column))
        if significance[place] <= 0 or any(place == point.place for point in points):
            break
        change = filters.response(place, sensitivity)
        change -= np.tensordot(np.tensordot(basis, change, 2), basis, 1)
        for point in points:
            change -= point.change * (point.overlap[place] / point.power)
        overlap = filters.overlap(change, sensitivity)
        own = max(float(overlap[place]), float(least[place]))
        amplitude = float(pull[place]) / own
        points.append(_Point(place, change, overlap, own, amplitude))
        gains.append(amplitude**2 * own)
        left -= np.float32(amplitude) * change
        pull = pull - np.float32(amplitude) * overlap
        power = np.maximum(power - np.square(overlap) / np.float32(own), least)
    strengths = _together(points)
    strength_map = np.zeros_like(pull)
    for point, strength in zip(points, strengths, strict=True):
        strength_map[point.place] = strength
    return PointPursuit(
        np.array(gains),
        strengths,
        tuple(point.place for point in points),
        strength_map,
        left,
        pull / np.sqrt(power),
    )


@dataclass(frozen=True)
class _Point:
    r"""One point: where it is, its part of the change that is new, and how much of it.

    Attributes:
        place: Row and column.
        change: `w`.
        overlap: :math:`w^T \tau_p` at each position.
        power: `V`.
        amplitude: `U / V`.
    """

    place: tuple[int, int]
    change: Float32[np.ndarray, "h w"]
    overlap: Map
    power: float
    amplitude: float


def _together(points: Sequence[_Point]) -> Float[np.ndarray, " k"]:
    """Strengths of the points, from the amplitudes of their new parts."""
    mixing = np.eye(len(points))
    for i, point in enumerate(points):
        for k, later in enumerate(points[i + 1 :], i + 1):
            mixing[i, k] = point.overlap[later.place] / point.power
    return np.asarray(solve_triangular(mixing, np.array([p.amplitude for p in points])))
