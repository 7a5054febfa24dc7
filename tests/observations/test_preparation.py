"""Each step of the preparation: asked for, done as said, and said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from darklens.errors import BadInput
from darklens.lensing import PixelPSF
from darklens.observations import (
    ImageOptions,
    Observation,
    prepare_observation,
    read_observation,
)

from .conftest import LENS, NEIGHBOUR, PLACE, RMS, SIDE, lens_image, sky_header, write


@pytest.fixture
def seen(lens_file: Path) -> Observation:
    return read_observation(lens_file)


def peak(observation: Observation) -> tuple[int, int]:
    """Column and row of the brightest pixel."""
    row, column = np.unravel_index(int(np.nanargmax(observation.image)), observation.image.shape)
    return int(column), int(row)


def test_nothing_is_done_unasked(seen: Observation) -> None:
    made = prepare_observation(seen)
    np.testing.assert_array_equal(made.image, seen.image)
    np.testing.assert_array_equal(made.mask, seen.mask)
    assert made.centre == (50.0, 50.0)
    assert any("arcsec from the middle: --centre brightest" in note for note in made.notes)
    assert any("1 source beyond 3 arcsec" in note for note in made.notes)


@pytest.mark.parametrize("centre", ["brightest", "56,47", "150.1d,2.2d", "10:00:24,+02:12:00"])
def test_a_cutout_around_the_lens_keeps_its_place_on_the_sky(
    seen: Observation, centre: str
) -> None:
    made = prepare_observation(seen, ImageOptions(centre=centre, size=61))
    assert made.image.shape == (61, 61)
    assert peak(made) == pytest.approx((30, 30), abs=1)
    assert made.position == pytest.approx(PLACE, abs=0.11 / 3600)
    assert made.centre == pytest.approx(LENS, abs=1)
    x, y = (round(value) for value in made.centre)
    np.testing.assert_array_equal(made.image, seen.image[y - 30 : y + 31, x - 30 : x + 31])
    assert made.noise is not None
    assert made.noise.shape == made.mask.shape == (61, 61)
    assert not made.mask.any()


def test_without_a_size_the_largest_cutout_that_fits(seen: Observation) -> None:
    made = prepare_observation(seen, ImageOptions(centre="brightest"))
    assert peak(made) == (made.image.shape[1] // 2, made.image.shape[0] // 2)
    assert made.image.shape == (95, 89)


def test_what_lies_outside_of_the_image_is_masked(seen: Observation) -> None:
    made = prepare_observation(seen, ImageOptions(centre="10,10", size=41))
    assert made.mask.sum() == 41**2 - 31**2
    assert np.isnan(made.image[made.mask]).all()
    assert made.noise is not None
    assert np.isinf(made.noise[made.mask]).all()
    assert "720 pixels of the cutout lie outside of the image" in made.notes
    whole = prepare_observation(seen, ImageOptions(size=400))
    assert whole.image.shape == (SIDE, SIDE)


def test_the_sky_is_subtracted_when_asked(seen: Observation) -> None:
    made = prepare_observation(seen, ImageOptions(background="subtract"))
    assert seen.sky is not None
    np.testing.assert_allclose(made.image, seen.image - seen.sky.level)
    assert made.notes[0] == f"subtracted the sky at the border, {seen.sky.level:.4g}"


def test_neighbours_are_masked_when_asked(seen: Observation) -> None:
    options = ImageOptions(centre="brightest", neighbours="mask")
    made = prepare_observation(seen, options)
    corner = [round(c - 0.5 * (side - 1)) for c, side in zip(made.centre, (89, 95), strict=True)]
    x, y = (round(place) - first for place, first in zip(NEIGHBOUR, corner, strict=True))
    assert made.mask[y, x]
    assert made.noise is not None
    np.testing.assert_array_equal(np.isinf(made.noise), made.mask)
    assert any(note.startswith("masked 1 source beyond 3 arcsec") for note in made.notes)
    wide = prepare_observation(seen, replace(options, protected_radius=8.0))
    assert not wide.mask.any()


def test_resampling_keeps_flux_place_and_psf(seen: Observation) -> None:
    made = prepare_observation(seen, ImageOptions(centre="brightest", size=31, resample=0.2))
    assert made.image.shape == (31, 31)
    assert made.pixel_scale == 0.2
    x, y = (round(value) for value in made.centre)
    cut = seen.image[y - 31 : y + 31, x - 31 : x + 31]
    assert made.image.sum() == pytest.approx(cut.sum(), rel=0.01)
    assert made.noise is not None
    assert float(np.median(made.noise)) == pytest.approx(2 * RMS, rel=0.01)
    assert made.position == pytest.approx(PLACE, abs=0.11 / 3600)
    assert isinstance(made.psf, PixelPSF)
    assert made.psf.pixels.shape == (5, 5)
    assert any("resampled from 0.1 to 0.2 arcsec/pixel, flux conserved" in n for n in made.notes)


def test_surface_brightness_is_averaged(seen: Observation) -> None:
    made = prepare_observation(replace(seen, unit="MJy/sr"), ImageOptions(resample=0.2))
    assert made.sky is not None
    assert made.sky.level == pytest.approx(0.3, abs=RMS)
    assert any("surface brightness conserved" in note for note in made.notes)


def test_the_wcs_of_resampled_pixels(seen: Observation) -> None:
    """A place on the sky has the same offset from the middle, in arcsec."""
    made = prepare_observation(seen, ImageOptions(resample=0.25))
    assert made.pixel_scale == 0.25
    for x, y in ((-5.0, -5.0), (2.0, -3.0)):
        place = seen.sky_position(x, y)
        assert made.sky_position(x, y) == pytest.approx(place, abs=1e-8)


def test_noise_is_estimated_from_sky_and_photons(tmp_path: Path) -> None:
    primary = fits.PrimaryHDU(header=fits.Header({"EXPTIME": 500.0}))
    header = sky_header(BUNIT="ELECTRONS/S")
    path = write(tmp_path / "a.fits", fits.ImageHDU(lens_image(), header), primary=primary)
    seen = read_observation(path)
    made = prepare_observation(seen)
    assert made.noise_is_estimated
    assert made.noise is not None
    assert made.noise[0, 0] == pytest.approx(RMS, rel=0.15)
    column, row = peak(made)
    smooth = 2.7  # the peak of 3 after smoothing over a pixel
    assert made.noise[row, column] == pytest.approx(np.sqrt(RMS**2 + smooth / 500), rel=0.05)
    assert "500 electrons in a unit" in made.sources["noise"]
    plain = prepare_observation(replace(seen, electrons=None))
    assert plain.noise is not None
    assert np.ptp(plain.noise) == 0


def test_what_is_missing_is_asked_for(seen: Observation) -> None:
    with pytest.raises(BadInput, match="give --pixel-scale"):
        prepare_observation(replace(seen, pixel_scale=None))
    with pytest.raises(BadInput, match="give a noise map"):
        prepare_observation(replace(seen, noise=None, sky=None))
    with pytest.raises(BadInput, match="fewer than 20 pixels"):
        prepare_observation(seen, ImageOptions(size=15))
    with pytest.raises(BadInput, match="fewer than 20 pixels"):
        prepare_observation(seen, ImageOptions(resample=1.0))
    masked = replace(seen, mask=np.ones(seen.mask.shape, dtype=bool))
    with pytest.raises(BadInput, match="every pixel is masked"):
        prepare_observation(masked, ImageOptions(neighbours="mask"))


@pytest.mark.parametrize("masked", [False, True])
def test_satellites_are_found_beside_the_lens(seen: Observation, masked: bool) -> None:
    said = ImageOptions(
        centre="brightest", satellites="found", neighbours="mask" if masked else None
    )
    made = prepare_observation(seen, said)
    assert made.pixel_scale is not None
    expected = made.pixel_scale * np.subtract(NEIGHBOUR, made.centre)
    assert len(made.satellites) == 1
    assert made.satellites[0] == pytest.approx(expected, abs=1.5 * made.pixel_scale)
    assert made.mask.any() == masked
    assert any("brightest sources beside the lens for satellites" in note for note in made.notes)


def test_no_satellite_is_found_where_all_is_protected(seen: Observation) -> None:
    made = prepare_observation(seen, ImageOptions(satellites="found", protected_radius=30.0))
    assert made.satellites == ()
    assert "no source beside the lens is found: no satellites" in made.notes
