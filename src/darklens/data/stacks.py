"""Stacks: many images in one `.npy` or `.npz` file, named by number: `lenses.npz[17]`.

A stack is an array (N, H, W), (N, C, H, W) or (N, H, W, C). In an `.npz` it is the array `images`,
or the only array with at least two axes (see `npz_files` for its labels). Each image is read from
its place in the file without the others; compressed files are decompressed once, into an
anonymous temporary file.

Up to 16 planes (N, H, W) in a `.npy` could also be the channels of one image. The number of
channels that the model takes decides, or the user does. In an `.npz` the name `images` means that
they are images.
"""

import math
import os
import re
import threading
import weakref
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from darklens.data.decoding import check_pixel_count, file_size
from darklens.data.files import list_images, split_member
from darklens.data.npy_files import NpyHeader, read_npy_header
from darklens.data.npz_files import (
    IMAGES,
    array_of_images,
    opened_archive,
    start_of_member,
    unpacked,
)
from darklens.errors import BadInput, UnreadableImage

__all__ = [
    "Stack",
    "class_stacks",
    "expand_stacks",
    "open_stack",
    "read_stacked",
]

_ENDINGS = (".npy", ".npz")

_MOST_CHANNELS = 16
_BOMB, _BOMB_RATIO = 2**28, 500  # decompressed bytes, and the highest compression ratio beyond that
_OPEN_AT_ONCE = 32
_LOCK = threading.Lock()


