"""The best line of mass: a vortex of the benchmark is found where it is."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from darklens.errors import BadPreset
from darklens.modelling import (
    PARAMETERS,
    LineFitter,
    MatchedFilters,
    SmoothFit,
    SmoothFitter,
    central,
    orthonormal,
    scene_parameters,
)
from darklens.simulation import Preset, Simulator, load_preset

Fits = tuple[SmoothFit, SmoothFit]
LINE = ["line_x", "line_y", "line_angle", "line_strength"]


@pytest.fixture(scope="module")
def fitter(straight_vortices: Preset) -> LineFitter:
    return LineFitter(straight_vortices, draws=300)


@pytest.fixture(scope="module")
def fits_of(
    fitter: LineFitter, fitter_of: Callable[[str], SmoothFitter]
) -> Callable[[np.ndarray], Fits]:
    """The fits of an image without a line and with one, as the preprocessing makes them."""
    maps = MatchedFilters((60, 60), 0.1, half_lengths=(0.85,), orientations=12, largest_radius=1.5)

    def fits(image: np.ndarray) -> Fits:
        smooth = fitter_of("common-test-1").fit(image)
        parts = (smooth.residual, smooth.sensitivity, smooth.whitened_jacobian)
        residual, sensitivity, jacobian = (central(part, 120, 2) for part in parts)
        found = maps(residual, sensitivity, orthonormal(jacobian))
        return smooth, fitter.fit(image, smooth, found.lines)

    return fits


@pytest.mark.parametrize("index", [0, 1, 2, 3, 5, 8])
def test_a_vortex_is_recovered(
    index: int, fits_of: Callable[[np.ndarray], Fits], straight_vortices: Preset
) -> None:
    lens = Simulator(straight_vortices, classes=["vort"]).lens(index)
    smooth, fit = fits_of(lens.image[0])
    assert smooth.chi_square > 1.05
    assert fit.chi_square == pytest.approx(1, abs=0.03)
    truth = scene_parameters(lens.scene, line=True)
    x, y, angle, strength = (fit.values[name] for name in LINE)
    true_x, true_y, true_angle, true_strength = (truth[PARAMETERS.index(name)] for name in LINE)
    assert np.hypot(x - true_x, y - true_y) < 0.1
    assert abs((angle - true_angle + np.pi / 2) % np.pi - np.pi / 2) < 0.1
    assert strength == pytest.approx(true_strength, rel=0.1)
    assert fit.values["einstein_radius"] == pytest.approx(truth[0], abs=0.01)


def test_the_line_is_a_number_more_of_the_model(fitter: LineFitter) -> None:
    assert list(fitter.model.names[-4:]) == LINE  # the length is that of the preset
    half_length = fitter.model.draws[:, PARAMETERS.index("line_log_half_length")]
    assert np.allclose(np.exp(half_length), 0.85)


def test_the_fit_assumes_a_continuous_line_where_the_preset_has_points() -> None:
    model = LineFitter(load_preset("common-test-1"), draws=300).model
    assert model.names[-5:] == (*LINE[:3], "line_log_half_length", LINE[3])
    half_length = np.exp(model.draws[:, PARAMETERS.index("line_log_half_length")])
    assert 0.4 <= half_length.min() < 0.5
    assert 1.8 < half_length.max() <= 1.9


def test_without_a_vortex_the_line_is_weak(
    fits_of: Callable[[np.ndarray], Fits], straight_vortices: Preset
) -> None:
    lens = Simulator("common-test-1", classes=["no"]).lens(3)
    smooth, fit = fits_of(lens.image[0])
    assert fit.chi_square * (22500 - 11) < smooth.chi_square * (22500 - 7) + 1
    lines = [
        scene_parameters(Simulator(straight_vortices, classes=["vort"]).lens(i).scene, line=True)
        for i in range(10)
    ]
    weakest = min(parameters[PARAMETERS.index("line_strength")] for parameters in lines)
    assert fit.values["line_strength"] < weakest


def test_a_preset_without_a_line_is_refused() -> None:
    preset = load_preset("common-test-1")
    with pytest.raises(BadPreset, match="no class with a line"):
        LineFitter(replace(preset, classes={"no": (), "sphere": preset.classes["sphere"]}))
