r"""Substructure as a fixed number of point masses in a frame of its own.

Subhalos of few pixels and rows of masses act on an image as point masses do. Their total mass,
centre, direction and size are taken out first: with the mass fractions :math:`w_k` and places
:math:`x_k`, the centre is :math:`c = \sum w_k x_k`, the direction :math:`\phi` that of the longest
axis of the second moments, and the size :math:`\ell^2 = \sum w_k |x_k - c|^2`. What remains are
places :math:`(u_k, v_k)` in units of the size, along and across the axis. A line of mass has
:math:`v = 0` in this frame wherever it lies.

Too many masses are merged in pairs, those first whose merging changes the second moments least
(Ward 1963, J. Am. Stat. Assoc. 58, 236); too few are split in halves at the same place, the
heaviest first. Neither changes the total mass or the centre.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from darklens.errors import BadPreset
from darklens.lensing.substructure import Perturbers

__all__ = ["MassFrame", "framed_masses", "placed_masses", "points_of"]

Rows = Float[np.ndarray, "_ 3"]

_CONTINUOUS = 64  # points that stand for a continuous line
_DIGITS = 7  # so that a straight line is straight
_SMALLEST_SIZE = 0.01  # arcsec, for masses at one place


@dataclass(frozen=True)
class MassFrame:
    """The frame of a set of masses.

    Args:
        einstein_radius: Einstein radius of the total mass [arcsec]; 0 without substructure.
        x: Centre of mass [arcsec].
        y: Centre of mass [arcsec].
        size: Root mean square distance from the centre [arcsec].
        angle: Direction of the longest axis [rad], which is the same half a turn on.
    """

    einstein_radius: float = 0.0
    x: float = 0.0
    y: float = 0.0
    size: float = 1.0
    angle: float = 0.0


def points_of(perturbers: Perturbers) -> Rows:
    """Point masses of the perturbers, rows `x, y, einstein_radius` [arcsec].

    Raises:
        BadPreset: If there are extended halos, which are no point masses.
    """
    if len(perturbers.halos):
        raise BadPreset("extended halos cannot be described as point masses")
    rows = [perturbers.points]
    for x, y, angle, half_length, theta, count in perturbers.lines:
        number = int(count) or _CONTINUOUS
        along = np.linspace(-half_length, half_length, number) if number > 1 else np.zeros(1)
        radius = np.full(number, theta / np.sqrt(number))
        rows.append(np.array([x + along * np.cos(angle), y + along * np.sin(angle), radius]).T)
    return np.concatenate(rows)


def framed_masses(points: Rows, count: int) -> tuple[MassFrame, Rows]:
    """The frame of some point masses, and exactly `count` of them in it.

    Args:
        points: Rows `x, y, einstein_radius` [arcsec].
        count: Number of masses that remain.

    Returns:
        The frame, and rows of `u, v` and the mass fraction, in the order of `u`. Without
        substructure all rows are zero.
    """
    mass = points[:, 2] ** 2
    total = float(mass.sum())
    if not total > 0:
        return MassFrame(), np.zeros((count, 3))
    fraction = mass / total
    x, y = fraction @ points[:, :2]
    offset = points[:, :2] - (x, y)
    moments = (fraction[:, None] * offset).T @ offset
    angle = 0.5 * np.arctan2(2 * moments[0, 1], moments[0, 0] - moments[1, 1])
    c, s = np.cos(angle), np.sin(angle)
    along, across = offset @ (c, s), offset @ (-s, c)
    rows = _split(_merged(np.column_stack([along, across, fraction]), count), count)
    size = max(float(np.sqrt(rows[:, 2] @ np.square(rows[:, :2]).sum(axis=1))), _SMALLEST_SIZE)
    rows[:, :2] = np.round(rows[:, :2] / size, _DIGITS)
    frame = MassFrame(float(np.sqrt(total)), float(x), float(y), size, float(angle))
    return frame, rows[np.argsort(rows[:, 0], kind="stable")]


def placed_masses(frame: MassFrame, rows: Rows) -> Perturbers:
    """Point masses on the sky, of the mass, centre and size of their frame.

    Mass fractions are scaled to a sum of one, places moved and scaled to the frame's centre and
    size.

    Args:
        frame: The frame.
        rows: Rows of `u, v` and the mass fraction.
    """
    total = float(rows[:, 2].sum())
    if not (frame.einstein_radius > 0 and total > 0):
        return Perturbers()
    c, s = np.cos(frame.angle), np.sin(frame.angle)
    fraction = rows[:, 2] / total
    places = rows[:, :2] - fraction @ rows[:, :2]
    square = float(fraction @ np.square(places).sum(axis=1))
    u, v = places.T * (frame.size / np.sqrt(square) if square > 0 else 0.0)
    radius = frame.einstein_radius * np.sqrt(fraction)
    return Perturbers(
        points=np.column_stack([frame.x + c * u - s * v, frame.y + s * u + c * v, radius])
    )


def _merged(rows: Rows, count: int) -> Rows:
    """At most `count` masses."""
    rows = rows[rows[:, 2] > 0]
    cost = np.array([_costs(rows, k) for k in range(len(rows))])
    alive = np.full(len(rows), True)
    for _ in range(len(rows) - count):
        i, j = np.unravel_index(cost.argmin(), cost.shape)
        total = rows[i, 2] + rows[j, 2]
        rows[i, :2] = (rows[i, 2] * rows[i, :2] + rows[j, 2] * rows[j, :2]) / total
        rows[i, 2] = total
        alive[j] = False
        cost[j], cost[:, j] = np.inf, np.inf
        changed = np.where(alive, _costs(rows, int(i)), np.inf)
        cost[i], cost[:, i] = changed, changed
    return np.asarray(rows[alive])


def _costs(rows: Rows, k: int) -> Float[np.ndarray, " n"]:
    """Second moment that is lost when mass `k` is merged with each other one."""
    square = np.square(rows[:, :2] - rows[k, :2]).sum(axis=1)
    costs = square * rows[:, 2] * rows[k, 2] / (rows[:, 2] + rows[k, 2])
    costs[k] = np.inf
    return np.asarray(costs)


def _split(rows: Rows, count: int) -> Rows:
    """At least `count` masses."""
    while len(rows) < count:
        heaviest = int(rows[:, 2].argmax())
        rows[heaviest, 2] /= 2
        rows = np.vstack([rows, rows[heaviest]])
    return rows
