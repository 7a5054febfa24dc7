"""One plane of a file: extensions, scales of pixels, and what is said where there is none."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from darklens.data import read_plane
from darklens.errors import UnreadableImage

PIXELS = np.random.default_rng(0).random((30, 40)).astype(np.float32)


@pytest.fixture
def telescope(tmp_path: Path) -> Path:
    """A file with an image, its PSF, a table-less header and world coordinates."""
    header = fits.Header(
        {
            "CTYPE1": "RA---TAN",
            "CTYPE2": "DEC--TAN",
            "CRPIX1": 20,
            "CRPIX2": 15,
            "CRVAL1": 10,
            "CRVAL2": -5,
            "CD1_1": -0.1 / 3600,
            "CD2_2": 0.1 / 3600,
        }
    )
    planes = [
        fits.PrimaryHDU(),
        fits.ImageHDU(PIXELS, header, name="FLUX"),
        fits.ImageHDU(np.ones((5, 5)), name="PSF"),
    ]
    path = tmp_path / "lens.fits"
    fits.HDUList(planes).writeto(path)
    return path


def test_the_first_plane_and_its_scale(telescope: Path) -> None:
    plane = read_plane(telescope)
    np.testing.assert_array_equal(plane.image, PIXELS)
    assert plane.image.dtype == np.float32
    assert plane.pixel_scale == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["PSF", "psf", "2"])
def test_extensions_by_name_and_number(telescope: Path, name: str) -> None:
    for plane in (read_plane(telescope, name), read_plane(f"{telescope}[{name}]")):
        assert plane.image.shape == (5, 5)
        assert plane.pixel_scale is None


def test_the_scale_of_a_keyword(tmp_path: Path) -> None:
    fits.PrimaryHDU(PIXELS[None], fits.Header({"PIXSCALE": 0.05})).writeto(tmp_path / "a.fits")
    plane = read_plane(tmp_path / "a.fits")
    assert plane.image.shape == PIXELS.shape
    assert plane.pixel_scale == 0.05


@pytest.mark.parametrize("keyword", ["CTYPE1", "CD1_1", "CRPIX2"])
def test_coordinates_that_are_damaged_give_no_scale(telescope: Path, keyword: str) -> None:
    content = telescope.read_bytes()
    place = content.index(f"{keyword:8s}= ".encode()) + 10
    telescope.write_bytes(content[:place] + b"'RA\xff ---" + content[place + 8 :])
    plane = read_plane(telescope)
    np.testing.assert_array_equal(plane.image, PIXELS)
    assert plane.pixel_scale is None or keyword == "CRPIX2"


def test_npy_planes_may_hold_anything(tmp_path: Path) -> None:
    noise = np.where(PIXELS > 0.9, np.inf, 1.0)
    np.save(tmp_path / "noise.npy", noise[None])
    np.testing.assert_array_equal(read_plane(tmp_path / "noise.npy").image, noise)


def test_what_is_wrong_is_said(telescope: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UnreadableImage, match="no image in extension RMS; extensions with images: 1 FLUX"
    ):
        read_plane(telescope, "RMS")
    with pytest.raises(UnreadableImage, match="no such file"):
        read_plane(tmp_path / "none.fits[PSF]")
    np.save(tmp_path / "colour.npy", np.random.default_rng(0).random((3, 20, 20)))
    with pytest.raises(UnreadableImage, match="wrong shape"):
        read_plane(tmp_path / "colour.npy")
    np.save(tmp_path / "pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UnreadableImage, match=r"no image|damaged|refused"):
        read_plane(tmp_path / "pickle.npy")
    (tmp_path / "text.fits").write_text("not FITS")
    with pytest.raises(UnreadableImage, match="not a FITS file"):
        read_plane(tmp_path / "text.fits")
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    with pytest.raises(UnreadableImage, match="no two-dimensional image"):
        read_plane(tmp_path / "empty.fits")


def test_real_images_of_telescopes(shared_data: Path) -> None:
    euclid = shared_data / "telescope" / "euclid_q1" / "lens_vis_yjh.fits"
    plane = read_plane(euclid)
    assert plane.image.shape == (300, 300)
    assert plane.pixel_scale == pytest.approx(0.1)
    assert read_plane(f"{euclid}[VIS_PSF]").image.shape == (21, 21)
    assert read_plane(shared_data / "telescope" / "slacs0946" / "data.fits").pixel_scale is None


def test_a_scale_that_is_infinite_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -1e-5})
    fits.PrimaryHDU(np.arange(400.0).reshape(20, 20), header).writeto(path)
    content = path.read_bytes()
    at = content.index(b"CDELT1")
    path.write_bytes(content[: at + 10] + b"1E400".rjust(20) + content[at + 30 :])
    assert read_plane(path).pixel_scale is None
