"""The likelihoods: moments as the noise models draw them, derivatives as finite differences say."""

import numpy as np
import pytest

from darklens.errors import BadPreset
from darklens.lensing.noise import CCDNoise, DeepLenseSimNoise, NoiseModel, NoNoise, PhotonNoise
from darklens.modelling.likelihood import (
    CCDLikelihood,
    DeepLenseSimLikelihood,
    GaussianLikelihood,
    Likelihood,
    PhotonLikelihood,
    likelihood_of,
)

EXPOSURE, SKY = 1500.0, 0.003
FLUX = np.array([[0.0, 0.001, 0.02, 0.3, 2.0]])
NOISE_MODELS = [
    PhotonNoise(background=10.0),
    PhotonNoise(background_rms=0.01),
    DeepLenseSimNoise(background_rms=0.01),
    CCDNoise(read_noise=4.2, exposures=4),
]


@pytest.fixture(params=NOISE_MODELS, ids=str)
def noise(request: pytest.FixtureRequest) -> NoiseModel:
    return request.param


def test_moments_are_those_of_the_noise(noise: NoiseModel) -> None:
    rng, draws = np.random.default_rng(0), 60_000
    moments = likelihood_of(noise, SKY).moments(FLUX, EXPOSURE)
    for k, flux in enumerate(FLUX[0]):
        image = noise.observe(np.full((draws, 1), flux), EXPOSURE, SKY, rng).astype(np.float64)
        mean, variance = moments.mean[0, k], moments.variance[0, k]
        assert image.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / draws))
        fourth = np.mean((image - mean) ** 4)
        error = np.sqrt((fourth - variance**2) / draws)
        assert image.var() == pytest.approx(variance, abs=5 * error)


def test_slopes_are_derivatives_of_the_mean(noise: NoiseModel) -> None:
    likelihood, step = likelihood_of(noise, SKY), 1e-6
    moments = likelihood.moments(FLUX + 0.001, EXPOSURE)
    above, below = (likelihood.moments(FLUX + 0.001 + s, EXPOSURE).mean for s in (step, -step))
    slope = np.broadcast_to(moments.slope, FLUX.shape)
    assert (above - below) / (2 * step) == pytest.approx(slope, rel=1e-5)
    above, below = (
        likelihood.moments(FLUX + 0.001, EXPOSURE * np.exp(s)).mean for s in (step, -step)
    )
    slope = np.broadcast_to(moments.exposure_slope, FLUX.shape)
    assert (above - below) / (2 * step) == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_scale_and_gain_are_those_of_bright_pixels(noise: NoiseModel) -> None:
    likelihood = likelihood_of(noise, SKY)
    bright = likelihood.moments(np.array([[50.0, 100.0]]), EXPOSURE)
    scale, gain = np.diff(bright.mean)[0, 0] / 50, np.diff(bright.variance) / np.diff(bright.mean)
    assert likelihood.scale(EXPOSURE) == pytest.approx(scale, rel=1e-6)
    assert likelihood.gain(EXPOSURE) == pytest.approx(gain[0, 0], rel=1e-6)


def test_empty_sky_of_the_published_noise_is_a_clipped_normal() -> None:
    likelihood = DeepLenseSimLikelihood(DeepLenseSimNoise(background_rms=0.01))
    moments = likelihood.moments(np.zeros((1, 1)), 2000.0)
    mean = 20 / np.sqrt(2 * np.pi)
    assert moments.mean[0, 0] == pytest.approx(mean)
    assert moments.variance[0, 0] == pytest.approx(mean + 200 - mean**2)


def test_negative_flux_has_a_positive_variance(noise: NoiseModel) -> None:
    moments = likelihood_of(noise, 0.0).moments(np.full((1, 1), -0.5), EXPOSURE)
    assert np.isfinite(moments.mean).all()
    assert (moments.variance > 0).all()


def test_a_given_noise_map_stays() -> None:
    noise = np.array([[0.1, 2.0, np.inf]])
    likelihood = GaussianLikelihood(noise)
    flux = np.array([[1.0, 2.0, 3.0]])
    moments = likelihood.moments(flux, 100.0)
    assert np.array_equal(moments.mean, flux)
    assert np.array_equal(moments.variance, noise**2)
    assert moments.slope == 1.0
    assert moments.exposure_slope == 0.0
    assert likelihood.scale(100.0) == 1.0


@pytest.mark.parametrize(
    ("noise", "kind"),
    [
        (PhotonNoise(), PhotonLikelihood),
        (DeepLenseSimNoise(), DeepLenseSimLikelihood),
        (CCDNoise(), CCDLikelihood),
    ],
)
def test_each_noise_has_its_likelihood(noise: NoiseModel, kind: type[Likelihood]) -> None:
    likelihood = likelihood_of(noise, 0.5)
    assert isinstance(likelihood, kind)
    assert likelihood == kind(noise, 0.5)  # type: ignore[call-arg]


def test_no_noise_has_none() -> None:
    with pytest.raises(BadPreset, match="noise"):
        likelihood_of(NoNoise(), 0.0)


def test_light_that_was_subtracted_leaves_its_noise() -> None:
    light = np.full_like(FLUX, 4.0)
    noise = PhotonNoise(background=10.0)
    without = PhotonLikelihood(noise).moments(FLUX, EXPOSURE)
    moments = PhotonLikelihood(noise, other_light=light).moments(FLUX, EXPOSURE)
    assert np.array_equal(moments.mean, without.mean)
    assert moments.variance == pytest.approx(without.variance + 4)
