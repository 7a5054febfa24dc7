"""Samples of the posterior: right on a Gaussian problem, within bounds, reproducible."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from darklens.errors import BadInput
from darklens.lensing import PixelGrid
from darklens.modelling import (
    GaussianLikelihood,
    Parameter,
    SmoothFitter,
    SmoothModel,
    adapt_preset,
    conventional_parameters,
    fit_estimates,
    sample_posterior,
    smooth_model,
    with_free_slope,
)
from darklens.modelling.fit import SmoothFit
from darklens.simulation import load_preset

NOISE = 0.02


@pytest.fixture(scope="module")
def seen() -> tuple[SmoothModel, np.ndarray, SmoothFit]:
    """A small image of a galaxy with its fit, in which only the mass is free."""
    grid = PixelGrid((40, 40), 0.1)
    preset = adapt_preset(load_preset("galaxy"), grid=grid, lens_light=False)
    model = smooth_model(preset, GaussianLikelihood(np.full(grid.shape, NOISE)), draws=50)
    names = ("EINSTEIN_RADIUS", "LENS_E1", "LENS_E2", "GAMMA1", "GAMMA2")
    model = replace(model, free=tuple(sorted(Parameter[name] for name in names)))
    truth = model.draws[0].copy()
    truth[Parameter.EINSTEIN_RADIUS] = 1.2
    truth[Parameter.SOURCE_LOG_AMPLITUDE] = 2.0
    noise = np.random.default_rng(1).normal(0, NOISE, grid.shape)
    data = model.image(truth) + noise
    return model, data, SmoothFitter(model).fit(data, truth)


def test_samples_have_the_errors_of_the_fit_where_the_problem_is_gaussian(seen) -> None:
    model, data, fit = seen
    found = sample_posterior(model, data, fit, steps=300)
    assert found.names == model.names
    assert found.samples.shape == (150 * 16, 5)
    assert 0.15 < found.acceptance < 0.7
    values, errors = np.array(list(fit.values.values())), np.array(list(fit.errors.values()))
    pull = (found.samples.mean(axis=0) - values) / errors
    assert np.abs(pull).max() < 0.35
    np.testing.assert_allclose(found.samples.std(axis=0), errors, rtol=0.25)
    assert found.log_probability.max() > np.median(found.log_probability)


def test_a_free_slope_is_sampled_under_its_prior(seen) -> None:
    model, data, fit = seen
    free = with_free_slope(model)
    assert with_free_slope(free) is free
    assert free.prior is not None
    assert free.prior.precision[Parameter.LENS_SLOPE] == pytest.approx(25)
    found = sample_posterior(free, data, fit, steps=120)
    slope = found.samples[:, found.names.index("lens_slope")]
    assert slope.mean() == pytest.approx(2.0, abs=0.1)
    assert 0.001 < slope.std() < 0.2


def test_the_seed_decides(seen) -> None:
    model, data, fit = seen
    first, again, other = (sample_posterior(model, data, fit, steps=4, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.samples, again.samples)
    assert not np.array_equal(first.samples, other.samples)


def test_samples_stay_within_the_bounds_and_short_chains_are_called_short(seen) -> None:
    model, data, fit = seen
    upper = model.upper.copy()
    upper[Parameter.EINSTEIN_RADIUS] = fit.values["einstein_radius"]
    found = sample_posterior(replace(model, upper=upper), data, fit, steps=40)
    assert found.samples[:, 0].max() < upper[Parameter.EINSTEIN_RADIUS]
    assert not found.long_enough


def test_pixels_that_are_unknown_or_have_no_weight_are_left_out(seen) -> None:
    model, data, fit = seen
    noise = np.full(data.shape, NOISE)
    noise[:4] = np.inf
    hidden = replace(model, likelihood=GaussianLikelihood(noise))
    spoilt = data.copy()
    spoilt[:4], spoilt[4, 4] = 1e6, np.nan
    found = sample_posterior(hidden, spoilt, fit, steps=20)
    assert np.isfinite(found.log_probability).all()


def test_samples_have_the_names_and_units_of_the_table(seen) -> None:
    model, data, fit = seen
    found = sample_posterior(model, data, fit, steps=60)
    named = conventional_parameters(found.names, found.samples)
    wanted = fit_estimates(fit)
    assert list(named) == list(wanted)
    for name in ("einstein_radius", "shear", "lens_axis_ratio"):
        assert np.median(named[name]) == pytest.approx(
            wanted[name].value, abs=4 * wanted[name].error
        )


def test_wrong_arguments_and_a_missing_package_are_one_line(seen, monkeypatch) -> None:
    model, data, fit = seen
    with pytest.raises(BadInput, match="two steps"):
        sample_posterior(model, data, fit, steps=1)
    monkeypatch.setitem(sys.modules, "emcee", None)
    with pytest.raises(BadInput, match=r"pip install 'darklens\[posterior\]'"):
        sample_posterior(model, data, fit)
