"""Point masses in their own frame: moments are kept, lines are straight, too many are merged."""

import numpy as np
import pytest

from darklens.errors import BadPreset
from darklens.lensing import Perturbers
from darklens.modelling.point_masses import (
    MassFrame,
    framed_masses,
    placed_masses,
    points_of,
)


def some(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [rng.normal(0.3, 1, count), rng.normal(-0.2, 0.5, count), rng.uniform(0.01, 0.1, count)]
    )


def moments(points: np.ndarray) -> tuple[float, np.ndarray]:
    """Total mass and centre."""
    mass = points[:, 2] ** 2
    return float(mass.sum()), mass @ points[:, :2] / mass.sum()


@pytest.mark.parametrize("count", [5, 12, 20])
def test_total_mass_and_centre_are_kept(count: int) -> None:
    points = some(12)
    frame, rows = framed_masses(points, count)
    assert rows.shape == (count, 3)
    assert np.all(np.diff(rows[:, 0]) >= 0)
    back = placed_masses(frame, rows).points
    for ours, theirs in zip(moments(back), moments(points), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_enough_masses_come_back_where_they_were() -> None:
    points = some(6)
    back = placed_masses(*framed_masses(points, 6)).points
    order = [np.argsort(rows[:, 2]) for rows in (back, points)]
    np.testing.assert_allclose(back[order[0]], points[order[1]], atol=1e-6)


def test_the_frame_has_the_last_word() -> None:
    frame = MassFrame(0.3, 1.0, -2.0, 0.5, 0.7)
    rows = np.column_stack([*np.random.default_rng(0).normal(3, 2, (2, 9)), np.ones(9)])
    again, _ = framed_masses(placed_masses(frame, rows).points, 9)
    assert again.einstein_radius == pytest.approx(0.3)
    assert (again.x, again.y, again.size) == pytest.approx((1, -2, 0.5))


def test_the_frame_is_that_of_the_moments() -> None:
    frame, rows = framed_masses(some(40), 40)
    weight = rows[:, 2]
    u, v = rows[:, 0], rows[:, 1]
    assert weight.sum() == pytest.approx(1)
    assert weight @ u == pytest.approx(0, abs=1e-6)
    assert weight @ (u * v) == pytest.approx(0, abs=1e-6)
    assert weight @ (u**2 + v**2) == pytest.approx(1, abs=1e-6)
    assert weight @ u**2 > weight @ v**2
    assert frame.size > 0


@pytest.mark.parametrize("points", [0, 1, 50])
def test_a_line_lies_along_its_axis(points: int) -> None:
    line = Perturbers(lines=np.array([[0.4, -0.7, 2.0, 0.9, 0.2, points]]))
    frame, rows = framed_masses(points_of(line), 8)
    assert (frame.x, frame.y) == pytest.approx((0.4, -0.7))
    assert frame.einstein_radius == pytest.approx(0.2)
    np.testing.assert_allclose(rows[:, 1], 0, atol=0)
    if points != 1:
        assert np.tan(frame.angle) == pytest.approx(np.tan(2.0))
        spacing = 2 * 0.9 / ((points or 64) - 1)
        assert frame.size == pytest.approx(np.hypot(0.9, spacing) / 3**0.5, rel=0.05)


def test_neighbours_are_merged_first() -> None:
    points = np.array([[0.0, 0, 0.1], [0.01, 0, 0.1], [1.0, 0, 0.1], [2.0, 0, 0.1]])
    back = placed_masses(*framed_masses(points, 3)).points
    np.testing.assert_allclose(np.sort(back[:, 0]), [0.005, 1, 2], atol=1e-6)
    assert back[:, 2].max() == pytest.approx(0.1 * 2**0.5)


def test_no_substructure_has_an_empty_frame() -> None:
    frame, rows = framed_masses(points_of(Perturbers()), 4)
    assert frame == MassFrame()
    assert not rows.any()
    assert len(placed_masses(frame, rows).points) == 0
    assert len(placed_masses(MassFrame(einstein_radius=0.1), rows).points) == 0


def test_halos_are_refused() -> None:
    halo = Perturbers(halos=np.array([[0.0, 0, 0.1, 5, 0.1]]))
    with pytest.raises(BadPreset, match="extended halos"):
        points_of(halo)
