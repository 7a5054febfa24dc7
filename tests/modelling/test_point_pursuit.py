"""Point masses one after the other: heavy ones are found, together they explain what they cause."""

import numpy as np
import pytest
from jaxtyping import Float32

from darklens.modelling import MatchedFilters, PointPursuit, orthonormal, pursue_points

SIDE, BLOCK = 30, 2
SCALE = 0.2
PLACES = ((8, 21), (20, 9), (15, 24))
STRENGTHS = (0.05, 0.02, 0.01)


@pytest.fixture(scope="module")
def filters() -> MatchedFilters:
    return MatchedFilters((SIDE, SIDE), SCALE)


@pytest.fixture(scope="module")
def rows() -> Float32[np.ndarray, "k h w"]:
    """A basis of smooth directions."""
    y, x = np.meshgrid(*2 * [np.linspace(-1, 1, SIDE * BLOCK)], indexing="ij")
    return orthonormal(
        np.stack([x**i * y**j for i in range(3) for j in range(3)]).astype(np.float32)
    )


@pytest.fixture(scope="module")
def sensitivity() -> Float32[np.ndarray, "2 h w"]:
    rng = np.random.default_rng(4)
    return rng.normal(0, 20, (2, SIDE * BLOCK, SIDE * BLOCK)).astype(np.float32)


def projected(
    image: Float32[np.ndarray, "h w"], rows: Float32[np.ndarray, "k h w"]
) -> Float32[np.ndarray, "h w"]:
    return image - np.tensordot(np.tensordot(rows, image, 2), rows, 1)


def pursued(
    filters: MatchedFilters,
    image: Float32[np.ndarray, "h w"],
    sensitivity: Float32[np.ndarray, "2 h w"],
    rows: Float32[np.ndarray, "k h w"],
    count: int = 3,
) -> PointPursuit:
    residual = projected(image, rows)
    maps = filters(residual, sensitivity, rows)
    return pursue_points(filters, residual, sensitivity, rows, maps, count=count)


@pytest.fixture(scope="module")
def signal(
    filters: MatchedFilters, sensitivity: Float32[np.ndarray, "2 h w"]
) -> Float32[np.ndarray, "h w"]:
    """The change by three point masses, without noise."""
    return sum(
        np.float32(strength) * filters.response(place, sensitivity)
        for place, strength in zip(PLACES, STRENGTHS, strict=True)
    )


def test_point_masses_are_found_with_their_strengths(
    filters: MatchedFilters,
    signal: Float32[np.ndarray, "h w"],
    sensitivity: Float32[np.ndarray, "2 h w"],
    rows: Float32[np.ndarray, "k h w"],
) -> None:
    found = pursued(filters, signal, sensitivity, rows)
    assert found.positions == PLACES
    assert found.strengths == pytest.approx(STRENGTHS, rel=1e-3)
    assert np.abs(found.residual).max() < 1e-3 * np.abs(signal).max()
    assert [found.strength_map[place] for place in PLACES] == pytest.approx(found.strengths)


def test_gains_are_what_chi_square_loses(
    filters: MatchedFilters,
    signal: Float32[np.ndarray, "h w"],
    sensitivity: Float32[np.ndarray, "2 h w"],
    rows: Float32[np.ndarray, "k h w"],
) -> None:
    noise = np.random.default_rng(1).standard_normal(signal.shape).astype(np.float32)
    image = signal + noise
    found = pursued(filters, image, sensitivity, rows)
    before = np.square(projected(image, rows), dtype=np.float64).sum()
    after = np.square(found.residual, dtype=np.float64).sum()
    assert found.gains.sum() == pytest.approx(before - after, rel=1e-3)
    assert (np.diff(found.gains) < 0).all()


def test_nothing_more_is_significant_where_a_point_was_added(
    filters: MatchedFilters,
    signal: Float32[np.ndarray, "h w"],
    sensitivity: Float32[np.ndarray, "2 h w"],
    rows: Float32[np.ndarray, "k h w"],
) -> None:
    found = pursued(filters, signal, sensitivity, rows, count=1)
    assert len(found.positions) == 1
    assert abs(found.significance[PLACES[0]]) < 1e-2
    assert np.unravel_index(found.significance.argmax(), (SIDE, SIDE)) == PLACES[1]


def test_a_mass_that_would_be_negative_is_not_added(
    filters: MatchedFilters,
    sensitivity: Float32[np.ndarray, "2 h w"],
    rows: Float32[np.ndarray, "k h w"],
) -> None:
    empty = pursued(filters, np.zeros_like(sensitivity[0]), sensitivity, rows)
    assert not empty.positions
    assert not empty.strength_map.any()
    assert empty.gains.sum() == 0
