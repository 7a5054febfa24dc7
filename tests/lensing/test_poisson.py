"""The Poisson sampler against SciPy."""

import numpy as np
import pytest
from scipy import stats

from darklens.lensing.poisson import poisson

DRAWS = 100_000
SHAPE = (500, 400)
MEANS = [0.01, 0.5, 0.999, 1.0, 4.2, 10.0, 12.5, 30.9, 99.5, 126.5, 127.0, 127.99]
MEANS += [128.0, 128.5, 300.0, 3000.0, 6e4]  # from 128 on another algorithm


def poisson_p_value(draws: np.ndarray, mean: float) -> float:
    """Chi-square test against the Poisson distribution, in bins of at least 100 expected."""
    low, high = stats.poisson(mean).ppf([1e-3, 1 - 1e-3]).astype(int)
    edges = np.unique(np.linspace(low, max(high, low + 1), 40).astype(int))
    cumulative = stats.poisson(mean).cdf(edges)
    expected = np.diff(np.concatenate([[0], cumulative, [1]])) * draws.size
    observed = np.bincount(np.searchsorted(edges, draws), minlength=expected.size)
    filled = expected > 5
    return float(
        stats.chisquare(
            np.append(observed[filled], observed[~filled].sum() + 1e-9),
            np.append(expected[filled], expected[~filled].sum() + 1e-9),
        ).pvalue
    )


@pytest.mark.parametrize("mean", MEANS)
def test_poisson_draws_follow_the_distribution(mean: float) -> None:
    draws = poisson(np.full((1, DRAWS), mean), np.random.default_rng(1))
    assert poisson_p_value(draws.ravel(), mean) > 1e-3
    assert draws.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / DRAWS))


def test_poisson_of_neighbouring_pixels_is_independent() -> None:
    draws = poisson(np.full(SHAPE, 20.0), np.random.default_rng(2)) - 20.0
    correlation = (draws[:, 1:] * draws[:, :-1]).mean() / 20
    assert abs(correlation) < 5 / np.sqrt(draws.size)


def test_poisson_of_zero_is_zero_and_of_a_seed_the_same() -> None:
    assert not poisson(np.zeros((3, 3)), np.random.default_rng(0)).any()
    mean = np.linspace(0, 40, 400).reshape(20, 20)
    first, again = (poisson(mean, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_poisson_of_mixed_means_follows_the_distribution_in_each() -> None:
    means = np.repeat(np.random.default_rng(3).uniform(0, 200, 40), 5000)
    order = np.random.default_rng(4).permutation(means.size)
    draws = np.empty(means.size)
    draws[order] = poisson(means[order][np.newaxis], np.random.default_rng(5))[0]
    starts = range(0, 200000, 5000)
    p_values = [poisson_p_value(draws[i : i + 5000].astype(int), means[i]) for i in starts]
    assert min(p_values) > 1e-3 / 40
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3


def test_a_fraction_adds_its_own_variance() -> None:
    # The sampler draws the whole and the fractional part of a mean from one uniform number.
    draws = poisson(np.full((1, 1_000_000), 6.7), np.random.default_rng(6)).ravel()
    assert draws.var() == pytest.approx(6.7, rel=0.008)
    third = ((draws - 6.7) ** 3).mean()
    assert third == pytest.approx(6.7, rel=0.05)
