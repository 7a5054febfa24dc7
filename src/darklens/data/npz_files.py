"""The contents of an `.npz` archive of images: images, labels, further columns.

The images are the array `images`, or the only array with at least two axes. `labels` (N,) are
class names or indices into `classes`; any other numerical array (N,), such as `axion_mass`, is a
column of parameters. Nothing in an archive is unpickled.
"""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np

from darklens.classes import canonical_class
from darklens.data.npy_files import read_npy_header
from darklens.errors import UnreadableImage

__all__ = [
    "IMAGES",
    "array_of_images",
    "opened_archive",
    "read_columns",
    "read_labels",
    "start_of_member",
    "unpacked",
]

IMAGES = "images"
"""Name of the array of images."""

_LABELS, _CLASSES = "labels", "classes"
_SMALL = 2**26  # largest size of other arrays, such as the labels [byte]
_AT_ONCE = 2**20


@contextmanager
def opened_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an `.npz` file and turn any error inside the block into an `UnreadableImage`."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (UnreadableImage, FileNotFoundError, PermissionError, MemoryError):
        raise
    except OSError as error:
        raise UnreadableImage(f"the file cannot be read: {error.strerror or error}") from None
    except Exception:  # noqa: BLE001  a damaged archive raises BadZipFile, ValueError, zlib.error ...
        raise UnreadableImage("not a .npz archive, or a damaged one") from None


def array_of_images(archive: zipfile.ZipFile) -> str:
    """Name of the member that holds the images."""
    names = [name for name in archive.namelist() if name.endswith(".npy")]
    if f"{IMAGES}.npy" in names:
        return f"{IMAGES}.npy"
    found = [name for name in names if _may_hold_images(archive, name)]
    if len(found) != 1:
        shown = ", ".join(name.removesuffix(".npy")[:40] for name in (found or names)[:6])
        what = "several arrays" if found else "no array of images"
        raise UnreadableImage(f"{what} in the archive ({shown or 'empty'}): name one 'images'")
    return found[0]


def start_of_member(file: IO[bytes], info: zipfile.ZipInfo) -> int:
    """Offset of the first byte of an uncompressed member."""
    file.seek(info.header_offset)
    head = file.read(30)
    if len(head) < 30 or head[:4] != b"PK\x03\x04":
        raise UnreadableImage("not a .npz archive, or a damaged one")
    lengths = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    return info.header_offset + 30 + lengths


def unpacked(path: Path, name: str) -> IO[bytes]:
    """The member of an archive, decompressed into an anonymous temporary file."""
    file: IO[bytes] = TemporaryFile()  # noqa: SIM115  the stack closes it
    try:
        with opened_archive(path) as archive, archive.open(name) as member:
            while part := member.read(_AT_ONCE):
                file.write(part)
        file.flush()
    except BaseException:
        file.close()
        raise
    return file


def read_labels(path: Path, count: int) -> list[str] | None:
    """The class of each of the `count` images in an `.npz`, or None if it has no labels.

    Raises:
        UnreadableImage: If the labels are damaged or do not match the images or the classes.
    """
    with opened_archive(path) as archive:
        labels, classes = _small_array(archive, _LABELS), _small_array(archive, _CLASSES)
    if labels is None:
        return None
    labels = labels.reshape(-1) if labels.size == count else labels
    if labels.shape != (count,):
        raise UnreadableImage(f"labels {labels.shape} for {count} images: need one per image")
    if labels.dtype.kind in "US":
        return _plain(_texts(labels))
    if classes is None or classes.ndim != 1 or classes.dtype.kind not in "US":
        raise UnreadableImage("the labels are numbers: add an array 'classes' with the class names")
    names = _plain(_texts(classes))
    whole = labels.dtype.kind in "biu" or np.array_equal(labels, np.rint(labels))
    if not whole or labels.min() < 0 or labels.max() >= len(names):
        raise UnreadableImage(f"the labels must be whole numbers from 0 to {len(names) - 1}")
    return [names[int(label)] for label in labels]


def read_columns(path: Path, count: int) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Further parameters of each image in an `.npz`, by name.

    Raises:
        UnreadableImage: If the archive is damaged.
    """
    columns = {}
    with opened_archive(path) as archive:
        for member in archive.namelist():
            name = member.removesuffix(".npy")
            if member == name or name in (IMAGES, _LABELS, _CLASSES):
                continue
            with archive.open(member) as file:
                shape = _shape(file)
            if shape == (count,) and (values := _small_array(archive, name)) is not None:
                columns[name] = values
    return columns


def _small_array(archive: zipfile.ZipFile, name: str) -> np.ndarray[Any, np.dtype[Any]] | None:
    """Another array of the archive, or None if there is none of this name.

    Raises:
        UnreadableImage: If it is damaged, too large or holds objects.
    """
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        return None
    if info.file_size > _SMALL:
        raise UnreadableImage(f"the array '{name}' is too large")
    try:
        with archive.open(info) as member:
            content = io.BytesIO(member.read(_SMALL))
        found: np.ndarray[Any, np.dtype[Any]] = np.lib.format.read_array(
            content, allow_pickle=False
        )
    except Exception:  # noqa: BLE001  the header is Python text: a damaged one raises anything
        raise UnreadableImage(f"the array '{name}' is damaged or holds objects") from None
    return found


def _texts(values: np.ndarray[Any, np.dtype[Any]]) -> list[str]:
    if values.dtype.kind == "S":
        return [value.decode("utf-8", "backslashreplace") for value in values.tolist()]
    return [str(value) for value in values.tolist()]


def _plain(names: list[str]) -> list[str]:
    """Check class names, which may become folder names."""
    for name in set(names):
        if not name.strip() or not name.isprintable() or name[0] == "." or set(name) & set("/\\:"):
            raise UnreadableImage(f"{name[:40]!r} cannot be a class name")
    lower = [name.strip().lower() for name in names]
    return lower if "sub" in lower else [canonical_class(name) for name in lower]


def _shape(file: IO[bytes] | BufferedIOBase) -> tuple[int, ...]:
    """Shape of a numerical array; empty if it holds anything else."""
    try:
        header = read_npy_header(file)
    except UnreadableImage:
        return ()
    return () if header.dtype.hasobject else header.shape


def _may_hold_images(archive: zipfile.ZipFile, name: str) -> bool:
    try:
        with archive.open(name) as member:
            header = read_npy_header(member)
    except UnreadableImage:  # text, or objects of other kinds
        return False
    return len(header.shape) >= 2 and not header.dtype.hasobject
