"""The envelope between its nodes."""

import numpy as np
import pytest
from scipy.interpolate import RectBivariateSpline

from darklens.detection.cubic_spline import CubicSpline

CENTRE, HALF = (0.1, -0.2), 0.5


def _map(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.exp(-8 * ((x - 0.15) ** 2 + (y + 0.25) ** 2)) * (1 + 0.3 * np.sin(9 * x))


def test_spline_passes_through_its_nodes_and_follows_the_function_between_them() -> None:
    nodes = np.linspace(-HALF, HALF, 61)
    x, y = np.meshgrid(CENTRE[0] + nodes, CENTRE[1] + nodes)
    spline = CubicSpline.through(_map(x, y), CENTRE, HALF)
    assert np.allclose(spline.at(x.ravel(), y.ravel())[0], _map(x, y).ravel(), atol=1e-12)
    places = np.random.default_rng(0).uniform(-0.45, 0.45, (2, 500))
    x, y = CENTRE[0] + places[0], CENTRE[1] + places[1]
    value, by_x, by_y = spline.at(x, y)
    assert np.allclose(value, _map(x, y), atol=1e-4)
    step = 1e-5
    for found, dx, dy in ((by_x, step, 0.0), (by_y, 0.0, step)):
        numerical = (spline.at(x + dx, y + dy)[0] - spline.at(x - dx, y - dy)[0]) / (2 * step)
        assert np.allclose(found, numerical, atol=1e-6)


def test_spline_is_that_of_scipy_in_the_middle() -> None:
    nodes = np.linspace(-HALF, HALF, 31)
    table = np.random.default_rng(1).uniform(0, 1, (31, 31))
    spline = CubicSpline.through(table, (0.0, 0.0), HALF)
    other = RectBivariateSpline(nodes, nodes, table)
    x, y = np.random.default_rng(2).uniform(-0.2, 0.2, (2, 200))
    assert np.allclose(spline.at(x, y)[0], other.ev(y, x), atol=5e-3)


def test_spline_is_dark_off_the_square() -> None:
    spline = CubicSpline.through(np.ones((9, 9)), (0.0, 0.0), HALF)
    value, by_x, by_y = spline.at(np.array([0.0, 0.6, -0.51]), np.array([0.1, 0.0, 0.2]))
    assert value == pytest.approx([1.0, 0.0, 0.0])
    assert not by_x[1:].any()
    assert not by_y[1:].any()
