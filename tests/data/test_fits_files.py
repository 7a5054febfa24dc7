"""FITS files: extensions, bands, sizes that cannot be, and images that crash their decoder."""

import gzip
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from darklens.data import list_fits, read_image, read_plane
from darklens.data.tiles import decode_tiles
from darklens.errors import UnreadableImage

IMAGE = np.random.default_rng(0).integers(0, 9000, (24, 30)).astype(np.int16)
CUBE = np.stack([IMAGE, IMAGE + 1, IMAGE // 2])


def write(path: Path, *extensions: fits.hdu.base.ExtensionHDU) -> Path:
    fits.HDUList([fits.PrimaryHDU(), *extensions]).writeto(path)
    return path


def reason(path: str | Path, extension: str | None = None) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read_image(path, extension=extension)
    with pytest.raises(UnreadableImage):
        read_plane(path, extension)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("ending", [".fits", ".FIT", ".fits.gz"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u2"])
def test_every_type(tmp_path: Path, ending: str, dtype: str) -> None:
    image = IMAGE.astype(dtype)
    fits.writeto(tmp_path / f"a{ending}", image)
    read = read_image(tmp_path / f"a{ending}")
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, image[None])


def test_the_first_two_dimensional_image_is_taken(tmp_path: Path) -> None:
    images = np.arange(5.0), CUBE, IMAGE[None], IMAGE * 2
    path = write(tmp_path / "a.fits", *map(fits.ImageHDU, images))
    np.testing.assert_array_equal(read_image(path), IMAGE[None])
    table = fits.BinTableHDU.from_columns([fits.Column("a", "D", array=images[0])])
    assert "no two-dimensional image" in reason(write(tmp_path / "b.fits", table))


def test_compressed_images(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits.fz", fits.CompImageHDU(IMAGE))
    np.testing.assert_array_equal(read_image(path)[0], IMAGE)


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """A file with a cube, an image of two versions, and a table."""
    table = fits.BinTableHDU.from_columns([fits.Column("a", "D", array=np.arange(5.0))])
    return write(
        tmp_path / "several.fits",
        table,
        fits.ImageHDU(CUBE, name="BANDS"),
        fits.ImageHDU(IMAGE, name="SCI", ver=1),
        fits.ImageHDU(IMAGE + 5, name="SCI", ver=2),
    )


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        (None, IMAGE[None]),
        ("sci", IMAGE[None]),
        ("SCI,2", IMAGE[None] + 5),
        ("4", IMAGE[None] + 5),
        ("BANDS", CUBE),
        ("2", CUBE),
        ("bands:2", CUBE[1:2]),
        (":3", CUBE[2:]),
    ],
)
def test_extensions_and_bands(several: Path, extension: str | None, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(read_image(several, extension=extension), expected)
    if extension is not None:
        np.testing.assert_array_equal(read_image(f"{several}[{extension}]"), expected)
    if len(expected) == 1:
        np.testing.assert_array_equal(read_plane(several, extension).image, expected[0])


def test_what_is_not_there_is_said(several: Path, tmp_path: Path) -> None:
    assert "no image in extension 1; extensions with images: 2 BANDS, 3 SCI" in reason(several, "1")
    assert "no band 4; the extension has 3" in reason(several, "BANDS:4")
    np.save(tmp_path / "a.npy", IMAGE)
    assert "no extension SCI" in reason(tmp_path / "a.npy", "SCI")
    with pytest.raises(UnreadableImage, match=r"one plane; .* selects a band"):
        read_plane(several, "BANDS")


def test_extensions_are_listed_without_their_data(several: Path, tmp_path: Path) -> None:
    found = list_fits(several)
    names = [(item.number, item.name, item.version, item.planes) for item in found.extensions]
    assert names == [
        (0, "PRIMARY", 1, 0),
        (1, "", 1, 0),
        (2, "BANDS", 1, 3),
        (3, "SCI", 1, 1),
        (4, "SCI", 2, 1),
    ]
    assert found.problem == ""
    packed = tmp_path / "several.fits.gz"
    packed.write_bytes(gzip.compress(several.read_bytes()))
    assert [item.name for item in list_fits(packed).extensions] == [name for _, name, *_ in names]


def test_what_precedes_a_damaged_extension_is_listed(several: Path) -> None:
    content = several.read_bytes()
    last = content.rindex(b"XTENSION")
    several.write_bytes(content[: last + 1000])
    found = list_fits(several)
    assert [item.number for item in found.extensions] == [0, 1, 2, 3]
    assert found.problem == "the file is cut short"
    several.write_text("no FITS file")
    with pytest.raises(UnreadableImage, match="not a FITS file"):
        list_fits(several)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_cube_of_a_few_bands_is_channels(tmp_path: Path, compressed: bool) -> None:
    kind = fits.CompImageHDU if compressed else fits.ImageHDU
    path = write(tmp_path / "a.fits", kind(CUBE))
    np.testing.assert_array_equal(read_image(path), CUBE)
    np.testing.assert_array_equal(read_image(path, extension=":2"), CUBE[1:2])
    path = write(tmp_path / "b.fits", kind(np.stack([IMAGE] * 3)))
    np.testing.assert_array_equal(read_image(path), IMAGE[None])


def test_a_cube_of_many_planes_names_the_way_to_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", fits.ImageHDU(np.stack([IMAGE + k for k in range(40)])))
    assert "a cube of 40 planes; FILE[1:1] selects its first" in reason(path)
    np.testing.assert_array_equal(read_image(f"{path}[1:7]")[0], IMAGE + 6)


SIZES = {
    "NAXIS1": ["0", "-2880", "1.5", "T", "99999999", "4611686018427387904"],
    "NAXIS": ["-1", "1000", "'a'"],
    "BITPIX": ["7", "0", "-8", "64"],
    "PCOUNT": ["-99999", "9999999999"],
    "GCOUNT": ["-1", "9999999"],
}


@pytest.mark.parametrize(("keyword", "values"), SIZES.items(), ids=SIZES.keys())
@pytest.mark.parametrize("packed", [False, True])
def test_sizes_that_cannot_be(
    tmp_path: Path, keyword: str, values: list[str], packed: bool
) -> None:
    good = write(tmp_path / "good.fits", fits.ImageHDU(IMAGE)).read_bytes()
    place = good.index(f"{keyword:8s}= ".encode(), 2880)
    for value in values:
        content = good[: place + 10] + value.rjust(20).encode() + good[place + 30 :]
        path = tmp_path / "bad.fits"
        path.write_bytes(gzip.compress(content) if packed else content)
        began = time.monotonic()
        assert reason(path)
        assert time.monotonic() - began < 5


def test_a_header_without_end_and_one_of_endless_blanks(tmp_path: Path) -> None:
    start = b"SIMPLE  =                    T".ljust(2880)
    (tmp_path / "a.fits").write_bytes(start)
    assert reason(tmp_path / "a.fits") == "the file is cut short"
    (tmp_path / "b.fits.gz").write_bytes(gzip.compress(start + b" " * 50_000_000))
    assert "its header has no END" in reason(tmp_path / "b.fits.gz")


def test_a_packed_file_of_zeros_is_not_unpacked(tmp_path: Path) -> None:
    header = fits.PrimaryHDU(np.zeros((4, 4), dtype="u1")).header
    header["NAXIS1"] = header["NAXIS2"] = 1_000_000
    (tmp_path / "a.fits.gz").write_bytes(gzip.compress(header.tostring().encode() + bytes(10**7)))
    assert "too many pixels" in reason(tmp_path / "a.fits.gz")


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1"])
def test_every_kind_of_compression(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a.fits.fz", fits.CompImageHDU(IMAGE, compression_type=kind))
    np.testing.assert_array_equal(read_image(path)[0], IMAGE)


def damaged_tiles(folder: Path) -> list[Path]:
    """Files on which the library crashes, hangs or fails."""
    changes = {
        "RICE_1": ("ZVAL2", "1000000"),
        "HCOMPRESS_1": ("ZTILE2", "2"),
        "GZIP_1": ("ZTILE1", "-1"),
        "PLIO_1": ("ZTILE2", "1000000"),
        "GZIP_2": ("ZNAXIS1", "31"),
    }
    paths = []
    for kind, (keyword, value) in changes.items():
        image = IMAGE if kind in ("PLIO_1", "HCOMPRESS_1") else IMAGE.astype(np.float32)
        path = write(folder / f"{kind}.fits", fits.CompImageHDU(image, compression_type=kind))
        content = path.read_bytes()
        place = content.index(f"{keyword:8s}= ".encode()) + 10
        path.write_bytes(content[:place] + value.rjust(20).encode() + content[place + 20 :])
        paths.append(path)
    return paths


def test_damaged_tiles_stop_nothing(tmp_path: Path) -> None:
    good = write(tmp_path / "good.fits", fits.CompImageHDU(IMAGE))
    for path in damaged_tiles(tmp_path):
        try:
            assert read_image(path).ndim == 3  # what the library makes of it
        except UnreadableImage as error:
            assert "compressed image" in str(error)  # noqa: PT017
        np.testing.assert_array_equal(read_image(good)[0], IMAGE)


def test_what_is_no_file_at_all_is_one_line() -> None:
    with pytest.raises(UnreadableImage, match="damaged"):
        decode_tiles(b"nothing", (4, 4))


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", fits.CompImageHDU(IMAGE))
    code = (
        "import sys, darklens.data.tiles as t; from darklens.data import read_image\n"
        "read_image(sys.argv[1]); print(t._DECODER._process.pid)"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(path)], capture_output=True, text=True
    )
    assert (run.returncode, run.stderr) == (0, "")
    with pytest.raises(ProcessLookupError):
        os.kill(int(run.stdout), 0)


def test_pipes_sockets_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.fits")
    (tmp_path / "zeros.npy").symlink_to("/dev/zero")
    (tmp_path / "loop.png").symlink_to("loop.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.jpg"))
        for name in ("pipe.fits", "zeros.npy", "socket.jpg"):
            assert "not a regular file" in reason(tmp_path / name)
    assert "cannot be read" in reason(tmp_path / "loop.png")
    assert "cannot be read" in reason(tmp_path / f"{'long' * 100}.npy")
