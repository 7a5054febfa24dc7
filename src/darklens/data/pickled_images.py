"""Images inside pickles, in all the ways that object arrays have stored them.

These are an array; `[image, axion_mass]` as written by DeepLenseSim, with other small items next to
the image; rows as separate arrays; numbers as separate objects. Arrays are built from the nodes of
`pickles`, with limits on the depth and on how large an array a small file can produce.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from darklens.data.decoding import MOST_PIXELS
from darklens.data.pickles import ArrayNode, read_pickle, refused
from darklens.errors import UnreadableImage

__all__ = ["read_pickled_image"]

Array = np.ndarray[Any, np.dtype[Any]]

_TYPE_CODE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")
_DEEPEST = 8
_NUMBERS_A_BYTE = 8  # a number takes at least one byte and is copied a few times
_NUMBERS = (bool, int, float)


def read_pickled_image(content: bytes) -> Array:
    """The image in one pickle.

    Args:
        content: The pickle.

    Raises:
        UnreadableImage: If it is damaged, or holds anything but an image and small items.
    """
    try:
        image = _Arrays(content).array(read_pickle(content), depth=0)
    except (UnreadableImage, MemoryError):
        raise
    except Exception:  # noqa: BLE001  a damaged pickle raises anything
        raise UnreadableImage("the pickle in the .npy file is damaged") from None
    if image is None or image.size < 2:
        raise UnreadableImage("the pickle in the .npy file holds no image")
    return image


class _Arrays:
    """Builds arrays from nodes; each node once, however often the pickle refers to it."""

    def __init__(self, content: bytes) -> None:
        self._left = min(_NUMBERS_A_BYTE * len(content), 2 * MOST_PIXELS)
        self._made: dict[int, tuple[Any, Array | None]] = {}

    def array(self, value: Any, depth: int) -> Array | None:
        """The numbers in a value, or None if it holds none."""
        if depth > _DEEPEST:
            raise refused("arrays nested too deeply")
        if type(value) in _NUMBERS:
            return np.asarray(float(value))
        if type(value) not in (ArrayNode, list, tuple):
            return None
        if id(value) not in self._made:
            self._made[id(value)] = (value, self._new(value, depth))
        return self._made[id(value)][1]

    def _new(self, value: Any, depth: int) -> Array | None:
        if type(value) is not ArrayNode:
            return self._together(value, (len(value),), depth)
        if value.dtype is None:
            return None
        if value.dtype.code.startswith("O"):
            items = value.data if type(value.data) is list else [value.data]
            return self._together(items, tuple(value.shape), depth)
        self._count(math.prod(value.shape))
        return _from_bytes(value)

    def _together(self, items: Sequence[Any], shape: tuple[int, ...], depth: int) -> Array | None:
        """Combine numbers or rows, or select the one image among small items."""
        if items and all(type(item) in _NUMBERS for item in items):
            self._count(len(items))
            return np.array([float(item) for item in items]).reshape(shape)
        arrays = [self.array(item, depth + 1) for item in items]
        known = [array for array in arrays if array is not None]
        if not known:
            return None
        if len(known) == len(arrays) and len({array.shape for array in known}) == 1:
            self._count(sum(array.size for array in known))
            alike = np.stack(known)
            return alike.reshape(shape) if known[0].ndim == 0 else alike
        return _only_image(known)

    def _count(self, numbers: int) -> None:
        """Prevent a small pickle from expanding into a large array."""
        self._left -= numbers
        if numbers < 0 or self._left < 0:
            raise refused("more numbers than its size allows")


def _only_image(arrays: Sequence[Array]) -> Array | None:
    """The only array that can be an image."""
    for least_axes in (2, 1):
        images = [array for array in arrays if array.size > 1 and array.ndim >= least_axes]
        if len(images) == 1:
            return images[0]
        if images:
            shapes = ", ".join(str(array.shape) for array in images[:3])
            raise UnreadableImage(f"the pickle holds arrays of several shapes: {shapes[:100]}")
    return None


def _from_bytes(node: ArrayNode) -> Array:
    dtype, data = node.dtype, node.data
    code = "" if dtype is None else f"{dtype.order}{dtype.code}"
    if not _TYPE_CODE.fullmatch(code):
        raise refused(f"an array of type {code[:20]}")
    kind = np.dtype(code)
    if not isinstance(data, bytes) or len(data) != math.prod(node.shape) * kind.itemsize:
        raise refused("an array whose size does not fit its shape")
    return np.frombuffer(data, dtype=kind).reshape(node.shape, order=_order(node.order))


def _order(order: str) -> Any:
    return "F" if order == "F" else "C"
