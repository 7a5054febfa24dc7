"""The smooth model: its image is the renderer's, its derivatives are those of its image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from darklens.cutouts import block_sums, central_cutout
from darklens.errors import BadInput, BadPreset
from darklens.modelling import (
    PARAMETERS,
    Parameter,
    SmoothModel,
    scene_parameters,
    smooth_model,
)
from darklens.simulation import Simulator, load_preset
from darklens.simulation.presets import Preset, preset_text

DRAWS = 100  # of the prior, for the bounds: thousands take seconds
GENERAL = {
    "lens": {
        "redshift": 0.5,
        "einstein_radius": {"uniform": [1.0, 1.5]},
        "axis_ratio": {"uniform": [0.5, 0.9]},
        "position_angle": {"uniform": [0, 180]},
        "x": {"uniform": [-0.1, 0.1]},
        "y": {"uniform": [-0.1, 0.1]},
        "shear": {"uniform": [0.01, 0.1]},
        "shear_angle": {"uniform": [0, 180]},
    },
    "source": {
        "redshift": 1.0,
        "radius": {"uniform": [0.2, 0.4]},
        "sersic_index": {"uniform": [0.8, 2.0]},
        "amplitude": {"log_uniform": [10, 40]},
        "axis_ratio": {"uniform": [0.5, 0.9]},
        "position_angle": {"uniform": [0, 180]},
        "x": {"uniform": [-0.2, 0.2]},
        "y": {"uniform": [-0.2, 0.2]},
    },
    "lens_light": {
        "radius": {"uniform": [0.4, 0.8]},
        "sersic_index": {"uniform": [2.0, 4.0]},
        "amplitude": {"log_uniform": [5, 20]},
        "axis_ratio": {"uniform": [0.5, 0.9]},
        "position_angle": {"uniform": [0, 180]},
        "x": {"uniform": [-0.05, 0.05]},
    },
}


def general_preset(tmp_path: Path, **changes: object) -> Preset:
    """`model-1` with everything free and lens light, or with some parts replaced."""
    content = yaml.safe_load(preset_text("model-1")) | GENERAL | changes
    path = tmp_path / "general.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_preset(path)


def differences(model: SmoothModel, parameters: np.ndarray, step: float = 1e-5) -> dict[str, float]:
    """Largest error of each derivative against a central difference, over its largest value."""
    jacobian = model.derivatives(parameters)
    errors = {}
    for k, row in zip(model.free, jacobian, strict=True):
        if PARAMETERS[k] == "log_exposure":  # the likelihood's part
            continue
        shift = step * np.eye(len(PARAMETERS))[k]
        slope = (model.image(parameters + shift) - model.image(parameters - shift)) / (2 * step)
        errors[PARAMETERS[k]] = float(abs(slope - row).max() / abs(row).max())
    return errors


@pytest.mark.parametrize("preset", ["common-test-1", "model-1-legacy", "model-2", "model-3"])
def test_image_is_the_renderers(preset: str) -> None:
    simulator = Simulator(preset)
    model = smooth_model(simulator.preset, draws=DRAWS)
    lens = simulator.lens(0, seed=1)
    expected = simulator.expected_rate(lens.scene)
    image = model.image(scene_parameters(lens.scene, lens.parameters["exposure"]))
    assert abs(image - expected).max() < 1e-10 * expected.max()


def test_image_of_the_general_family(tmp_path: Path) -> None:
    simulator = Simulator(general_preset(tmp_path))
    model = smooth_model(simulator.preset, draws=DRAWS)
    for index in (0, 3):
        lens = simulator.lens(index)
        expected = simulator.expected_rate(lens.scene)
        image = model.image(scene_parameters(lens.scene))
        assert abs(image - expected).max() < 1e-8 * expected.max()


def test_derivatives_of_the_general_family(tmp_path: Path) -> None:
    preset = general_preset(tmp_path)
    model = smooth_model(preset, draws=DRAWS)
    assert len(model.free) == 21
    fixed = {name for name in PARAMETERS if name not in model.names}
    assert {name for name in fixed if "line" not in name} == {
        "lens_slope",
        "lens_light_y",
        "background",
    }
    errors = differences(model, model.draws[3])
    assert max(errors.values()) < 2e-4, errors


@pytest.mark.parametrize(
    ("slope", "e1", "e2"), [(2.15, 0.0, 0.0), (1.85, 0.15, -0.05), (2.1, 0.0, 0.1)]
)
def test_derivatives_of_a_power_law(tmp_path: Path, slope: float, e1: float, e2: float) -> None:
    model = smooth_model(general_preset(tmp_path), draws=DRAWS)
    model = replace(model, free=tuple(sorted({*model.free, Parameter.LENS_SLOPE})))
    parameters = model.draws[2].copy()
    parameters[Parameter.LENS_SLOPE] = slope
    parameters[[Parameter.LENS_E1, Parameter.LENS_E2]] = e1, e2
    errors = differences(model, parameters)
    assert max(errors.values()) < 2e-4, errors


def test_image_of_the_wide_preset_without_what_is_marginalised() -> None:
    preset = load_preset("common-test-1-wide")
    simulator, model = Simulator(preset), smooth_model(preset, draws=DRAWS)
    assert "lens_slope" in model.names
    lens = simulator.lens(0, seed=2)
    scene = replace(lens.scene, multipoles=(), sources=lens.scene.sources[:1], lens_light=())
    expected = simulator.expected_rate(scene)
    image = model.image(scene_parameters(scene))
    assert abs(image - expected).max() < 1e-8 * expected.max()


def test_derivatives_of_a_round_lens_by_its_ellipticity(tmp_path: Path) -> None:
    model = smooth_model(general_preset(tmp_path), draws=DRAWS)
    parameters = model.draws[5].copy()
    parameters[1:3] = 0.0
    errors = differences(model, parameters)
    assert max(errors["lens_e1"], errors["lens_e2"]) < 2e-4


def test_the_benchmark_has_seven_free_numbers() -> None:
    model = smooth_model(load_preset("common-test-1"), draws=DRAWS)
    assert model.names == (
        "einstein_radius",
        "gamma1",
        "gamma2",
        "source_x",
        "source_y",
        "source_e1",
        "source_e2",
    )
    assert max(differences(model, model.draws[0]).values()) < 1e-5


def test_the_published_simulator_has_three_free_numbers() -> None:
    names = smooth_model(load_preset("model-1-legacy"), draws=DRAWS).names
    assert names == ("source_x", "source_y", "log_exposure")


def test_a_line_of_mass_is_the_renderers_and_its_derivatives_are_exact(
    straight_vortices: Preset,
) -> None:
    simulator = Simulator(straight_vortices, classes=["vort"])
    model = smooth_model(simulator.preset, line=True, draws=DRAWS)
    assert model.names[-4:] == ("line_x", "line_y", "line_angle", "line_strength")
    scene = simulator.lens(1).scene
    parameters = scene_parameters(scene, line=True)
    expected = simulator.expected_rate(scene)
    assert abs(model.image(parameters) - expected).max() < 1e-9 * expected.max()
    model = replace(model, free=(*model.free, PARAMETERS.index("line_log_half_length")))
    jacobian = model.derivatives(parameters)
    for k, row in zip(model.free, jacobian, strict=True):
        shift = 1e-7 * np.eye(len(PARAMETERS))[k]
        slope = (model.image(parameters + shift) - model.image(parameters - shift)) / 2e-7
        # the image jumps where a ray crosses the line: most pixels, not all
        error = np.quantile(abs(slope - row), 0.995) / abs(row).max()
        assert error < 1e-4, PARAMETERS[k]


def test_further_deflection_is_a_moved_source() -> None:
    model = smooth_model(load_preset("common-test-1"), draws=DRAWS)
    parameters = model.draws[1].copy()
    response = model.deflection_response(parameters)
    jacobian = model.derivatives(parameters)
    assert np.array_equal(response, jacobian[3:5])


def test_coarse_model_is_near_the_mean_of_blocks() -> None:
    model = smooth_model(load_preset("common-test-1"), draws=DRAWS)
    fine = model.image(model.draws[2])
    blocks = fine.reshape(50, 3, 50, 3).sum(axis=(1, 3))
    coarse = model.coarse(3).image(model.draws[2])
    assert abs(coarse - blocks).max() < 0.25 * blocks.max()
    assert abs(coarse.sum() / blocks.sum() - 1) < 0.05


def test_numbers_stay_inside() -> None:
    model = smooth_model(load_preset("common-test-1"), draws=DRAWS)
    far = model.draws[0].copy()
    far[PARAMETERS.index("source_e1")] = 3.0
    far[PARAMETERS.index("einstein_radius")] = -1.0
    near = model.inside(far)
    assert 0 < near[0] < 1
    assert np.hypot(*near[9:11]) <= 0.85 + 1e-12


def test_a_preset_without_noise_needs_a_likelihood(tmp_path: Path) -> None:
    with pytest.raises(BadPreset, match="noise"):
        smooth_model(general_preset(tmp_path, noise="none"), draws=DRAWS)


def test_a_preset_of_constants_leaves_nothing_to_fit(tmp_path: Path) -> None:
    content = yaml.safe_load(preset_text("model-1"))
    content["source"] |= {"x": 0.1, "y": 0.0}
    content["exposure"] = 1000
    path = tmp_path / "constant.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(BadInput, match="no free parameter"):
        smooth_model(load_preset(path), draws=DRAWS)


def test_a_binned_model_is_the_sum_of_its_pixels() -> None:
    preset = replace(load_preset("common-test-1-wide"), lens_light=None)
    model = smooth_model(preset, background=True, draws=DRAWS)
    binned = model.binned(120, 2)
    parameters = model.draws[1].copy()
    parameters[Parameter.BACKGROUND] = 10
    expected = block_sums(central_cutout(model.image(parameters), 120), 2)
    image, jacobian = binned.image(parameters), binned.derivatives(parameters)
    assert image.shape == (60, 60)
    assert abs(image - expected).max() < 1e-9 * expected.max()
    fine = model.derivatives(parameters)
    expected = block_sums(central_cutout(fine, 120), 2)
    found = binned.exact_derivatives(parameters)
    for name, row, near, exact in zip(model.names, found, jacobian, expected, strict=True):
        assert abs(row - exact).max() < 1e-9 * abs(exact).max(), name
        assert np.vdot(near, exact) > 0.5 * np.linalg.norm(near) * np.linalg.norm(exact), name
    assert model.binned(120, 1).image(parameters).shape == (120, 120)
