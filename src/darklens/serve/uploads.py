"""Uploaded files on disk, under names of our own.

The ending of a file decides how `darklens.data` reads it. A file is kept under a number and one of
the endings known there; what the client called it is only a label. Archives are unpacked within
limits on the number of files and on their size.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from darklens.data import expand_stacks
from darklens.data.files import IMAGE_ENDINGS
from darklens.errors import BadInput
from darklens.naming import visible

__all__ = ["BinaryFile", "Upload", "store_uploads"]

_MOST_FILES = 500
_MOST_IMAGES = 2000
_LONGEST_LABEL = 200
_CHUNK = 2**20
_UNKNOWN = ".unknown"


@runtime_checkable
class BinaryFile(Protocol):
    """A file that is open for reading bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """Read up to `size` bytes."""

    def seek(self, offset: int, whence: int = ..., /) -> int:
        """Go to a place."""

    def tell(self) -> int:
        """The place."""


@dataclass(frozen=True)
class Upload:
    """One uploaded image.

    Attributes:
        path: The file, or one image of a stack, for the readers.
        label: The name for people.
    """

    path: Path
    label: str


def store_uploads(
    files: Sequence[tuple[str, BinaryFile]], folder: Path, *, channels: int, limit: int
) -> list[Upload]:
    """Write uploaded files into a folder, archives unpacked, and list their images.

    Args:
        files: Names given by the client, and contents.
        folder: An empty folder.
        channels: Channels of an image; they decide what is a stack.
        limit: Most bytes in all.

    Raises:
        BadInput: If there is no file, there are too many, or an archive is damaged.
    """
    writer = _Writer(folder, limit)
    for name, content in files:
        if name.lower().endswith(".zip"):
            _unpack(name, content, writer)
        else:
            writer.add(name, content)
    if not writer.labels:
        raise BadInput(f"no image file in the upload; images end in {', '.join(IMAGE_ENDINGS)}")
    uploads = []
    for path, label in writer.labels.items():
        for image in expand_stacks([path], channels=channels):
            uploads.append(Upload(image, label + image.name.removeprefix(path.name)))
            if len(uploads) > _MOST_IMAGES:
                raise BadInput(f"more than {_MOST_IMAGES} images in one upload: send fewer at once")
    return uploads


class _Writer:
    """Writes files one by one and counts their bytes."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.labels: dict[Path, str] = {}
        self._folder, self._left, self._limit = folder, limit, limit

    def add(self, name: str, content: BinaryFile) -> None:
        """Write one file."""
        if len(self.labels) == _MOST_FILES:
            raise BadInput(f"more than {_MOST_FILES} files in one upload: send fewer at once")
        path = self._folder / f"{len(self.labels):06d}{_ending(name)}"
        with path.open("wb") as file:
            while chunk := content.read(_CHUNK):
                self._left -= len(chunk)
                if self._left < 0:
                    raise BadInput(f"the files hold more than {self._limit / 1e6:.0f} MB")
                file.write(chunk)
        self.labels[path] = visible(name)[-_LONGEST_LABEL:] or path.name


def _unpack(name: str, content: BinaryFile, writer: _Writer) -> None:
    """Add the image files of an archive; its other files are left out."""
    try:
        with zipfile.ZipFile(content) as archive:
            for member in archive.infolist():
                hidden = any(map(_is_hidden, _parts(member.filename)))
                if member.is_dir() or hidden or _ending(member.filename) == _UNKNOWN:
                    continue
                with archive.open(member) as file:
                    writer.add(member.filename, file)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        shown = visible(name)[-_LONGEST_LABEL:]
        raise BadInput(
            f"{shown} cannot be unpacked: it is damaged, encrypted or not a zip archive"
        ) from None


def _parts(name: str) -> list[str]:
    return name.replace("\\", "/").split("/")


def _is_hidden(part: str) -> bool:
    return part.startswith((".", "__MACOSX")) and part not in (".", "..")


def _ending(name: str) -> str:
    """The ending by which readers know a file."""
    found = [ending for ending in IMAGE_ENDINGS if name.lower().endswith(ending)]
    return max(found, key=len, default=_UNKNOWN)
