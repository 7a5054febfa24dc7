"""PSFs as files give them."""

import numpy as np
import pytest

from darklens.errors import BadInput
from darklens.lensing import GaussianPSF, PixelPSF
from darklens.observations.point_spread import gaussian_psf, pixel_psf, resampled_psf

from .conftest import gaussian_pixels


def width(psf: PixelPSF) -> float:
    """Standard deviation along the columns [pixel]."""
    line = psf.pixels.sum(axis=0) / psf.pixels.sum()
    axis = np.arange(len(line)) - len(line) // 2
    return float(np.sqrt((line * axis**2).sum() - (line * axis).sum() ** 2))


def test_odd_sides_are_kept_as_they_are() -> None:
    psf, done = pixel_psf(gaussian_pixels(11), scale=None, image_scale=0.1)
    np.testing.assert_array_equal(psf.pixels, gaussian_pixels(11))
    assert done == ""


def test_even_sides_are_cut_around_the_peak() -> None:
    psf, done = pixel_psf(gaussian_pixels(12), scale=None, image_scale=0.1)
    assert psf.pixels.shape == (11, 11)
    assert psf.pixels.argmax() == 60
    assert done == "cut from 12 x 12 to odd sides around its peak"


@pytest.mark.parametrize("sigma", [0.8, 1.5, 3.0])
def test_a_peak_between_pixels_is_refused(sigma: float) -> None:
    with pytest.raises(BadInput, match="between pixels"):
        pixel_psf(gaussian_pixels(20, sigma, shift=0.5), scale=None, image_scale=0.1)


def test_a_finer_psf_is_resampled_when_its_scale_is_known() -> None:
    fine = gaussian_pixels(61, 6.0)
    psf, done = pixel_psf(fine, scale=0.02, image_scale=0.1)
    assert done == "resampled from pixels of 0.02 to 0.1 arcsec"
    assert all(side % 2 for side in psf.pixels.shape)
    assert psf.pixels.sum() == pytest.approx(fine.sum(), rel=1e-5)
    assert width(psf) == pytest.approx(np.hypot(6.0 / 5, 1 / np.sqrt(12)), rel=0.01)


def test_the_psf_of_longer_pixels() -> None:
    psf = resampled_psf(PixelPSF(gaussian_pixels(21, 2.0)), 2.0)
    assert isinstance(psf, PixelPSF)
    pixels = (1 + 2**2) / 12  # the variances of an old and of a new pixel
    assert width(psf) == pytest.approx(np.sqrt(2.0**2 + pixels) / 2, rel=0.02)
    assert resampled_psf(GaussianPSF(0.2), 2.0) == GaussianPSF(0.2)


def test_what_is_no_psf_is_refused() -> None:
    with pytest.raises(BadInput, match="positive sum"):
        pixel_psf(np.zeros((5, 5)), scale=None, image_scale=None)
    for value in (0.0, -1.0, 100.0, float("nan")):
        with pytest.raises(BadInput, match="width must be positive"):
            gaussian_psf(value)