class Stack:
    """The array of images in a file, read one image at a time.

    Args:
        path: An `.npy` or `.npz` file.

    Attributes:
        path: The file.
        shape: Shape of the array with the images along the first axis, or of a single image.
        dtype: Type of the pixels.
        named: Whether the array is named `images`.

    Raises:
        UnreadableImage: If the file holds no such array, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.named = False
        self._packed: str | None = None
        self._unpacked: IO[bytes] | None = None
        self._lock = threading.Lock()
        size = file_size(path)
        if path.name.lower().endswith(".npz"):
            header, size = self._open_archive(size)
        else:
            with path.open("rb") as file:
                header, self._offset = read_npy_header(file), file.tell()
        self.shape, self.dtype, self._fortran = header.shape, header.dtype, header.fortran
        pickled = self.dtype.hasobject  # not a stack; the .npy reader may still find one image
        if pickled and path.name.lower().endswith(".npz"):
            raise UnreadableImage("the archive holds objects: save plain arrays")
        if not pickled and self._offset + math.prod(self.shape) * self.dtype.itemsize > size:
            raise UnreadableImage("the file is cut short")

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, index: int) -> np.ndarray[Any, np.dtype[Any]]:
        """Read image number `index` as stored.

        Raises:
            UnreadableImage: If there is no such image, or it is unreadable.
        """
        if self.dtype.hasobject or not self.shape:
            raise UnreadableImage("the file is not a stack of images")
        if not 0 <= index < len(self):
            last = f"its images are 0 to {len(self) - 1}" if len(self) else "it is empty"
            raise UnreadableImage(f"there is no image {index} in the stack; {last}")
        return self._read(index * math.prod(self.shape[1:]), self.shape[1:], index)

    def read_all(self) -> np.ndarray[Any, np.dtype[Any]]:
        """Read the whole array, when it is a single image."""
        return self._read(0, self.shape, None)

    def _read(
        self, first: int, shape: tuple[int, ...], index: int | None
    ) -> np.ndarray[Any, np.dtype[Any]]:
        count = check_pixel_count(shape)
        source = self._source()
        if self._fortran:
            whole: np.ndarray[Any, np.dtype[Any]] = np.memmap(
                source, self.dtype, "r", self._offset, self.shape, order="F"
            )
            return np.array(whole if index is None else whole[index])
        length = count * self.dtype.itemsize
        content = self._bytes(source, self._offset + first * self.dtype.itemsize, length)
        if len(content) < length:
            raise UnreadableImage("the file is cut short")
        return np.frombuffer(content, self.dtype).reshape(shape)

    def _bytes(self, source: Any, start: int, length: int) -> bytes:
        if isinstance(source, Path):
            with source.open("rb") as file:
                file.seek(start)
                return file.read(length)
        if hasattr(os, "pread"):  # independent of the file position, which forked processes share
            parts = list[bytes]()
            while length > 0 and (part := os.pread(source.fileno(), length, start)):
                parts.append(part)
                start, length = start + len(part), length - len(part)
            return b"".join(parts)
        with self._lock:
            source.seek(start)
            return bytes(source.read(length))

    def _source(self) -> Any:
        """The file that holds the uncompressed array."""
        if self._packed is None:
            return self.path
        with self._lock:
            if self._unpacked is None:
                self._unpacked = unpacked(self.path, self._packed)
                weakref.finalize(self, self._unpacked.close)
            return self._unpacked

    def _open_archive(self, size: int) -> tuple[NpyHeader, int]:
        """The header of the array of images, and the offset of its end [byte]."""
        with opened_archive(self.path) as archive:
            name = array_of_images(archive)
            self.named = name.removesuffix(".npy") == IMAGES
            info = archive.getinfo(name)
            if info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1:
                with self.path.open("rb") as file:
                    start = start_of_member(file, info)
                    file.seek(start)
                    header, self._offset = read_npy_header(file), file.tell()
                return header, min(size, start + info.file_size)
            self._packed = name
            if info.file_size > max(_BOMB, _BOMB_RATIO * info.compress_size):
                raise UnreadableImage("compression ratio too high for images: decompress it first")
            with archive.open(info) as member:
                header, self._offset = read_npy_header(member), member.tell()
            return header, info.file_size


def open_stack(path: str | Path) -> Stack:
    """Open a `.npy` or `.npz` file; recently used files stay open until they change.

    Raises:
        UnreadableImage: If the file is missing or damaged, or has no array of images.
    """
    path = Path(path)
    file_size(path)
    status = path.stat()
    with _LOCK:
        return _opened(str(path), (status.st_mtime_ns, status.st_size, status.st_ino))


def class_stacks(folder: Path) -> list[Path]:
    """The stacks in a folder that holds nothing else, if each can be a class.

    Stacks whose names differ only by a number, such as `lenses_1.npz`, are parts of one set.
    """
    files = list_images(folder, recursive=False)
    if not files or not all(map(_holds_stack, files)):
        return []
    distinct = {re.sub(r"[\d\W_]+$", "", path.stem) for path in files}
    return files if len(distinct) == len(files) else []


def _holds_stack(path: Path) -> bool:
    """Whether a file is a stack; damaged archives count, so that their reader reports the error."""
    try:
        return _is_stack(open_stack(path), stacked=True) is True
    except UnreadableImage:
        return path.suffix.lower() == ".npz"


def read_stacked(name: str | Path) -> np.ndarray[Any, np.dtype[Any]]:
    """Read one image of a stack, or the only image of an `.npz`.

    Raises:
        UnreadableImage: If there is no such image.
    """
    member = split_member(name)
    if member is not None:
        return open_stack(member[0]).read(member[1])
    stack = open_stack(name)
    if _is_stack(stack, stacked=True):
        raise UnreadableImage(
            f"a stack of {len(stack)} images: {Path(name).name}[0] selects the first"
        )
    return stack.read_all()


def expand_stacks(
    paths: Sequence[Path],
    *,
    channels: int | None = None,
    stacked: bool | None = None,
    say: Callable[[str], object] = str,
) -> list[Path]:
    """Replace each stack among the paths by the names of its images.

    Unreadable files are kept: `read_image` then reports what is wrong with them.

    Args:
        paths: Files.
        channels: Channels of the model; they decide whether 2 to 16 planes are images or channels.
        stacked: Read such planes as images (True) or channels (False), whatever `channels` is.
        say: Called with a message when `channels` decided.

    Raises:
        BadInput: If it remains undecided.
    """
    return [name for path in paths for name in _names(path, channels, stacked, say)]


def _names(
    path: Path, channels: int | None, stacked: bool | None, say: Callable[[str], object]
) -> Iterator[Path]:
    try:
        unreadable = not path.name.lower().endswith(_ENDINGS) or not path.is_file()
        stack = None if unreadable else open_stack(path)
        count = len(stack) if stack and _decided(stack, channels, stacked, say) else None
    except (UnreadableImage, OSError, MemoryError):
        count = None
    if count is None:
        yield path
    else:
        yield from (path.with_name(f"{path.name}[{index}]") for index in range(count))


def _decided(
    stack: Stack, channels: int | None, stacked: bool | None, say: Callable[[str], object]
) -> bool:
    """Whether the array is a stack, given its shape and the model's channels."""
    found = _is_stack(stack, stacked=stacked)
    if found is not None:
        return found
    planes = [stack.read(index) for index in range(len(stack))]
    if len(planes) == 3 and all(np.array_equal(planes[0], plane) for plane in planes):
        return False  # a grey picture in three colours
    shape = f"{stack.path} {stack.shape}"
    if channels is None:
        raise BadInput(
            f"{shape} may be {len(stack)} images, or one image of {len(stack)} channels: give"
            " --stack true or --stack false"
        )
    if channels != 1 or len(stack) == channels:
        return False
    say(
        f"{shape} is read as {len(stack)} images of one channel, to match the model; if it is one"
        f" image of {len(stack)} channels, give --stack false"
    )
    return True


def _is_stack(stack: Stack, *, stacked: bool | None) -> bool | None:
    """Whether the array is a stack by its shape and name; None if undecided."""
    shape = stack.shape
    if stack.dtype.hasobject or sum(side != 1 for side in shape) < 3:
        return stack.named and len(shape) in (3, 4) and min(shape[-2:]) > 1
    if len(shape) == 4:
        return shape[0] > 1
    if len(shape) != 3 or shape[2] <= _MOST_CHANNELS < min(shape[:2]):
        return False
    if stack.named or shape[0] > _MOST_CHANNELS:
        return True
    return stacked


@lru_cache(maxsize=_OPEN_AT_ONCE)
def _opened(path: str, stamp: tuple[int, ...]) -> Stack:  # noqa: ARG001  the stamp changes with the file
    return Stack(Path(path))
