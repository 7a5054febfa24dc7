"""The noise laws: distribution of the Poisson sampler, means and variances."""

import numpy as np
import pytest
from scipy import stats

from darklens.errors import BadPreset
from darklens.lensing.noise import CCDNoise, DeepLenseSimNoise, NoNoise, PhotonNoise, poisson

DRAWS = 100_000
SHAPE = (500, 400)


def poisson_p_value(draws: np.ndarray, mean: float) -> float:
    """Chi-square test of draws against the Poisson law, in bins of at least 100 expected."""
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


@pytest.mark.parametrize(
    "mean", [0.01, 0.5, 1.0, 4.2, 9.0, 9.99, 10.0, 10.01, 12.5, 30.0, 300.0, 3000.0, 6e4]
)
def test_poisson_follows_the_law(mean: float) -> None:
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


def check_moments(image: np.ndarray, mean: float, variance: float) -> None:
    n = image.size
    assert image.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / n))
    assert image.astype(np.float64).var() == pytest.approx(variance, rel=5 * np.sqrt(2.5 / n))


def test_photon_noise() -> None:
    flux, rng = np.full(SHAPE, 0.2), np.random.default_rng(0)
    image = PhotonNoise(background=10.0).observe(flux, 500.0, 0.05, rng)
    assert image.dtype == np.uint16
    check_moments(image, 135.0, 135.0)
    image = PhotonNoise(background_rms=0.01).observe(flux, 2000.0, 0.0, rng)
    check_moments(image, 400.0 + 20.0**2, 400.0 + 20.0**2)


def test_deeplensesim_noise_holds_the_photons_twice() -> None:
    flux, rng = np.full(SHAPE, 0.5), np.random.default_rng(0)
    image = DeepLenseSimNoise(background_rms=0.01).observe(flux, 2000.0, 0.0, rng)
    assert image.dtype == np.uint16
    check_moments(image, 1000.0, 2 * 1000.0 + 20.0**2)


def test_deeplensesim_sky_is_a_clipped_normal() -> None:
    image = DeepLenseSimNoise().observe(np.zeros(SHAPE), 2000.0, 0.0, np.random.default_rng(0))
    rms = 20.0
    check_mean, square = rms / np.sqrt(2 * np.pi), rms**2 / 2
    check_moments(image, check_mean, check_mean + square - check_mean**2)
    assert (image == 0).mean() == pytest.approx(0.5 + 0.5 * empty_share(rms), abs=0.006)


def empty_share(rms: float) -> float:
    """Probability that a Poisson number of a half-normal mean is zero."""
    return float(2 * np.exp(rms**2 / 2) * stats.norm.sf(rms))


def test_ccd_noise() -> None:
    flux, rng = np.full(SHAPE, 0.3), np.random.default_rng(0)
    noise = CCDNoise(read_noise=4.2, exposures=4)
    image = noise.observe(flux, 566.0, 0.2, rng)
    assert image.dtype == np.float32
    total = 4 * 566.0
    check_moments(image, 0.3, (total * 0.5 + 4 * 4.2**2) / total**2)


def test_no_noise_is_the_expected_counts() -> None:
    flux = np.random.default_rng(0).random((4, 5))
    image = NoNoise().observe(flux, 100.0, 0.5, np.random.default_rng(0))
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, 100 * (flux + 0.5), rtol=1e-6)


def test_counts_beyond_uint16_are_refused() -> None:
    with pytest.raises(BadPreset, match="more than 65535: lower the source's brightness"):
        PhotonNoise().observe(np.full((2, 2), 1e5), 1.0, 0.0, np.random.default_rng(0))
