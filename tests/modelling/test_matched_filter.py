"""The matched filters: noise has unit significance, weak perturbers are found with their strength.

What the filters are given has to be free of the jacobian, as what a fit leaves is.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from darklens.lensing import Perturbers
from darklens.modelling import (
    MatchedFilters,
    SmoothFit,
    SmoothFitter,
    central,
    orthonormal,
    scene_parameters,
)
from darklens.simulation import Lens, Simulator

SIZE, BINNING, SKY = 120, 2, 10.0
SIDE, SCALE = SIZE // BINNING, 0.05 * BINNING


@pytest.fixture(scope="module")
def maps() -> MatchedFilters:
    settings = {"half_lengths": (0.5, 0.85), "orientations": 8, "largest_radius": 1.5}
    return MatchedFilters((SIDE, SIDE), SCALE, **settings)


@pytest.fixture(scope="module")
def lens() -> Lens:
    return Simulator("common-test-1", classes=["no"]).lens(3, seed=1)


@pytest.fixture(scope="module")
def fit_of(fitter_of: Callable[[str], SmoothFitter], lens: Lens) -> Callable[..., SmoothFit]:
    """Fits the noiseless image of the lens with perturbers."""
    simulator, fitter = Simulator("common-test-1"), fitter_of("common-test-1")

    def fit(**perturbers: np.ndarray) -> SmoothFit:
        scene = replace(lens.scene, perturbers=Perturbers(**perturbers))
        counts = np.asarray(simulator.expected_rate(scene)) + SKY
        return fitter.fit(counts, scene_parameters(lens.scene))

    return fit


def parts(fit: SmoothFit) -> list[np.ndarray]:
    """Residual, sensitivity, and a basis of what the parameters can explain."""
    residual, sensitivity, jacobian = (
        central(part, SIZE, BINNING)
        for part in (fit.residual, fit.sensitivity, fit.whitened_jacobian)
    )
    return [residual, sensitivity, orthonormal(jacobian)]


def without(residual: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
    """The residual without what the jacobian can explain."""
    flat = jacobian.reshape(len(jacobian), -1).T.astype(np.float64)
    explained = flat @ np.linalg.lstsq(flat, residual.ravel(), rcond=None)[0]
    return (residual - explained.reshape(residual.shape)).astype(np.float32)


def place(row: int, column: int) -> tuple[float, float]:
    """x and y of a pixel of the map [arcsec]."""
    return (column - 0.5 * (SIDE - 1)) * SCALE, (row - 0.5 * (SIDE - 1)) * SCALE


def test_significance_of_noise_is_a_standard_normal_number(
    maps: MatchedFilters, fit_of: Callable[..., SmoothFit]
) -> None:
    _, sensitivity, jacobian = parts(fit_of())
    rng, count = np.random.default_rng(0), 200
    draws = []
    for _ in range(count):
        noise = central(rng.standard_normal((150, 150)), SIZE, BINNING)
        found = maps(without(noise, jacobian), sensitivity, jacobian, lines=False)
        draws.append(found.point)
    error = 1 / np.sqrt(count)
    assert np.mean(draws) == pytest.approx(0, abs=0.05)
    assert abs(np.mean(draws, axis=0)).max() < 5 * error
    widths = np.std(draws, axis=0)
    assert widths.mean() == pytest.approx(1, abs=0.05)
    assert abs(widths - 1).max() < 5 * error / np.sqrt(2)


@pytest.mark.parametrize(("x", "y"), [(1.25, 0.25), (-0.75, 0.65), (0.15, -1.05)])
def test_a_weak_point_mass_is_found(
    x: float, y: float, maps: MatchedFilters, fit_of: Callable[..., SmoothFit]
) -> None:
    strength = 0.04**2
    found = maps(*parts(fit_of(points=np.array([[x, y, np.sqrt(strength)]]))), lines=False)
    row, column = np.unravel_index(found.point.argmax(), found.point.shape)
    assert np.hypot(*np.subtract(place(row, column), (x, y))) < 1.5 * SCALE
    height = found.point[row, column]
    assert height > 3
    assert height / found.depth[row, column] == pytest.approx(strength, rel=0.35)


@pytest.mark.parametrize(
    ("x", "y", "angle"), [(0.5, 0.3, np.pi / 4), (-0.3, 1.0, np.pi / 2), (-0.35, 1.05, 2.5)]
)
def test_a_weak_line_is_found(
    x: float, y: float, angle: float, maps: MatchedFilters, fit_of: Callable[..., SmoothFit]
) -> None:
    strength = 0.08**2
    line = np.array([[x, y, angle, 0.85, np.sqrt(strength), 0]])
    lines = maps(*parts(fit_of(lines=line))).lines
    assert [found.significance for found in lines] == sorted(
        (f.significance for f in lines), reverse=True
    )
    best = next(found for found in lines if found.half_length == 0.85)
    assert best.significance > 5
    assert np.hypot(best.x - x, best.y - y) < 2.5 * SCALE
    turn = (best.position_angle - angle + np.pi / 2) % np.pi - np.pi / 2
    assert abs(turn) < 0.6 * np.pi / 8
    assert best.strength == pytest.approx(strength, rel=0.35)


def test_a_moved_source_is_no_perturber(
    maps: MatchedFilters, fit_of: Callable[..., SmoothFit]
) -> None:
    _, sensitivity, jacobian = parts(fit_of())
    moved = 5 * jacobian[3] / abs(jacobian[3]).max()
    found = maps(without(moved, jacobian), sensitivity, jacobian)
    assert max(abs(found.point).max(), abs(found.line).max()) < 0.01


def test_tangents_make_perturbers_less_certain(
    maps: MatchedFilters, fit_of: Callable[..., SmoothFit]
) -> None:
    residual, sensitivity, jacobian = parts(fit_of())
    known = maps(residual, sensitivity, np.zeros_like(jacobian), lines=False)
    fitted = maps(residual, sensitivity, jacobian, lines=False)
    assert (fitted.depth <= known.depth * (1 + 1e-4)).all()
    assert fitted.depth.min() < 0.9 * known.depth.min()
    twice = maps(
        residual, sensitivity, orthonormal(np.concatenate([jacobian, jacobian])), lines=False
    )
    assert np.allclose(twice.depth, fitted.depth, rtol=1e-2)


def test_lines_are_found_near_the_centre_alone(lens: Lens) -> None:
    rng = np.random.default_rng(0)
    narrow = MatchedFilters((20, 24), 0.3, half_lengths=(0.5,), orientations=4, largest_radius=0.5)
    images = rng.standard_normal((6, 20, 24)).astype(np.float32)
    found = narrow(images[0], images[1:3], images[3:])
    assert len(found.lines) == 4
    assert all(np.hypot(line.x, line.y) <= 0.5 for line in found.lines)
    assert {line.position_angle for line in found.lines} == {k * np.pi / 4 for k in range(4)}
    assert found.line.shape == (1, 20, 24)
    assert narrow(images[0], images[1:3], images[3:], lines=False).lines == ()


def test_the_central_square_keeps_white_noise_white() -> None:
    noise = np.random.default_rng(0).standard_normal((3, 150, 150))
    small = central(noise, 120, 2)
    assert small.shape == (3, 60, 60)
    assert small.dtype == np.float32
    assert small.std() == pytest.approx(1, abs=0.03)
    image = np.zeros((6, 8))
    image[2:4, 3:5] = 1
    assert np.array_equal(central(image, 2, 2), [[2.0]])
    assert central(image, 4).sum() == 4
