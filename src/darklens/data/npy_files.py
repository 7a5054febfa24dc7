"""Reader of `.npy` files that checks the header before it reads any data.

A header is the text of a Python dictionary with three entries. NumPy evaluates it; here it is
matched piece by piece, so that a damaged header can do no more than be refused.
"""

import math
import re
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any

import numpy as np

from darklens.data.decoding import MOST_PIXELS, check_pixel_count, file_size, shown
from darklens.data.pickled_images import read_pickled_image
from darklens.errors import UnreadableImage

__all__ = ["NpyHeader", "read_npy", "read_npy_header"]

_MAGIC = b"\x93NUMPY"
_LONGEST = 10_000
_ENTRY = re.compile(
    r"""\s*(?P<quote>['"])(?P<name>descr|fortran_order|shape)(?P=quote)\s*:\s*
    (?:(?P<flag>True|False)
    |\((?P<shape>[\d\sL,]*)\)
    |(?P<q>['"])(?P<code>[^'"\\]{1,40})(?P=q)
    |(?P<records>\[.*\]|\(.*\)))
    \s*(?:,|$)""",
    re.VERBOSE | re.DOTALL,
)
_SHAPE = re.compile(r"\s*(?:\d{1,20}L?\s*,\s*)*(?:\d{1,20}L?\s*)?")
_REAL = re.compile(r"[<>|=]?(\?|b1|[iu][1248]|f(2|4|8|12|16)|[bBhHiIlLqQefdg])")
_OTHER = re.compile(r"[<>|=]?[a-zA-Z]\d{0,5}(\[\w{1,4}\])?")
_MOST_BYTES = 16 * MOST_PIXELS


@dataclass(frozen=True)
class NpyHeader:
    """Shape, order and type of the data in a `.npy` file.

    Attributes:
        shape: Shape of the array.
        fortran: Whether the first axis varies fastest.
        dtype: Type of its items; object if the data are a pickle.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


def read_npy(path: Path) -> np.ndarray[Any, np.dtype[Any]]:
    """The array in a `.npy` file, or the image in its pickle.

    Raises:
        UnreadableImage: If there is no image, or it is too large.
    """
    size = file_size(path)
    with path.open("rb") as file:
        header = read_npy_header(file)
        left = size - file.tell()
        if header.dtype.hasobject:
            if left > _MOST_BYTES:
                raise UnreadableImage("the pickle in the .npy file is too large")
            return read_pickled_image(file.read(left))
        if left < math.prod(header.shape) * header.dtype.itemsize:
            raise UnreadableImage("the file is cut short")
        count = check_pixel_count(header.shape)
        image = np.fromfile(file, dtype=header.dtype, count=count)
    if image.size < count:
        raise UnreadableImage("the file is cut short")
    return image.reshape(header.shape, order="F" if header.fortran else "C")


def read_npy_header(file: IO[bytes] | BufferedIOBase) -> NpyHeader:
    """Read and check the header of a `.npy` file, leaving the file positioned after it.

    Args:
        file: The file, at its start.

    Raises:
        UnreadableImage: If it is not a `.npy` file, its header is damaged, or its items are
            neither real numbers nor objects.
    """
    start = file.read(8)
    if start[:2] == b"PK":
        raise UnreadableImage("a .npz archive named .npy: rename it to .npz")
    if len(start) < 8 or not start.startswith(_MAGIC):
        raise UnreadableImage("not a .npy file: the magic bytes are missing")
    major, minor = start[6:]
    if major not in (1, 2, 3) or minor != 0:
        raise UnreadableImage(f"a .npy file of unknown version {major}.{minor}")
    length = int.from_bytes(file.read(2 if major == 1 else 4), "little")
    text = file.read(min(length, _LONGEST + 1)).decode("utf-8", "replace")
    entries = _entries(text) if len(text) <= _LONGEST else {}
    if len(entries) != 3:
        raise _damaged()
    return NpyHeader(_shape(entries), _flag(entries), _dtype(entries))


def _damaged() -> UnreadableImage:
    return UnreadableImage("the header of the .npy file is damaged")


def _entries(text: str) -> dict[str, re.Match[str]]:
    """The entries of the dictionary by name; fewer than three if the text is damaged."""
    text = text.strip()
    if not (text.startswith("{") and text.endswith("}")):
        return {}
    inner, position = text[1:-1].rstrip(), 0
    entries: dict[str, re.Match[str]] = {}
    while position < len(inner):
        entry = _ENTRY.match(inner, position)
        if entry is None or entry["name"] in entries:
            return {}
        entries[entry["name"]], position = entry, entry.end()
    return entries


def _shape(entries: dict[str, re.Match[str]]) -> tuple[int, ...]:
    text = entries["shape"]["shape"]
    if text is None or not _SHAPE.fullmatch(text):
        raise _damaged()
    sizes = [int(part.strip(" \t\n\rL")) for part in text.split(",") if part.strip()]
    if len(sizes) == 1 and "," not in text:  # (5) is a number, not a shape
        raise _damaged()
    if math.prod(max(size, 1) for size in sizes) >= 2**63:
        raise UnreadableImage("the header of the .npy file declares an impossibly large array")
    return tuple(sizes)


def _flag(entries: dict[str, re.Match[str]]) -> bool:
    flag = entries["fortran_order"]["flag"]
    if flag is None:
        raise _damaged()
    return flag == "True"


def _dtype(entries: dict[str, re.Match[str]]) -> np.dtype[Any]:
    entry = entries["descr"]
    if entry["records"] or entry["shape"]:
        records = shown(entry["records"] or "records")
        raise UnreadableImage(f"the pixels are not real numbers but of type {records}")
    code = entry["code"]
    if code is None:
        raise _damaged()
    if code in ("|O", "O", "|O8", "O8", "|O4"):
        return np.dtype(object)
    known = _REAL.fullmatch(code) or _OTHER.fullmatch(code)
    try:
        dtype = np.dtype(code) if known else None
    except (TypeError, ValueError):
        raise UnreadableImage(
            f"the pixels are of type {shown(code)}, unknown on this machine"
        ) from None
    if dtype is None:
        raise _damaged()
    if not _REAL.fullmatch(code):
        raise UnreadableImage(f"the pixels are not real numbers but of type {dtype}")
    return dtype
