"""The fit of the smooth lens: the truth within its errors, from a start of its own."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from darklens.errors import BadInput
from darklens.modelling import PARAMETERS, SmoothFit, SmoothFitter, scene_parameters
from darklens.modelling.likelihood import GaussianLikelihood
from darklens.simulation import Lens, Simulator

FitterOf = Callable[[str], SmoothFitter]
SKY = 10.0


@pytest.fixture(scope="module")
def fitter(fitter_of: FitterOf) -> SmoothFitter:
    return fitter_of("common-test-1")


@pytest.fixture(scope="module")
def lens() -> Lens:
    return Simulator("common-test-1", classes=["no"]).lens(3)


@pytest.fixture(scope="module")
def fit(fitter: SmoothFitter, lens: Lens) -> SmoothFit:
    return fitter.fit(lens.image[0])


def truth_of(lens: Lens) -> np.ndarray:
    return scene_parameters(lens.scene, lens.parameters["exposure"])


def pulls(fit: SmoothFit, truth: np.ndarray) -> np.ndarray:
    """Differences to the truth in units of the errors."""
    return np.array(
        [
            (value - truth[PARAMETERS.index(name)]) / fit.errors[name]
            for name, value in fit.values.items()
        ]
    )


@pytest.mark.parametrize("preset", ["common-test-1", "model-1-legacy"])
def test_truth_lies_within_the_errors(preset: str, fitter_of: FitterOf) -> None:
    fitter, simulator = fitter_of(preset), Simulator(preset, classes=["no"])
    values = []
    for index in range(15):
        lens = simulator.lens(index)
        fit = fitter.fit(lens.image[0])
        assert fit.converged
        assert fit.chi_square == pytest.approx(1, abs=0.05)
        values.append(pulls(fit, truth_of(lens)))
    assert abs(np.array(values)).max() < 4
    assert np.square(values).mean() == pytest.approx(1, abs=4 * np.sqrt(2 / np.size(values)))


def test_covariance_is_that_of_repeated_observations(fitter: SmoothFitter, lens: Lens) -> None:
    truth, rng = truth_of(lens), np.random.default_rng(0)
    expected = fitter.model.image(truth) + SKY
    free, count = list(fitter.model.free), 80
    fits = [fitter.fit(rng.poisson(expected), truth) for _ in range(count)]
    parameters = np.array([fit.parameters[free] for fit in fits])
    errors = np.sqrt(np.diag(fits[0].covariance))
    assert parameters.std(axis=0) == pytest.approx(errors, rel=4 / np.sqrt(2 * count))
    assert abs(parameters.mean(axis=0) - truth[free]).max() < 4 * (errors / np.sqrt(count)).max()
    expected_correlation = fits[0].covariance / np.outer(errors, errors)
    correlation = np.corrcoef(parameters.T)
    assert abs(correlation - expected_correlation).max() < 4 / np.sqrt(count)


@pytest.mark.parametrize("preset", ["common-test-1", "model-1-legacy"])
def test_the_search_reaches_the_optimum_near_the_truth(preset: str, fitter_of: FitterOf) -> None:
    fitter, simulator = fitter_of(preset), Simulator(preset)
    for index in range(15):
        lens = simulator.lens(index, seed=7)
        searched, ideal = fitter.fit(lens.image[0]), fitter.fit(lens.image[0], truth_of(lens))
        assert searched.chi_square <= ideal.chi_square * (1 + 1e-4)


def test_a_perturber_is_left_in_the_residual(fitter: SmoothFitter) -> None:
    simulator = Simulator("common-test-1", classes=["vort"])
    fits = [fitter.fit(simulator.lens(index).image[0]) for index in range(5)]
    assert all(fit.chi_square > 1.03 for fit in fits)
    assert all(fit.converged for fit in fits)


def test_what_is_told_belongs_together(fit: SmoothFit, lens: Lens) -> None:
    assert np.allclose(fit.residual * fit.noise + fit.model, lens.image[0])
    assert np.allclose(fit.noise**2, fit.model)  # Poisson
    free = len(fit.names)
    expected = np.square(fit.residual).sum() / (fit.residual.size - free)
    assert fit.chi_square == pytest.approx(expected)
    assert fit.covariance.shape == (free, free)
    assert fit.whitened_jacobian.shape == (free, 150, 150)
    jacobian = fit.whitened_jacobian.reshape(free, -1)
    assert np.allclose(np.linalg.inv(jacobian @ jacobian.T), fit.covariance, rtol=1e-4)
    assert set(fit.values) == set(fit.errors) == set(fit.names)
    assert fit.values["gamma1"] == fit.parameters[PARAMETERS.index("gamma1")]


def test_sensitivity_is_the_effect_of_a_moved_source(fit: SmoothFit, fitter: SmoothFitter) -> None:
    model, step = fitter.model, 1e-5
    for k, name in enumerate(("source_x", "source_y")):
        moved = fit.parameters.copy()
        moved[PARAMETERS.index(name)] += step
        change = (model.image(moved) - model.image(fit.parameters)) / step / fit.noise
        assert abs(fit.sensitivity[k] - change).max() < 1e-3 * abs(change).max()


def test_sensitivity_does_not_ask_for_a_free_source(
    fit: SmoothFit, fitter: SmoothFitter, lens: Lens
) -> None:
    model = replace(fitter.model, free=(PARAMETERS.index("einstein_radius"),))
    less = SmoothFitter(model).fit(lens.image[0], fit.parameters)
    assert less.names == ("einstein_radius",)
    assert abs(less.sensitivity - fit.sensitivity).max() < 1e-2 * abs(fit.sensitivity).max()


@pytest.mark.parametrize("kind", [np.uint16, np.int64, np.float32])
def test_the_type_of_the_pixels_does_not_matter(
    kind: type, fit: SmoothFit, fitter: SmoothFitter, lens: Lens
) -> None:
    again = fitter.fit(lens.image[0].astype(kind))
    assert np.array_equal(again.parameters, fit.parameters)
    assert np.array_equal(again.residual, fit.residual)


def test_a_noise_map_may_mask_pixels(fitter: SmoothFitter, lens: Lens, fit: SmoothFit) -> None:
    noise = fit.noise.copy()
    noise[:75, :30] = np.inf
    image = lens.image[0] - SKY
    image[:75, :30] = 1e4
    model = replace(fitter.model, likelihood=GaussianLikelihood(noise))
    masked = SmoothFitter(model).fit(image, fit.parameters)
    assert masked.converged
    assert masked.chi_square == pytest.approx(1, abs=0.05)
    assert np.array_equal(masked.residual[:75, :30], np.zeros((75, 30)))
    assert abs(pulls(masked, fit.parameters)).max() < 1


def test_pixels_may_be_nan_where_the_noise_is_infinite(
    fitter: SmoothFitter, lens: Lens, fit: SmoothFit
) -> None:
    noise = fit.noise.copy()
    noise[:75, :30] = np.inf
    image = lens.image[0] - SKY
    masked = SmoothFitter(replace(fitter.model, likelihood=GaussianLikelihood(noise)))
    expected = masked.fit(image, fit.parameters)
    image[:75, :30] = np.nan
    found = masked.fit(image, fit.parameters)
    np.testing.assert_array_equal(found.parameters, expected.parameters)
    assert np.isfinite(found.residual).all()
    image[80, 80] = np.nan
    with pytest.raises(BadInput, match="not finite"):
        masked.fit(image, fit.parameters)


def test_an_image_of_sky_is_no_lens(fitter: SmoothFitter) -> None:
    fit = fitter.fit(np.random.default_rng(0).poisson(SKY, (150, 150)))
    assert fit.chi_square > 2 or not fit.converged
    assert np.isfinite(fit.residual).all()


def test_the_border_of_the_bounds_is_no_optimum(fitter: SmoothFitter, lens: Lens) -> None:
    upper = fitter.model.upper.copy()
    upper[0] = truth_of(lens)[0] - 0.1
    narrow = SmoothFitter(replace(fitter.model, upper=upper))
    assert not narrow.fit(lens.image[0], truth_of(lens)).converged


def test_another_shape_is_refused(fitter: SmoothFitter) -> None:
    with pytest.raises(BadInput, match=r"takes \(150, 150\) pixels"):
        fitter.fit(np.zeros((64, 64)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_not_finite_are_refused(
    value: float, fitter: SmoothFitter, lens: Lens
) -> None:
    image = lens.image[0].astype(np.float64)
    image[2, 3] = value
    with pytest.raises(BadInput, match="not finite"):
        fitter.fit(image)
