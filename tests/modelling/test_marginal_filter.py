"""Filters that project many directions out: like exact ones, and lines are rows of points."""

import numpy as np
import pytest
from jaxtyping import Float32

from darklens.errors import BadInput
from darklens.lensing import LineMass
from darklens.modelling import MarginalFilters, MatchedFilters

SIDE, SCALE, ANGLES = 40, 0.1, 6
LENGTHS = (0.4, 0.8)
COUNT = 60
Y, X = np.mgrid[:SIDE, :SIDE] * SCALE - 0.5 * (SIDE - 1) * SCALE
RING = np.exp(-0.5 * ((np.hypot(X, Y) - 1) / 0.15) ** 2)

Parts = tuple[
    Float32[np.ndarray, "i j"], Float32[np.ndarray, "2 i j"], Float32[np.ndarray, "k i j"]
]


@pytest.fixture(scope="module")
def filters() -> MarginalFilters:
    settings = {"half_lengths": LENGTHS, "orientations": ANGLES, "largest_radius": 1.2}
    return MarginalFilters((SIDE, SIDE), SCALE, **settings)


@pytest.fixture(scope="module")
def exact() -> MatchedFilters:
    settings = {"half_lengths": LENGTHS, "orientations": ANGLES, "largest_radius": 1.2}
    return MatchedFilters((SIDE, SIDE), SCALE, **settings)


@pytest.fixture(scope="module")
def directions() -> np.ndarray:
    """Waves in a ring."""
    rng = np.random.default_rng(0)
    waves = [
        np.cos(a * X + b * Y + rng.uniform(0, 6)) * RING
        for a, b in rng.uniform(-12, 12, (COUNT, 2))
    ]
    return np.reshape(waves, (COUNT, -1))


@pytest.fixture(scope="module")
def parts(directions: np.ndarray) -> Parts:
    """A ring's sensitivity, smooth directions of a marginalisation, and noise freed of them."""
    rng = np.random.default_rng(0)
    sensitivity = 60 * np.stack([RING * np.cos(3 * Y), RING * np.sin(2 * X + 1)])
    values, vectors = np.linalg.eigh(directions @ directions.T)
    basis = (vectors / np.sqrt(1 + values)).T @ directions
    noise = rng.standard_normal(SIDE * SIDE)
    left = noise - basis.T @ (basis @ noise)
    return (
        left.reshape(SIDE, SIDE).astype(np.float32),
        sensitivity.astype(np.float32),
        basis.reshape(-1, SIDE, SIDE).astype(np.float32),
    )


def test_points_are_as_significant_as_by_exact_filters(
    filters: MarginalFilters, exact: MatchedFilters, parts: Parts
) -> None:
    found, wanted = filters(*parts, lines=False), exact(*parts, lines=False)
    assert np.std(found.depth / wanted.depth - 1) < 0.04
    assert np.std(found.point - wanted.point) < 0.06
    known = exact(parts[0], parts[1], parts[2][:0], lines=False)
    assert np.median(wanted.depth / known.depth) < 0.9  # much is projected out
    assert found.lines == ()
    assert found.line.shape == (0, SIDE, SIDE)


def test_points_do_not_depend_on_lines(filters: MarginalFilters, parts: Parts) -> None:
    with_lines, without = filters(*parts), filters(*parts, lines=False)
    assert with_lines.point == pytest.approx(without.point, abs=1e-2)
    assert with_lines.depth == pytest.approx(without.depth, rel=1e-2)


def test_lines_are_near_those_of_exact_filters(
    filters: MarginalFilters, exact: MatchedFilters, parts: Parts
) -> None:
    found, wanted = filters(*parts), exact(*parts)
    assert found.line.shape == wanted.line.shape
    inner = (slice(None), slice(4, -4, 2), slice(4, -4, 2))
    difference = found.line[inner] - wanted.line[inner]
    assert np.std(difference) < 0.4 * np.std(wanted.line[inner])
    assert abs(np.mean(difference)) < 0.2
    blocks = found.line.reshape(2, SIDE // 2, 2, SIDE // 2, 2)
    assert (blocks == blocks[:, :, :1, :, :1]).all()


@pytest.mark.parametrize(("angle", "half_length"), [(0, 0.4), (2, 0.8), (4, 0.8)])
def test_a_line_is_found_with_its_strength(
    angle: int, half_length: float, filters: MarginalFilters, exact: MatchedFilters, parts: Parts
) -> None:
    _, sensitivity, basis = parts
    turn, strength = angle * np.pi / ANGLES, 0.3**2
    line = LineMass(0.3, half_length, turn, 0.55, 0.45).deflection(X + 1e-6, Y + 1e-6)
    change = (sensitivity * np.asarray(line)).sum(axis=0)
    left = change - np.tensordot(np.tensordot(basis, change, 2), basis, 1)
    best = filters(left.astype(np.float32), sensitivity, basis).lines[0]
    assert np.hypot(best.x - 0.55, best.y - 0.45) < 0.3
    assert best.half_length == half_length
    assert abs((best.position_angle - turn + np.pi / 2) % np.pi - np.pi / 2) < 0.01
    assert best.strength == pytest.approx(strength, rel=0.25)


def test_noise_has_unit_significance(
    filters: MarginalFilters, parts: Parts, directions: np.ndarray
) -> None:
    _, sensitivity, basis = parts
    rng, draws = np.random.default_rng(1), []
    for _ in range(200):
        flat = rng.standard_normal(SIDE * SIDE) + rng.standard_normal(COUNT) @ directions
        noise = flat.reshape(SIDE, SIDE).astype(np.float32)
        left = noise - np.tensordot(np.tensordot(basis, noise, 2), basis, 1)
        draws.append(filters(left, sensitivity, basis).point)
    widths = np.std(draws, axis=0)
    assert widths.mean() == pytest.approx(1, abs=0.03)
    assert abs(widths - 1).max() < 0.35


def test_candidates_lie_within_the_radius(filters: MarginalFilters, parts: Parts) -> None:
    lines = filters(*parts).lines
    assert len(lines) == len(LENGTHS) * ANGLES
    assert all(np.hypot(line.x, line.y) <= 1.2 for line in lines)
    heights = [line.significance for line in lines]
    assert heights == sorted(heights, reverse=True)


def test_an_odd_number_of_pixels_is_refused() -> None:
    with pytest.raises(BadInput, match="even number"):
        MarginalFilters((21, 20), 0.1)
