"""Coordinates of the smooth lens: back and forth, and independent where the preset draws so."""

import numpy as np
import pytest

from darklens.modelling import Parameter, scene_parameters, smooth_model
from darklens.modelling.lens_coordinates import LensCoordinates
from darklens.simulation import Simulator, load_preset


def coordinates(preset: str) -> tuple[LensCoordinates, np.ndarray]:
    """The coordinates of a preset, and parameter vectors drawn from it."""
    model = smooth_model(load_preset(preset), draws=50)
    return LensCoordinates(model.free, model.draws[0]), model.draws


@pytest.mark.parametrize("preset", ["common-test-1", "model-1"])
def test_parameters_come_back(preset: str) -> None:
    found, draws = coordinates(preset)
    for draw in draws:
        back = found.parameters(found.coordinates(draw))
        np.testing.assert_allclose(back, draw, rtol=1e-12, atol=1e-12)


def test_they_are_the_numbers_of_the_table() -> None:
    found, _ = coordinates("common-test-1")
    scene, true = Simulator("common-test-1").scene(4, seed=1)
    values = dict(zip(found.names, found.coordinates(scene_parameters(scene)), strict=True))
    assert len(values) == len(found) == 7
    assert values["einstein_radius"] == pytest.approx(true["einstein_radius"])
    assert values["gamma_size"] == pytest.approx(true["shear"])
    assert values["gamma_angle"] == pytest.approx(2 * np.deg2rad(true["shear_angle"]))
    assert values["source_size"] == pytest.approx(np.hypot(true["source_x"], true["source_y"]))
    ratio = true["source_axis_ratio"]
    assert values["source_e_size"] == pytest.approx((1 - ratio) / (1 + ratio))


def test_a_component_without_its_partner_stays_as_it_is() -> None:
    fixed = np.zeros(len(Parameter))
    fixed[Parameter.LENS_X] = 3.0
    found = LensCoordinates((Parameter.EINSTEIN_RADIUS, Parameter.LENS_Y), fixed)
    assert found.names == ("einstein_radius", "lens_y")
    parameters = found.parameters(np.array([1.5, -0.2]))
    assert parameters[Parameter.LENS_X] == 3.0
    assert parameters[Parameter.LENS_Y] == -0.2
    assert found.coordinates(parameters).tolist() == [1.5, -0.2]
