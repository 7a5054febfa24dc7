"""The way to the optimum: SciPy's least squares ends at the same place."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

from darklens.lensing.noise import DeepLenseSimNoise
from darklens.modelling import SmoothModel, scene_parameters, smooth_model
from darklens.modelling.levenberg_marquardt import RoughNoise, optimise
from darklens.modelling.likelihood import DeepLenseSimLikelihood, GaussianLikelihood
from darklens.simulation import Simulator

PRESETS = ["common-test-1", "model-1-legacy"]


def problem(preset: str, index: int = 0) -> tuple[SmoothModel, np.ndarray, np.ndarray]:
    """Model, counts and true parameters of one lens without substructure."""
    simulator = Simulator(preset, classes=["no"])
    lens = simulator.lens(index)
    truth = scene_parameters(lens.scene, lens.parameters["exposure"])
    return smooth_model(simulator.preset, draws=100), lens.image[0].astype(np.float64), truth


def displaced(model: SmoothModel, truth: np.ndarray) -> np.ndarray:
    """A start some percent of the prior's ranges away from the truth."""
    free, start = list(model.free), truth.copy()
    steps = 0.02 * np.random.default_rng(0).choice([-1.0, 1.0], len(free))
    start[free] += steps * (model.upper - model.lower)[free]
    return start


@pytest.mark.parametrize("preset", PRESETS)
def test_the_optimum_is_that_of_scipy(preset: str) -> None:
    model, data, truth = problem(preset)
    free, start = list(model.free), displaced(model, truth)
    end = optimise(model, data, start, 30)
    assert end.converged
    noise = np.sqrt(end.moments.variance)  # the optimum solves the equations of its own weights

    def residual(values: np.ndarray) -> np.ndarray:
        parameters = start.copy()
        parameters[free] = values
        moments = model.likelihood.moments(model.image(parameters), model.exposure(parameters))
        return ((data - moments.mean) / noise).ravel()

    found = least_squares(residual, start[free], x_scale="jac", xtol=1e-12, ftol=1e-12)
    errors = np.sqrt(np.diag(np.linalg.inv(end.curvature)))
    assert (abs(found.x - end.parameters[free]) / errors).max() < 0.01
    assert 2 * found.cost == pytest.approx(end.chi_square, rel=1e-6)


@pytest.mark.parametrize("preset", PRESETS)
def test_scores_vanish_at_the_end(preset: str) -> None:
    model, data, truth = problem(preset, index=1)
    end = optimise(model, data, displaced(model, truth), 30, tolerance=1e-4)
    assert end.converged
    residual = (data - end.moments.mean) / end.moments.variance
    scores = np.tensordot(end.jacobian, residual, 2)
    assert scores @ np.linalg.solve(end.curvature, scores) < 1e-7


def test_where_it_ends_does_not_depend_on_the_way() -> None:
    model, data, truth = problem("common-test-1")
    direct, long = (
        optimise(model, data, truth, 30),
        optimise(model, data, displaced(model, truth), 30),
    )
    assert long.chi_square == pytest.approx(direct.chi_square, rel=1e-5)
    moved = (long.parameters - direct.parameters)[list(model.free)]
    assert moved @ direct.curvature @ moved < 0.02**2
    assert long.steps > direct.steps > 0


def test_without_steps_the_start_is_described() -> None:
    model, data, truth = problem("common-test-1")
    end = optimise(model, data, truth, 0)
    assert np.array_equal(end.parameters, truth)
    assert (end.steps, end.converged) == (0, False)
    assert end.chi_square == pytest.approx(data.size, rel=0.05)


def test_a_start_outside_moves_inside() -> None:
    model, data, truth = problem("common-test-1")
    far = truth.copy()
    far[0] = 100.0
    end = optimise(model, data, far, 5)
    assert np.isfinite(end.chi_square)
    assert np.array_equal(end.parameters, model.inside(end.parameters))


def test_an_image_without_light_ends_somewhere() -> None:
    model, data, truth = problem("common-test-1")
    end = optimise(model, np.zeros_like(data), truth, 30)
    assert np.isfinite(end.parameters).all()
    assert end.steps <= 30


def test_pixels_of_infinite_noise_are_left_out() -> None:
    model, data, truth = problem("common-test-1")
    noise = np.sqrt(model.image(truth) + 10)
    noise[70:80, 20:40] = np.inf
    model = replace(model, likelihood=GaussianLikelihood(noise))
    spoilt = data.copy()
    spoilt[70:80, 20:40] = 1e5
    ends = [optimise(model, values - 10, truth, 30) for values in (spoilt, data)]
    assert np.array_equal(ends[0].parameters, ends[1].parameters)
    assert ends[0].converged
    assert ends[0].chi_square == pytest.approx(data.size - 200, rel=0.05)


def test_rough_noise_takes_scale_and_background() -> None:
    likelihood = DeepLenseSimLikelihood(DeepLenseSimNoise())
    flux, variance = np.array([[0.0, 0.5]]), np.array([[4.0, 5.0]])
    noise = RoughNoise(likelihood, 7.0, variance)
    moments = noise.moments(flux, 1000.0)
    assert np.array_equal(moments.mean, [[7.0, 507.0]])
    assert np.array_equal(moments.variance, variance)
    assert np.array_equal(moments.exposure_slope, [[0.0, 500.0]])
    assert moments.slope == noise.scale(1000.0) == 1000.0
