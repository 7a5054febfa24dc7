"""Arrays on the wire: one plane of an image as base64 of little-endian single precision.

The page draws planes itself, so that a change of stretch or colours needs no request. Planes that
are only looked at are reduced to `LARGEST_SIDE` pixels a side; NaN stays NaN.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Num

from darklens.cutouts import block_sums
from darklens.errors import BadInput
from darklens.files.schema import read_as

__all__ = ["LARGEST_SIDE", "Plane", "array_of", "plane_of", "received_plane"]

LARGEST_SIDE = 512
"""Longest side of a plane [pixel]; longer ones are averaged over blocks."""


@dataclass(frozen=True)
class Plane:
    """One plane of an image; row 0 is at the bottom.

    Attributes:
        shape: Rows and columns.
        data: The pixels row by row, float32, little-endian, as base64.
        binning: Side of the blocks of pixels of the original that were averaged.
    """

    shape: tuple[int, int]
    data: str
    binning: int = 1


def plane_of(image: Num[np.ndarray, "h w"]) -> Plane:
    """The plane of an image, averaged over blocks if it is large."""
    factor = -(-max(image.shape) // LARGEST_SIDE)
    reduced = image if factor == 1 else block_sums(image.astype(np.float64), factor) / factor**2
    pixels = np.ascontiguousarray(reduced, dtype="<f4")
    rows, columns = pixels.shape
    return Plane((rows, columns), base64.b64encode(pixels.tobytes()).decode("ascii"), factor)


def received_plane(content: Mapping[str, Any]) -> Plane:
    """A plane from the plain values of an answer.

    Raises:
        BadInput: If it is none.
    """
    plane: Plane = read_as(Plane, content, BadInput)
    return plane


def array_of(plane: Plane) -> Float32[np.ndarray, "h w"]:
    """The pixels of a plane.

    >>> array_of(plane_of(np.array([[1.0, 2.0], [3.0, 4.0]]))).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    pixels = np.frombuffer(base64.b64decode(plane.data), dtype="<f4")
    return pixels.reshape(plane.shape).astype(np.float32)
