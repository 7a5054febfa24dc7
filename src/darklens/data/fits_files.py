"""Reader of FITS files: find the image extension, and read its pixels and header.

This module steps through the extensions header by header and checks each size before it skips or
reads anything; astropy then decodes the selected extension. By default that is the first with one
plane or, failing that, the first with a few bands. `EXTENSION` is a name, a number or
`NAME,VERSION`; an appended `:BAND` selects one of several bands, counted from 1. `FILE[...]` gives
the extension with the file name, in the notation of CFITSIO and DS9.
"""

import gzip
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np

from darklens.data.decoding import (
    MOST_PIXELS,
    check_pixel_count,
    file_size,
    recorded_warnings,
    shown,
)
from darklens.data.tiles import decode_tiles
from darklens.errors import UnreadableImage

__all__ = ["FitsContents", "FitsExtension", "FitsImage", "list_fits", "read_fits"]

_BLOCK, _CARD = 2880, 80
_MOST_BLOCKS = 1000
_MOST_EXTENSIONS = 1000
_MOST_BANDS = 16
_MOST_BYTES = 8 * MOST_PIXELS + 2**28
_END = b"END".ljust(_CARD)
_PRIMARY = (b"SIMPLE  = T", b"BITPIX  = 8", b"NAXIS   = 0", b"EXTEND  = T", b"END")
_EMPTY_FILE = b"".join(card.ljust(_CARD) for card in _PRIMARY).ljust(_BLOCK)


@dataclass(frozen=True)
class FitsImage:
    """One image of a FITS file.

    Attributes:
        pixels: The pixels, (H, W) or (bands, H, W).
        header: Its header, an `astropy.io.fits.Header`.
    """

    pixels: np.ndarray[Any, np.dtype[Any]]
    header: Any


@dataclass(frozen=True)
class FitsExtension:
    """One extension of a FITS file, from its header alone.

    Attributes:
        number: Its place in the file; 0 is the primary one.
        name: Its name in upper case, or empty.
        version: Its version; several extensions may have one name.
        shape: Shape of its image; empty for tables and headers without data.
        compressed: Whether the image is compressed in tiles.
        header: An `astropy.io.fits.Header`.
    """

    number: int
    name: str
    version: int
    shape: tuple[int, ...]
    compressed: bool
    header: Any

    @property
    def planes(self) -> int:
        """Number of two-dimensional images in it."""
        return _planes(self.shape)


@dataclass(frozen=True)
class FitsContents:
    """What is in a FITS file.

    Attributes:
        extensions: The extensions, the primary one first.
        problem: What is wrong with the file beyond them, or empty.
    """

    extensions: tuple[FitsExtension, ...]
    problem: str = ""


