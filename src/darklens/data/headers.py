"""The dimensions of an image from its header, before the pixels are read.

A compressed file of a few kilobytes can hold an image of gigabytes. The declared size decides
whether an image suits a model and how many images are read at once.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from darklens.data.files import split_member
from darklens.data.npy_files import read_npy_header
from darklens.data.pictures import picture_size
from darklens.data.stacks import open_stack

__all__ = ["Declared", "declared"]

_PICTURES = (".jpg", ".jpeg", ".png")
_COMPRESSED = (".gz", ".fz", ".npz")
_BYTES = 8  # memory per pixel while an image is read and preprocessed
_RATIO = 20  # highest compression ratio of FITS files
_CHANNELS = 4


@dataclass(frozen=True)
class Declared:
    """The size of an image according to its header.

    Attributes:
        size: Rows and columns [pixel], if known without reading the pixels.
        memory: Approximate memory needed to read the image [byte].
    """

    size: tuple[int, int] | None
    memory: int


def declared(path: Path) -> Declared:
    """The size declared by an image file; unknown and 0 bytes if the header is damaged."""
    name = path.name.lower()
    try:
        if name.endswith(_PICTURES):
            height, width = picture_size(path)
            return Declared((height, width), _BYTES * _CHANNELS * height * width)
        if (member := split_member(path)) is not None:
            stack = open_stack(member[0])
            return Declared(None, _BYTES * math.prod(stack.shape[1:]))
        if name.endswith(".npy"):
            return _array(path)
        on_disk = path.stat().st_size
    except Exception:  # noqa: BLE001  the reader of the file reports what is wrong
        return Declared(None, 0)
    return Declared(None, on_disk * (_RATIO if name.endswith(_COMPRESSED) else 2))


def _array(path: Path) -> Declared:
    """Rows and columns of a plain array, if its shape is unambiguous."""
    with path.open("rb") as file:
        header = read_npy_header(file)
    shape = tuple(side for side in header.shape if side != 1)
    known = len(shape) == 2 and not header.dtype.hasobject
    size = (shape[0], shape[1]) if known else None
    return Declared(size, max(_BYTES * math.prod(header.shape), path.stat().st_size))
