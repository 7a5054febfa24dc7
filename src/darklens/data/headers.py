"""The dimensions of an image from its file's header, before the pixels are read.

A compressed file of a few kilobytes can hold an image of gigabytes. What a file declares decides
whether it suits a model, and how many are read together.
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
_BYTES = 8  # of a pixel in memory, while it is read and prepared
_RATIO = 20  # of the compression of FITS files, at most
_CHANNELS = 4


@dataclass(frozen=True)
class Declared:
    """What a header says.

    Attributes:
        size: Rows and columns [pixel], where they are known without reading the pixels.
        memory: About how much memory the image takes while it is read [byte].
    """

    size: tuple[int, int] | None
    memory: int


def declared(path: Path) -> Declared:
    """What the header of an image file says; a damaged one says nothing and takes no memory."""
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
    except Exception:  # noqa: BLE001  whatever is wrong with the file, its reader will say it
        return Declared(None, 0)
    return Declared(None, on_disk * (_RATIO if name.endswith(_COMPRESSED) else 2))


def _array(path: Path) -> Declared:
    """Rows and columns of a plain array, where its shape says which they are."""
    with path.open("rb") as file:
        header = read_npy_header(file)
    shape = tuple(side for side in header.shape if side != 1)
    known = len(shape) == 2 and not header.dtype.hasobject
    size = (shape[0], shape[1]) if known else None
    return Declared(size, max(_BYTES * math.prod(header.shape), path.stat().st_size))
