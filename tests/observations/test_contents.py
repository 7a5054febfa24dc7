"""Which plane of a FITS file is the image, and which are its companions."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from darklens.errors import BadInput, UnreadableImage
from darklens.observations import ImageOptions, read_observation
from darklens.observations.contents import choose_plane

from .conftest import RMS, SIDE, gaussian_pixels, lens_image, sky_header, write

PIXELS = np.arange(900.0).reshape(30, 30)


def image(name: str, values: np.ndarray = PIXELS, **header: object) -> fits.ImageHDU:
    return fits.ImageHDU(values, fits.Header(header), name=name)


@pytest.fixture
def bands(tmp_path: Path) -> Path:
    """Two bands, each with noise and PSF."""
    made = []
    for number, band in enumerate(("VIS", "NIR_Y")):
        made += [image(f"{band}_FLUX", PIXELS + number), image(f"{band}_PSF", gaussian_pixels(5))]
        made += [image(f"{band}_RMS", PIXELS * 0 + 1 + number)]
    return write(tmp_path / "bands.fits", *made)


def test_several_images_are_listed_not_chosen(bands: Path) -> None:
    with pytest.raises(BadInput, match=r"2 images in the file.* --extension, of 1 VIS_FLUX, 4 NIR"):
        choose_plane(bands, None, None)


@pytest.mark.parametrize(
    ("extension", "band"),
    [("NIR_Y_FLUX", None), ("4", None), (4, None), ("nir_y_flux", None), (None, "Y")],
)
def test_a_band_goes_with_its_noise_and_psf(
    bands: Path, extension: str | int | None, band: str | None
) -> None:
    chosen = choose_plane(bands, extension, band)
    assert chosen is not None
    assert chosen.extension.name == "NIR_Y_FLUX"
    assert chosen.band == "NIR_Y"
    assert chosen.noise is not None
    assert (chosen.noise[0].name, chosen.noise[1]) == ("NIR_Y_RMS", "rms")
    assert chosen.psf is not None
    assert chosen.psf.name == "NIR_Y_PSF"


def test_a_band_that_is_not_there_lists_those_that_are(bands: Path) -> None:
    with pytest.raises(BadInput, match="no band F814W in the file, only VIS, NIR_Y"):
        choose_plane(bands, None, "F814W")


def test_the_only_image_must_be_of_the_band_if_it_says_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", image("SCI", FILTER="F160W"))
    assert choose_plane(path, None, "f160w").band == "F160W"  # type: ignore[union-attr]
    with pytest.raises(BadInput, match="no band F814W in the file, only F160W"):
        choose_plane(path, None, "F814W")
    silent = write(tmp_path / "b.fits", image("SCI"))
    assert choose_plane(silent, None, "F814W").extension.name == "SCI"  # type: ignore[union-attr]


def test_the_open_filter_wheel_is_no_band(tmp_path: Path) -> None:
    primary = fits.PrimaryHDU(header=fits.Header({"FILTER1": "CLEAR1L", "FILTER2": "F814W"}))
    path = write(tmp_path / "a.fits", image("SCI"), primary=primary)
    assert choose_plane(path, None, None).band == "F814W"  # type: ignore[union-attr]


def test_versions_go_together(tmp_path: Path) -> None:
    made = []
    for version in (1, 2):
        for name in ("SCI", "ERR", "DQ"):
            made.append(fits.ImageHDU(PIXELS + version, name=name, ver=version))
    path = write(tmp_path / "flt.fits", *made)
    with pytest.raises(BadInput, match="1 SCI,1, 4 SCI,2"):
        choose_plane(path, None, None)
    chosen = choose_plane(path, "SCI,2", None)
    assert chosen is not None
    assert chosen.noise is not None
    assert (chosen.noise[0].number, chosen.flags.number) == (5, 6)  # type: ignore[union-attr]


def test_standard_deviations_come_before_weights(lens_file: Path) -> None:
    chosen = choose_plane(lens_file, None, None)
    assert chosen is not None
    assert chosen.noise is not None
    assert chosen.noise[1] == "rms"


def test_planes_of_a_cube(tmp_path: Path) -> None:
    path = write(tmp_path / "cube.fits", image("SCI", np.stack([PIXELS, PIXELS + 5])))
    with pytest.raises(BadInput, match=r"cube of 2 planes: .* --band 1 to 2"):
        choose_plane(path, None, None)
    with pytest.raises(BadInput, match="no band 3"):
        choose_plane(path, None, 3)
    for chosen in (choose_plane(path, "SCI:2", None), choose_plane(path, None, "2")):
        assert chosen is not None
        assert chosen.selection == "1:2"
        assert chosen.label == "extension 1 SCI, plane 2"


def test_what_is_no_image_is_not_taken_for_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", image("PSF", gaussian_pixels(21)), image("RMS"))
    with pytest.raises(BadInput, match=r"no extension is an image by its name.*1 PSF, 2 RMS"):
        choose_plane(path, None, None)
    table = fits.BinTableHDU.from_columns([fits.Column("a", "D", array=np.arange(5.0))])
    empty = write(tmp_path / "b.fits", table)
    with pytest.raises(UnreadableImage, match="no two-dimensional image"):
        choose_plane(empty, None, None)
    with pytest.raises(BadInput, match="no image in extension WHT; there is 1 PSF, 2 RMS"):
        choose_plane(path, "WHT", None)


def test_a_file_that_is_cut_short_after_its_image_still_has_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", image("SCI"), image("ERR", PIXELS + 1))
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"XTENSION", 6000) + 100])
    chosen = choose_plane(path, None, None)
    assert chosen is not None
    assert chosen.noise is None


@pytest.mark.parametrize("compressed", [False, True])
def test_compressed_and_big_endian_images(tmp_path: Path, compressed: bool) -> None:
    values = lens_image().astype(">f4")
    kind = fits.CompImageHDU if compressed else fits.ImageHDU
    options = {"quantize_level": 64.0} if compressed else {}
    path = write(tmp_path / "a.fits", kind(values, sky_header(), name="SCI", **options))
    seen = read_observation(path, ImageOptions())
    np.testing.assert_allclose(seen.image, values, atol=0.1 * RMS)
    assert seen.image.shape == (SIDE, SIDE)
    assert seen.pixel_scale == pytest.approx(0.1)
