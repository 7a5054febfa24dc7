"""Headers of `.npy` files: right ones are understood, damaged ones are one line."""

import io
from pathlib import Path

import numpy as np
import pytest

from darklens.data import read_image, read_plane
from darklens.data.npy_files import read_npy_header
from darklens.errors import UnreadableImage

IMAGE = np.random.default_rng(0).random((20, 20))


def file_with(path: Path, header: str, version: int = 1, data: bytes = b"\0" * 4000) -> Path:
    text = header.encode()
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    path.write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + text + data)
    return path


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (20, 20), }   \n",
        '{"shape": (20,20), "descr": "<f8", "fortran_order": False}',
        "{'descr': '<f8', 'fortran_order': False, 'shape': (20L, 20L,)}",
    ],
)
def test_headers_of_all_writers(tmp_path: Path, header: str, version: int) -> None:
    path = file_with(tmp_path / "a.npy", header, version, IMAGE.tobytes())
    np.testing.assert_array_equal(read_image(path)[0], IMAGE)


@pytest.mark.parametrize("descr", ["<f2", ">f4", "<u8", "|b1", "<f16", "|O"])
def test_types(descr: str) -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": descr, "fortran_order": True, "shape": (3, 4)}
    )
    file.seek(0)
    header = read_npy_header(file)
    assert (header.shape, header.fortran, header.dtype) == ((3, 4), True, np.dtype(descr))


ONES = "(" + "1," * 64 + "2)"
DAMAGED = {
    "65 axes": f"{{'descr': '<f8', 'fortran_order': False, 'shape': {ONES}, }}",
    "unfinished": "{'descr': '<f8', 'fortran_order': False, 'shape': (20, 20",
    "no value": "{'descr': '<f8', 'fortran_order': False, 'shape': }",
    "a boolean size": "{'descr': '<f8', 'fortran_order': False, 'shape': (True, 20)}",
    "a float size": "{'descr': '<f8', 'fortran_order': False, 'shape': (20.0, 20)}",
    "a negative size": "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 20)}",
    "no tuple": "{'descr': '<f8', 'fortran_order': False, 'shape': (20)}",
    "absurd sizes": "{'descr': '<f8', 'fortran_order': False, 'shape': (0,99999999999999999999)}",
    "a huge product": "{'descr': '<f8', 'fortran_order': False, 'shape': (0,2**62)}",
    "no size": "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 20)}",
    "an order that is a number": "{'descr': '<f8', 'fortran_order': 1, 'shape': (20, 20)}",
    "sub-arrays": "{'descr': '(3,)<f4', 'fortran_order': False, 'shape': (2, 2)}",
    "a tuple of types": "{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (2, 2)}",
    "records": "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 2)}",
    "damaged records": "{'descr': [('a\x01', '<f4'], 'fortran_order': True, 'shape': (2,)}",
    "a dictionary": "{'descr': {}, 'fortran_order': False, 'shape': (2, 2)}",
    "texts": "{'descr': '<U5', 'fortran_order': False, 'shape': (2, 2)}",
    "times": "{'descr': '<m8[ns]', 'fortran_order': False, 'shape': (2, 2)}",
    "an entry twice": "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2, 2)}",
    "code": "{'descr': __import__('os').system('true'), 'fortran_order': False, 'shape': (2,)}",
    "deep brackets": "{'descr': " + "(" * 9000 + ", 'fortran_order': False, 'shape': (2,)}",
    "too long": "{'descr': '<f8', 'fortran_order': False, 'shape': (20, 20), }" + " " * 20000,
    "nothing": "",
}


@pytest.mark.parametrize("header", DAMAGED.values(), ids=DAMAGED.keys())
@pytest.mark.parametrize("version", [1, 2])
def test_damaged_headers_are_one_line(tmp_path: Path, header: str, version: int) -> None:
    path = file_with(tmp_path / "a.npy", header, version)
    for read in (read_image, read_plane):
        with pytest.raises(UnreadableImage) as caught:
            read(path)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 150


def test_files_that_are_no_npy(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", IMAGE)
    path = (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    for read in (read_image, read_plane):
        with pytest.raises(UnreadableImage, match=r"rename it to \.npz"):
            read(path)
    path.write_bytes(b"\x93NUMPY\x07\x00")
    with pytest.raises(UnreadableImage, match=r"unknown version 7\.0"):
        read_image(path)


def test_more_pixels_than_are_read(tmp_path: Path) -> None:
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (20000, 20000), }"
    path = file_with(tmp_path / "a.npy", header)
    with path.open("r+b") as file:
        file.truncate(500_000_000)  # a file with a hole takes no room
    with pytest.raises(UnreadableImage, match="too many pixels"):
        read_image(path)
