"""The noise models: their means and variances."""

import numpy as np
import pytest
from scipy import stats

from darklens.errors import BadPreset
from darklens.lensing.noise import CCDNoise, DeepLenseSimNoise, NoNoise, PhotonNoise

SHAPE = (500, 400)


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


def test_the_expectation_of_photon_noise_is_its_mean() -> None:
    flux, rng = np.full((2, 2), 0.2), np.random.default_rng(0)
    noise = PhotonNoise(background=10.0, background_rms=0.01)
    image = noise.expectation().observe(flux, 500.0, 0.05, rng)
    assert image.dtype == np.float32
    assert image == pytest.approx(np.full((2, 2), 135.0 + 5.0**2))


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
