"""Lines of mass as points: how many, where and how heavy."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from darklens.simulation import Preset, Simulator, load_preset
from darklens.simulation.distributions import Constant, Distribution, Uniform
from darklens.simulation.perturbers import draw_perturbers
from darklens.simulation.priors import LinePrior

MASS, HALF_LENGTH = 4e10, 0.8


def preset_with(line: LinePrior) -> Preset:
    return replace(load_preset("common-test-1"), classes={"vort": (line,)})


def line(**changes: Distribution) -> LinePrior:
    return LinePrior(Constant(MASS), Constant(HALF_LENGTH), radius=Constant(0.6), **changes)


def drawn(prior: LinePrior, seed: int = 0) -> tuple[Any, dict[str, Any]]:
    record: dict[str, Any] = {}
    rng = np.random.default_rng(seed)
    return draw_perturbers(preset_with(prior), "vort", 0.5, 1.0, record, rng), record


def places(points: np.ndarray, record: dict[str, Any]) -> np.ndarray:
    """Places along the line; fails where a point lies beside it."""
    angle = np.deg2rad(record["line_position_angle"])
    dx, dy = points[:, 0] - record["line_x"], points[:, 1] - record["line_y"]
    assert np.abs(np.cos(angle) * dy - np.sin(angle) * dx).max() < 1e-12
    return np.asarray(np.cos(angle) * dx + np.sin(angle) * dy)


def test_the_number_of_points_is_drawn_and_rounded() -> None:
    found = [drawn(line(points=Uniform(9.6, 12.4)), seed) for seed in range(60)]
    counts = [record["line_points"] for _, record in found]
    assert set(counts) == {10, 11, 12}
    assert [perturbers.lines[0, 5] for perturbers, _ in found] == counts
    assert all(len(perturbers.points) == 0 for perturbers, _ in found)
    assert drawn(line(points=Constant(7.0)))[0].lines[0, 5] == 7


def test_further_draws_leave_the_line_where_it_was() -> None:
    _, whole = drawn(line())
    uneven = line(points=Uniform(5, 90), spacing=Uniform(0, 1), mass_spread=Uniform(0, 1))
    _, record = drawn(uneven)
    assert whole["line_points"] == 0
    for name in ("mass", "half_length", "position_angle", "x", "y"):
        assert record[f"line_{name}"] == whole[f"line_{name}"]
    assert 0 < record["line_spacing"] < 1
    assert 0 < record["line_mass_spread"] < 1


@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0])
def test_masses_add_up_and_scatter_as_declared(spread: float) -> None:
    prior = line(points=Constant(2000), spacing=Constant(0.5), mass_spread=Constant(spread))
    perturbers, record = drawn(prior)
    assert len(perturbers.lines) == 0
    one_mass = load_preset("common-test-1").cosmology.einstein_radius(1.0, 0.5, 1.0)
    masses = (perturbers.points[:, 2] / one_mass) ** 2
    assert masses.sum() == pytest.approx(record["line_mass"]) == pytest.approx(MASS)
    assert masses.std() / masses.mean() == pytest.approx(spread, rel=0.06, abs=1e-9)


@pytest.mark.parametrize("spacing", [0.0, 0.4, 1.0])
def test_places_run_from_even_to_random(spacing: float) -> None:
    prior = line(points=Constant(400), spacing=Constant(spacing), mass_spread=Uniform(0, 0.1))
    perturbers, record = drawn(prior)
    along = places(perturbers.points, record)
    even = np.linspace(-HALF_LENGTH, HALF_LENGTH, 400)
    assert np.abs(along).max() <= HALF_LENGTH
    assert (np.diff(along) >= 0).all()
    # The k-th of n ordered uniform numbers has the variance k (n - k + 1) / n^3, nearly.
    rank = np.arange(1, 401)
    deviation = 2 * HALF_LENGTH * np.sqrt(rank * (401 - rank) / 400**3)
    largest = np.abs(along - even).max()
    assert largest <= 4 * spacing * deviation.max() + 1e-12
    assert largest >= 0.5 * spacing * deviation.max()
    gaps = np.diff(along) / np.diff(along).mean()
    assert gaps.std() == pytest.approx(spacing, abs=0.1)  # those of random places are exponential


def test_a_single_point_lies_at_the_centre() -> None:
    perturbers, record = drawn(line(points=Constant(1), mass_spread=Constant(0.5)))
    assert places(perturbers.points, record) == pytest.approx([0.0])


def test_no_points_are_a_continuous_line() -> None:
    prior = line(points=Uniform(0, 0.4), spacing=Constant(1.0))
    perturbers, record = drawn(prior)
    assert len(perturbers.points) == 0
    assert perturbers.lines[0, 5] == record["line_points"] == 0


def test_the_continuous_preset_draws_the_same_lines() -> None:
    preset = load_preset("common-test-1")
    points = Simulator(preset, classes=["vort"]).lens(3)
    whole = Simulator(preset.with_continuous_lines(), classes=["vort"]).lens(3)
    assert len(points.scene.perturbers.lines) == len(whole.scene.perturbers.points) == 0
    assert points.parameters["line_points"] == len(points.scene.perturbers.points)
    x, y, angle, half_length, theta, count = whole.scene.perturbers.lines[0]
    assert (x, y, count) == (points.parameters["line_x"], points.parameters["line_y"], 0)
    assert np.rad2deg(angle) == pytest.approx(points.parameters["line_position_angle"])
    assert half_length == points.parameters["line_half_length"]
    assert np.sum(points.scene.perturbers.points[:, 2] ** 2) == pytest.approx(theta**2)
    assert whole.parameters["source_x"] == points.parameters["source_x"]
