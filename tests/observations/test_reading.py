"""An image with all that belongs to it, as read."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from darklens.errors import BadInput, UnreadableImage
from darklens.lensing import GaussianPSF, PixelPSF
from darklens.observations import ImageOptions, Observation, read_observation

from .conftest import LENS, PLACE, RMS, SIDE, gaussian_pixels, lens_image, sky_header, write


def refused(path: Path | str, **options: object) -> str:
    with pytest.raises((BadInput, UnreadableImage)) as caught:
        read_observation(Path(path), ImageOptions(**options))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_all_that_a_file_holds(lens_file: Path) -> None:
    seen = read_observation(lens_file)
    assert seen.noise is not None
    np.testing.assert_allclose(seen.noise, RMS)
    assert isinstance(seen.psf, PixelPSF)
    assert seen.pixel_scale == pytest.approx(0.1)
    offsets = [0.1 * (pixel - 50) for pixel in LENS]
    assert seen.sky_position(*offsets) == pytest.approx(PLACE)
    assert not seen.mask.any()
    assert seen.sky is not None
    assert (seen.sky.level, seen.sky.rms) == pytest.approx((0.3, RMS), rel=0.1)
    assert seen.sources == {
        "image": "101 x 101 float32, extension 1 SCI",
        "pixel_scale": "header",
        "noise": "lens.fits[3] (ERR in the file), standard deviation",
        "psf": "lens.fits[4] (PSF in the file)",
    }
    assert seen.notes == ()
    assert "101 x 101 pixels of 0.1 arcsec" in repr(seen)


def test_north_and_east(lens_file: Path) -> None:
    orientation = read_observation(lens_file).orientation
    assert orientation is not None
    assert (orientation.north, orientation.mirrored) == (pytest.approx(0), False)


def test_nothing_is_looked_for_if_so_said(lens_file: Path) -> None:
    seen = read_observation(lens_file, ImageOptions(search=False))
    assert (seen.noise, seen.psf) == (None, None)


def test_a_weight_map_by_its_extension_or_as_told(lens_file: Path) -> None:
    for options in (
        ImageOptions(noise_map="[WHT]"),
        ImageOptions(noise_map=f"{lens_file}[2]", noise_kind="weight"),
    ):
        seen = read_observation(lens_file, options)
        assert seen.noise is not None
        np.testing.assert_allclose(seen.noise, RMS)
    wrong = read_observation(lens_file, ImageOptions(noise_map=f"{lens_file}[2]"))
    assert "is its kind right" in wrong.notes[0]


def test_infinite_noise_masks_nan(tmp_path: Path) -> None:
    image, noise = lens_image(), np.full((SIDE, SIDE), RMS)
    image[:5], noise[:5] = np.nan, np.inf
    image[50, 50] = np.nan
    noise[60, 60] = 0.0
    np.save(tmp_path / "lens.npy", image)
    np.save(tmp_path / "lens_noise.npy", noise)
    seen = read_observation(tmp_path / "lens.npy")
    assert seen.noise is not None
    assert int(seen.mask.sum()) == 5 * SIDE + 2
    np.testing.assert_array_equal(np.isinf(seen.noise), seen.mask)
    assert seen.sources["noise"].startswith("lens_noise.npy (found by its name)")


@pytest.mark.parametrize("keeps", [False, True])
def test_boolean_masks(tmp_path: Path, keeps: bool) -> None:
    bad = np.zeros((SIDE, SIDE), dtype=bool)
    bad[:10] = True
    np.save(tmp_path / "lens.npy", lens_image())
    np.save(tmp_path / "flags.npy", ~bad if keeps else bad)
    options = ImageOptions(mask=str(tmp_path / "flags.npy"), mask_keeps=keeps)
    np.testing.assert_array_equal(read_observation(tmp_path / "lens.npy", options).mask, bad)


def test_weights_of_zero_and_one_are_a_mask(tmp_path: Path) -> None:
    good = np.ones((SIDE, SIDE))
    good[:, :7] = 0
    np.save(tmp_path / "lens.npy", lens_image())
    np.save(tmp_path / "lens_wht.npy", good)
    seen = read_observation(tmp_path / "lens.npy")
    assert seen.noise is None
    np.testing.assert_array_equal(seen.mask, good == 0)
    assert seen.notes == ("the weight map holds only 0 and 1: it is used as a mask",)


def test_quality_flags_are_not_used_unasked(tmp_path: Path) -> None:
    flags = np.zeros((SIDE, SIDE), dtype=np.int16)
    flags[3, 4] = 4096
    parts = [fits.ImageHDU(lens_image(), sky_header(), name="SCI"), fits.ImageHDU(flags, name="DQ")]
    path = write(tmp_path / "lens.fits", *parts)
    seen = read_observation(path)
    assert not seen.mask.any()
    assert seen.notes == (
        "quality flags are not used unasked: --mask '[DQ]' masks all that are set",
    )
    assert read_observation(path, ImageOptions(mask="[DQ]")).mask.sum() == 1


def test_a_pixel_scale_that_is_not_that_of_the_header_is_said(lens_file: Path) -> None:
    seen = read_observation(lens_file, ImageOptions(pixel_scale=0.05))
    assert seen.pixel_scale == 0.05
    assert seen.notes == ("the pixel scale given is 0.05 arcsec, that of the header 0.1",)
    assert read_observation(lens_file, ImageOptions(pixel_scale=0.1)).notes == ()


def test_psf_as_width_and_as_file_of_another_scale(lens_file: Path, tmp_path: Path) -> None:
    assert read_observation(lens_file, ImageOptions(psf=0.2)).psf == GaussianPSF(0.2, 4)
    assert read_observation(lens_file, ImageOptions(psf="0.2")).psf == GaussianPSF(0.2, 4)
    header = fits.Header({"PIXSCALE": 0.05})
    fits.PrimaryHDU(gaussian_pixels(21, 2.4), header).writeto(tmp_path / "fine.fits")
    seen = read_observation(lens_file, ImageOptions(psf=str(tmp_path / "fine.fits")))
    assert isinstance(seen.psf, PixelPSF)
    assert seen.psf.pixels.shape == (11, 11)
    assert seen.notes == ("the PSF was resampled from pixels of 0.05 to 0.1 arcsec",)


def test_unit_and_exposure(tmp_path: Path) -> None:
    primary = fits.PrimaryHDU(header=fits.Header({"EXPTIME": 2200.0}))
    header = sky_header(BUNIT="ELECTRONS/S", FILTER="F814W")
    path = write(tmp_path / "a.fits", fits.ImageHDU(lens_image(), header), primary=primary)
    seen = read_observation(path)
    assert (seen.unit, seen.electrons, seen.band) == ("ELECTRONS/S", 2200.0, "F814W")
    assert read_observation(path, ImageOptions(unit="nJy")).electrons is None


def test_pictures_are_read_and_said(tmp_path: Path) -> None:
    from PIL import Image

    grey = np.clip(60 * lens_image() + 20, 0, 255).astype(np.uint8)
    colour = np.stack([grey, grey // 2, grey // 4], axis=-1)
    Image.fromarray(colour).save(tmp_path / "lens.png")
    seen = read_observation(tmp_path / "lens.png", ImageOptions(pixel_scale=0.26))
    assert seen.notes[0].startswith("the luminance of a colour picture")
    np.testing.assert_allclose(
        read_observation(tmp_path / "lens.png", ImageOptions(band="red")).image, grey
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"noise_map": "/no/such.fits"}, "--noise-map /no/such.fits: no such file"),
        ({"noise_map": "[PSF]"}, "[PSF] has (11, 11) pixels, the image (101, 101)"),
        ({"noise_map": "[SCI]"}, "are negative: it holds no rms"),
        ({"psf": "/no/psf.fits"}, "--psf /no/psf.fits: no such file"),
        ({"psf": "-1"}, "--psf -1: the width must be positive"),
        ({"mask": "[ERR]"}, "masks every pixel"),
        ({"mask": "[NONE]"}, "no image in extension NONE"),
        ({"extension": "SCIENCE"}, "there is 1 SCI, 2 WHT, 3 ERR, 4 PSF"),
    ],
)
def test_what_does_not_fit_names_the_option(
    lens_file: Path, options: dict[str, object], reason: str
) -> None:
    if options.get("noise_map") == "[SCI]":  # with a sky that is not positive
        parts = [fits.ImageHDU(lens_image(), sky_header(), name="SCI")]
        lens_file = write(lens_file.with_name("dark.fits"), *parts)
    assert reason in refused(lens_file, **options)


def test_images_that_cannot_be_used(tmp_path: Path) -> None:
    np.save(tmp_path / "small.npy", lens_image()[:15, :15])
    assert "fewer than 20 pixels" in refused(tmp_path / "small.npy")
    np.save(tmp_path / "nan.npy", np.full((30, 30), np.nan))
    assert refused(tmp_path / "nan.npy") == "every pixel is NaN"
    np.save(tmp_path / "flat.npy", np.ones((30, 30)))
    assert refused(tmp_path / "flat.npy").startswith("constant")
    (tmp_path / "text.fits").write_text("no FITS file")
    assert "not a FITS file" in refused(tmp_path / "text.fits")
    assert refused(tmp_path / "none.fits") == "no such file"


def test_real_images_of_telescopes(shared_data: Path) -> None:
    euclid = shared_data / "telescope" / "euclid_q1" / "lens_vis_yjh.fits"
    for band, shape in (("VIS", (21, 21)), ("H", (33, 33))):
        seen = read_observation(euclid, ImageOptions(band=band))
        assert isinstance(seen, Observation)
        assert seen.noise is not None
        assert isinstance(seen.psf, PixelPSF)
        assert seen.psf.pixels.shape == shape
        assert seen.pixel_scale == pytest.approx(0.1)
        assert seen.name.endswith(f"{band}_FLUX]")
    slacs = read_observation(shared_data / "telescope" / "slacs0946" / "data.fits")
    assert slacs.pixel_scale is None
    assert slacs.noise is not None
    assert slacs.psf is not None