def list_fits(path: Path) -> FitsContents:
    """List the extensions of a FITS file without reading their data.

    Args:
        path: The file, which may be gzipped.

    Raises:
        UnreadableImage: If it is not a FITS file.
    """
    size = file_size(path)
    found: list[FitsExtension] = []
    try:
        with recorded_warnings(), _opened(path, size) as (stream, end):
            for item in _walk(stream, end):
                version = item.header.get("EXTVER", 1)
                number = version if isinstance(version, int) else 1
                kind = FitsExtension(
                    item.number, item.name, number, item.shape, item.compressed, item.header
                )
                found.append(kind)
    except (FileNotFoundError, PermissionError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  astropy raises OSError, ValueError, KeyError, ...
        cut = "the file is cut short"
        damaged = cut if isinstance(error, EOFError) else "not a FITS file, or a damaged one"
        problem = str(error) if isinstance(error, UnreadableImage) else damaged
        if not found:
            raise UnreadableImage(problem) from None
        return FitsContents(tuple(found), problem)
    return FitsContents(tuple(found))


def read_fits(path: Path, extension: str | None = None) -> FitsImage:
    """Read one image of a FITS file.

    Args:
        path: The file, which may be gzipped.
        extension: Extension to read, as described above; None for the default.

    Raises:
        UnreadableImage: If there is no such image, or it is corrupt or too large.
    """
    size = file_size(path)
    wanted = _parsed(extension)
    try:
        with recorded_warnings(), _opened(path, size) as (stream, end):
            found = _chosen(_walk(stream, end), *wanted)
            stream.seek(found.start)
            content = stream.read(found.end - found.start)
            if len(content) < found.size + found.header_size:
                raise UnreadableImage("the file is cut short")
            pixels = None if found.compressed else _decoded(content)
    except EOFError:
        raise UnreadableImage("the file is cut short") from None
    except (UnreadableImage, FileNotFoundError, PermissionError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  astropy raises OSError, ValueError, KeyError, ...
        raise UnreadableImage("not a FITS file, or a damaged one") from None
    if pixels is None:
        pixels = decode_tiles(_EMPTY_FILE + content, found.shape)
    return FitsImage(_band(pixels, wanted[1]), found.header)


def _parsed(extension: str | None) -> tuple[str | None, int | None]:
    """Split into the name or number of the extension and the number of the band."""
    if extension is None:
        return None, None
    text = extension.strip().upper()
    name, colon, band = text.rpartition(":")
    if colon and band.isdecimal() and len(band) < 6:
        return name.strip() or None, int(band)
    return text, None


@contextmanager
def _opened(path: Path, size: int) -> Iterator[tuple[BufferedIOBase, int]]:
    """The open file, decompressed if gzipped, and an upper limit on its size [byte]."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            yield file, size
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield unpacked, _MOST_BYTES


@dataclass(frozen=True)
class _Extension:
    """Position of an extension and the shape of its image; no shape if it is not an image."""

    number: int
    header: Any
    start: int
    header_size: int
    size: int
    shape: tuple[int, ...]
    compressed: bool

    @property
    def end(self) -> int:
        return self.start + self.header_size + -(-self.size // _BLOCK) * _BLOCK

    @property
    def name(self) -> str:
        default = "PRIMARY" if self.number == 0 else ""
        return str(self.header.get("EXTNAME", default)).strip().upper()

    @property
    def names(self) -> set[str]:
        """All names by which it can be selected."""
        version = f"{self.name},{self.header.get('EXTVER', 1)}"
        return {str(self.number), self.name, version} - {""}

    @property
    def planes(self) -> int:
        """Number of two-dimensional images in it."""
        return _planes(self.shape)

    @property
    def few_bands(self) -> bool:
        """Whether the bands are few enough to be channels of one image."""
        sizes = [size for size in self.shape if size > 1]
        return self.planes > 1 and len(sizes) == 3 and min(sizes[0], sizes[-1]) <= _MOST_BANDS


def _planes(shape: tuple[int, ...]) -> int:
    return math.prod(shape[:-2]) if len(shape) > 1 and min(shape) > 0 else 0


def _walk(stream: BufferedIOBase, end: int) -> Iterator[_Extension]:
    """Iterate over the extensions, checking that their sizes are possible."""
    from astropy.io import fits

    start = 0
    for number in range(_MOST_EXTENSIONS):
        stream.seek(start)
        text = _header_text(stream, first=number == 0)
        if not text:
            return
        header = fits.Header.fromstring(text)
        kind = str(header.get("XTENSION", "IMAGE")).strip()
        compressed = kind == "BINTABLE" and header.get("ZIMAGE") is True
        sizes: tuple[int, ...] = ()
        if compressed or kind == "IMAGE":
            sizes = _axes(header, "Z" if compressed else "")
        found = _Extension(number, header, start, len(text), _data_size(header), sizes, compressed)
        yield found
        start = found.end
        if start >= end:
            return


def _header_text(stream: BufferedIOBase, *, first: bool) -> bytes:
    """The blocks of one header; empty after the last extension."""
    blocks: list[bytes] = []
    while len(blocks) < _MOST_BLOCKS:
        block = stream.read(_BLOCK)
        if not blocks and first and not block.startswith(b"SIMPLE  ="):
            raise UnreadableImage("not a FITS file: it does not start with SIMPLE")
        if not blocks and not first and not block.startswith(b"XTENSION"):
            return b""
        if len(block) < _BLOCK:
            raise EOFError
        blocks.append(block)
        if any(block[at : at + _CARD] == _END for at in range(0, _BLOCK, _CARD)):
            return b"".join(blocks)
    raise UnreadableImage("not a FITS file, or a damaged one: its header has no END")


def _axes(header: Any, prefix: str = "") -> tuple[int, ...]:
    """The lengths of the axes, fastest axis last."""
    count = _whole(header, f"{prefix}NAXIS", 999)
    return tuple(_whole(header, f"{prefix}NAXIS{axis}") for axis in range(count, 0, -1))


def _data_size(header: Any) -> int:
    """Size of the data of an extension without padding [byte]."""
    axes = _axes(header)
    if not axes:
        return 0
    if axes[-1] == 0 and header.get("GROUPS") is True:
        axes = axes[:-1]
    bits = abs(int(header["BITPIX"]))
    items = _whole(header, "PCOUNT", default=0) + math.prod(axes)
    return bits // 8 * _whole(header, "GCOUNT", default=1) * items


def _whole(header: Any, keyword: str, most: int = 2**62, default: int | None = None) -> int:
    value = header.get(keyword, default)
    if type(value) is not int or not 0 <= value <= most:
        raise UnreadableImage(f"a damaged FITS file: {keyword} is {shown(value)}")
    return value


def _chosen(extensions: Iterator[_Extension], wanted: str | None, band: int | None) -> _Extension:
    """The requested extension; nothing after it is read."""
    images: list[_Extension] = []
    for item in extensions:
        if item.planes == 0:
            continue
        images.append(item)
        asked = item.planes > 1 if band is not None else item.planes == 1
        if wanted in item.names or (wanted is None and asked):
            return _readable(item)
    cubes = [item for item in images if item.few_bands]
    if wanted is None and band is None and cubes:
        return _readable(cubes[0])
    names = ", ".join(f"{item.number} {item.name}".strip() for item in images) or "none"
    if wanted is not None:
        raise UnreadableImage(
            f"no image in extension {shown(wanted)}; extensions with images: {shown(names, 100)}"
        )
    if images and band is None:
        raise UnreadableImage(
            f"no two-dimensional image, only a cube of {images[0].planes} planes;"
            f" FILE[{images[0].number}:1] selects its first"
        )
    kind = "two-dimensional image" if band is None else "image with bands"
    raise UnreadableImage(f"the FITS file has no {kind}")


def _readable(item: _Extension) -> _Extension:
    check_pixel_count(item.shape)
    if item.size > _MOST_BYTES:
        raise UnreadableImage("the extension is too large to read")
    return item


def _decoded(content: bytes) -> np.ndarray[Any, np.dtype[Any]]:
    """The pixels of an uncompressed extension."""
    from astropy.io import fits

    kind = fits.PrimaryHDU if content.startswith(b"SIMPLE") else fits.ImageHDU
    return np.array(kind.fromstring(content).data)


def _band(
    pixels: np.ndarray[Any, np.dtype[Any]], band: int | None
) -> np.ndarray[Any, np.dtype[Any]]:
    """Select one band, or all of them."""
    if band is None:
        return pixels
    planes = pixels.reshape(-1, *pixels.shape[-2:])
    if not 1 <= band <= len(planes):
        raise UnreadableImage(f"no band {band}; the extension has {len(planes)}")
    return np.asarray(planes[band - 1])
