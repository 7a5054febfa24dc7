"""PSFs, zero points and skies."""

import numpy as np
import pytest
from scipy import ndimage

from darklens.errors import BadPreset
from darklens.lensing import GaussianPSF, Instrument, PixelGrid, PixelPSF, Sersic
from darklens.lensing.instrument import FWHM_PER_SIGMA

IMAGE = np.random.default_rng(0).random((37, 52))


@pytest.mark.parametrize(("sigma", "truncation"), [(0.74, 3), (1.74, 2.9), (2.5, 4)])
def test_gaussian_psf_is_that_of_scipy(sigma: float, truncation: float) -> None:
    psf = GaussianPSF(sigma * 0.05 * FWHM_PER_SIGMA, truncation)
    truth = ndimage.gaussian_filter(IMAGE, sigma, mode="nearest", truncate=truncation)
    np.testing.assert_allclose(psf.convolve(IMAGE, 0.05), truth, rtol=1e-12)


def test_gaussian_psf_of_the_benchmark_is_11_pixels_wide() -> None:
    assert GaussianPSF(0.2048693439, 2.9).kernel(0.05).size == 11


def test_pixel_psf_is_the_gaussian_when_its_pixels_are() -> None:
    gaussian = GaussianPSF(0.2, 3)
    kernel = gaussian.kernel(0.05)
    pixels = PixelPSF(7.0 * np.outer(kernel, kernel))
    truth = gaussian.convolve(IMAGE, 0.05)
    np.testing.assert_allclose(pixels.convolve(IMAGE, 0.05), truth, rtol=1e-12)


def test_a_point_takes_the_shape_of_the_pixel_psf() -> None:
    pixels = np.random.default_rng(1).random((5, 7))  # not symmetric
    image = np.zeros((21, 21))
    image[10, 9] = 3.0
    found = PixelPSF(pixels).convolve(image, 0.05)
    np.testing.assert_allclose(found[8:13, 6:13], 3 * pixels / pixels.sum())
    assert found.sum() == pytest.approx(3.0)


@pytest.mark.parametrize("psf", [GaussianPSF(0.3, 4), PixelPSF(np.ones((3, 5)))])
def test_a_flat_sky_stays_flat(psf: GaussianPSF | PixelPSF) -> None:
    np.testing.assert_allclose(psf.convolve(np.full((20, 30), 2.5), 0.05), 2.5)


@pytest.mark.parametrize(
    "pixels", [np.ones((2, 3)), np.ones(3), np.zeros((3, 3)), np.full((3, 3), np.nan)]
)
def test_wrong_psf_pixels_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(BadPreset, match=r"^psf: "):
        PixelPSF(pixels)


def test_zero_point_and_sky() -> None:
    instrument = Instrument(zero_point=25.0, sky_magnitude=22.5)
    assert instrument.count_rate(25.0) == pytest.approx(1.0)
    assert instrument.count_rate(22.5) == pytest.approx(10.0)
    assert instrument.sky_rate(0.01) == pytest.approx(0.1)
    assert Instrument().sky_rate(0.01) == 0.0
    with pytest.raises(BadPreset, match="needs a zero_point"):
        Instrument().count_rate(20.0)
    with pytest.raises(BadPreset, match="supersampling"):
        Instrument(supersampling=0)


def test_a_magnitude_is_the_flux_of_the_whole_profile() -> None:
    grid = PixelGrid((201, 201), 0.05)
    unit = Sersic(1.0, 0.25, 1.0, 0.7)
    source = Sersic(Instrument(zero_point=25.0).count_rate(20.0) / unit.total_flux, 0.25, 1.0, 0.7)
    flux = source.brightness(*grid.coordinates()).sum() * grid.pixel_area
    assert flux == pytest.approx(100.0, rel=2e-3)


def test_no_psf_leaves_the_image() -> None:
    assert Instrument().observe(IMAGE, 0.05) is IMAGE


@pytest.mark.parametrize("sides", [(9, 9), (21, 13), (41, 41)])
def test_a_large_psf_is_convolved_as_a_sum_is(sides: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    pixels, image = rng.random(sides), rng.random((37, 52))
    expected = ndimage.convolve(image, pixels / pixels.sum(), mode="nearest")
    psf = PixelPSF(pixels)
    for _ in range(2):  # the second time with the remembered spectrum
        np.testing.assert_allclose(psf.convolve(image, 0.05), expected, atol=1e-12)
