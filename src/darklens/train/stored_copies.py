"""Copies of simulated images as they are found in files: 8-bit, JPEG, resized, off centre.

| share | copy |
|---|---|
| 50 % | the counts |
| 25 % | 8-bit integers, the minimum at 0 and the maximum at 255 |
| 15 % | the 8-bit integers as a JPEG of quality 80 to 97 |
| 10 % | resized to a side of 100 to 259 pixels and back, bicubically |

Half of the copies of each kind are shifted by up to two pixels along each axis.
"""

import numpy as np
from jaxtyping import Float64, Num
from numpy.random import Generator

from darklens.data.containers import integers, jpeg, resized

__all__ = ["stored_copy"]

_COUNTS, _EIGHT_BIT, _JPEG = 0.5, 0.75, 0.9  # cumulative shares
_QUALITIES = (80, 98)
_SIDES = (100, 260)
_MOVED = 0.5
_FARTHEST = 2  # [pixel]


def stored_copy(
    image: Num[np.ndarray, "1 h w"], generator: Generator
) -> Float64[np.ndarray, "1 h w"]:
    """A random copy of an image.

    Args:
        image: Photon counts.
        generator: The random number generator.
    """
    copy = _stored(image, generator).astype(np.float64)
    if generator.uniform() < _MOVED:
        shift = generator.integers(-_FARTHEST, _FARTHEST + 1, 2)
        copy = np.roll(copy, tuple(shift), (1, 2))
    return copy


def _stored(image: Num[np.ndarray, "1 h w"], generator: Generator) -> Num[np.ndarray, "1 h w"]:
    drawn = generator.uniform()
    if drawn < _COUNTS:
        return image
    if drawn < _EIGHT_BIT:
        return integers(image, 8)
    if drawn < _JPEG:
        return jpeg(image, int(generator.integers(*_QUALITIES)))
    return 255.0 * resized(image, int(generator.integers(*_SIDES)), bicubic=True).astype(np.float64)
