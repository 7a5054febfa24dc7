"""Readable parameters of a fit: names, units, errors against draws, and the scene they describe."""

from dataclasses import replace

import numpy as np
import pytest

from darklens.modelling import (
    PARAMETERS,
    SmoothFit,
    SmoothFitter,
    fit_estimates,
    fitted_scene,
    scene_parameters,
)
from darklens.simulation import Simulator, load_preset


@pytest.fixture(scope="module")
def fit() -> SmoothFit:
    lens = Simulator("common-test-1").lens(0, seed=4)
    return SmoothFitter(load_preset("common-test-1")).fit(lens.image[0])


def test_names_and_values_are_those_of_the_simulator(fit: SmoothFit) -> None:
    truth = Simulator("common-test-1").lens(0, seed=4).parameters
    found = fit_estimates(fit)
    for name in ("einstein_radius", "shear", "source_x", "source_y", "source_axis_ratio"):
        value, error = found[name]
        assert value == pytest.approx(truth[name], abs=5 * error)
    for name in ("shear_angle", "source_position_angle"):
        value, error = found[name]
        assert (value - truth[name] + 90) % 180 - 90 == pytest.approx(0, abs=5 * error)
        assert -90 <= value <= 90
    assert list(found)[1:5] == ["gamma1", "gamma2", "shear", "shear_angle"]


def test_errors_are_those_of_draws(fit: SmoothFit) -> None:
    rng = np.random.default_rng(0)
    found = fit_estimates(fit)
    places = [fit.names.index(name) for name in ("source_e1", "source_e2")]
    mean = [fit.values[name] for name in ("source_e1", "source_e2")]
    draws = rng.multivariate_normal(mean, fit.covariance[np.ix_(places, places)], 20_000)
    size = np.hypot(*draws.T)
    ratio, angle = (1 - size) / (1 + size), np.rad2deg(0.5 * np.arctan2(draws[:, 1], draws[:, 0]))
    turned = (angle - found["source_position_angle"].value + 90) % 180
    assert ratio.std() == pytest.approx(found["source_axis_ratio"].error, rel=0.03)
    assert turned.std() == pytest.approx(found["source_position_angle"].error, rel=0.03)


def test_the_direction_of_what_is_round_is_not_known(fit: SmoothFit) -> None:
    parameters = fit.parameters.copy()
    parameters[[PARAMETERS.index("gamma1"), PARAMETERS.index("gamma2")]] = 0.0
    found = fit_estimates(replace(fit, parameters=parameters))
    assert found["shear"].value == pytest.approx(0, abs=1e-9)
    assert found["shear_angle"].error == pytest.approx(52, abs=0.1)


def test_logarithms_become_numbers() -> None:
    lens = Simulator("model-1").lens(0)
    found = fit_estimates(SmoothFitter(load_preset("model-1")).fit(lens.image[0]))
    value, error = found["exposure"]
    assert value == pytest.approx(lens.parameters["exposure"], abs=5 * error)
    assert error == pytest.approx(value * found["log_exposure"].error)


def test_numbers_and_scene_are_inverse() -> None:
    lens = Simulator("galaxy").lens(2, seed=1)
    parameters = scene_parameters(lens.scene, line=True)
    again = scene_parameters(fitted_scene(parameters), line=True)
    np.testing.assert_allclose(again, parameters, rtol=1e-9, atol=1e-12)
    assert len(fitted_scene(parameters).perturbers.lines) == 1


def test_a_line_has_an_angle_in_degrees(fit: SmoothFit) -> None:
    parameters = fit.parameters.copy()
    parameters[PARAMETERS.index("line_angle")] = np.deg2rad(200)
    names = ("line_angle", "line_log_half_length")
    found = fit_estimates(
        replace(
            fit,
            parameters=parameters,
            names=names,
            covariance=np.diag([np.deg2rad(2) ** 2, 0.01]),
            whitened_jacobian=fit.whitened_jacobian[:2],
        )
    )
    assert found["line_position_angle"] == pytest.approx((20, 2))
    assert found["line_half_length"] == pytest.approx((1, 0.1))
