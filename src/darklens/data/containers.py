"""What happens to a finished image: how it is turned, moved, and written to a file.

Each transformation takes an image and one number. Those of files begin with the image scaled from
0 to 1, as pictures are.
"""

from collections.abc import Callable, Mapping
from io import BytesIO

import numpy as np
from jaxtyping import Float, Num

__all__ = ["TRANSFORMATIONS", "integers", "jpeg", "resized", "transformed"]

Image = Num[np.ndarray, "1 h w"]

_FLOATS = {16: np.float16, 32: np.float32, 64: np.float64}
_INTEGERS = {8: np.uint8, 16: np.uint16}


def transformed(image: Image, steps: Mapping[str, int]) -> Image:
    """The image after the named transformations, in their order."""
    for name, number in steps.items():
        image = TRANSFORMATIONS[name](image, number)
    return image


def turned(image: Image, quarters: int) -> Image:
    """The image turned by quarters of a circle."""
    return np.ascontiguousarray(np.rot90(image, quarters, axes=(1, 2)))


def rolled(image: Image, pixels: int) -> Image:
    """The image moved along its rows; what leaves it on one side comes in on the other."""
    return np.roll(image, pixels, axis=2)


def scaled(image: Image, bits: int) -> Image:
    """The image scaled from 0 to 1, as floating-point numbers of 16, 32 or 64 bits."""
    return np.asarray(_unit(image), dtype=_FLOATS[bits])


def standardised(image: Image, bits: int) -> Image:
    """The image less its mean, over its standard deviation."""
    values = image.astype(np.float64)
    return np.asarray((values - values.mean()) / values.std(), dtype=_FLOATS[bits])


def integers(image: Image, bits: int) -> Image:
    """The image scaled to the whole range of unsigned integers of 8 or 16 bits."""
    return np.asarray(np.round(_unit(image) * (2**bits - 1)), dtype=_INTEGERS[bits])


def jpeg(image: Image, quality: int) -> Image:
    """The image written as a grey JPEG of 8 bits and read back."""
    from PIL import Image as Picture

    buffer = BytesIO()
    Picture.fromarray(integers(image, 8)[0]).save(buffer, format="JPEG", quality=quality)
    return np.asarray(Picture.open(buffer))[np.newaxis].copy()


def resized(image: Image, side: int, *, bicubic: bool = False) -> Image:
    """The image resized to `side` pixels and back, from 0 to 1; by default bilinearly."""
    from PIL import Image as Picture

    _, height, width = image.shape
    picture = Picture.fromarray(_unit(image)[0].astype(np.float32))
    method = Picture.Resampling.BICUBIC if bicubic else Picture.Resampling.BILINEAR
    there = picture.resize((side, side), method)
    return np.asarray(there.resize((width, height), method))[np.newaxis].copy()


def _unit(image: Image) -> Float[np.ndarray, "1 h w"]:
    """The image scaled from 0 to 1 in double precision."""
    values = image.astype(np.float64)
    low, high = values.min(), values.max()
    return np.asarray((values - low) / (high - low))


TRANSFORMATIONS: dict[str, Callable[[Image, int], Image]] = {
    "integers": integers,
    "jpeg": jpeg,
    "resized": resized,
    "rolled": rolled,
    "scaled": scaled,
    "standardised": standardised,
    "turned": turned,
}
"""The transformations by their names in `shifts.yaml`."""
