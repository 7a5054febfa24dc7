"""Read one image file into an array: `.npy`, FITS, JPEG, PNG.

Every array is (C, H, W) in its natural type. Any problem with a file, from a missing file to a NaN
pixel, raises `UnreadableImage` with the reason in one line, without the path.

- `.npy`: (H, W), (C, H, W) or (H, W, C) with at most 16 channels, or a flattened square image;
  axes of length 1 are allowed. Also as a pickle, without executing it (see `pickled_images`).
- `.npz`, and one image of a stack, such as `lenses.npz[17]` (see `stacks`).
- FITS: the first extension with one plane, or else the first with at most 16 bands, taken as
  channels; `FILE[EXTENSION]` selects another (see `fits_files`).
- JPEG, PNG: one channel if grey, three if in colour (see `pictures`).

In every format three equal channels are reduced to one.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from darklens.data.decoding import file_size, shown
from darklens.data.files import FITS_ENDINGS, IMAGE_ENDINGS, split_extension, split_member
from darklens.data.fits_files import read_fits
from darklens.data.npy_files import read_npy
from darklens.data.pictures import read_picture
from darklens.data.stacks import read_stacked
from darklens.errors import UnreadableImage

__all__ = ["pixel_problem", "read_image", "read_pixels"]

_MOST_CHANNELS = 16
_SMALLEST_SIDE = 2
_LARGEST = 1e30


def read_image(
    path: str | Path, *, extension: str | None = None, allow_nan: bool = False
) -> Shaped[np.ndarray, "c h w"]:
    """Read and check one image.

    Args:
        path: A file with one of `IMAGE_ENDINGS`, or `FILE[EXTENSION]` for FITS.
        extension: Name or number of the extension of a FITS file; the first image if None.
        allow_nan: Accept NaN pixels, such as those without data; the caller must mask them.

    Returns:
        The image in its natural type: unsigned or signed integers, float32 or float64.

    Raises:
        UnreadableImage: If the file is missing, damaged or not a usable image; the message gives
            the reason.
    """
    image, _ = read_pixels(path, extension)
    if min(image.shape[1:]) < _SMALLEST_SIDE:
        raise _wrong_shape(image.shape)
    problem = pixel_problem(image, allow_nan=allow_nan)
    if problem is not None:
        raise UnreadableImage(problem)
    return image


def read_pixels(
    path: str | Path, extension: str | None = None
) -> tuple[Shaped[np.ndarray, "c h w"], Any]:
    """Read one image without checking its pixels, and the header if it is FITS.

    Args:
        path: A file, or `FILE[EXTENSION]`.
        extension: Name or number of the extension of a FITS file.

    Raises:
        UnreadableImage: If the file is missing, damaged or holds no image.
    """
    path, named = split_extension(path)
    try:
        image, header = _read(path, named or extension)
        return _channels_first(_real(image)), header
    except FileNotFoundError:
        raise UnreadableImage("no such file") from None
    except PermissionError:
        raise UnreadableImage("no permission to read the file") from None
    except MemoryError:
        raise UnreadableImage("too large for memory") from None
    except RecursionError:
        raise UnreadableImage("the file is nested too deeply") from None
    except OSError as error:
        raise UnreadableImage(f"the file cannot be read: {error.strerror or error}") from None


def _read(path: Path, extension: str | None) -> tuple[np.ndarray[Any, np.dtype[Any]], Any]:
    name = path.name.lower()
    if name.endswith(FITS_ENDINGS):
        found = read_fits(path, extension)
        return found.pixels, found.header
    if extension is not None and name.endswith(IMAGE_ENDINGS):
        raise UnreadableImage(f"not a FITS file: it has no extension {shown(extension)}")
    if name.endswith(".npz") or split_member(path) is not None:
        return read_stacked(path), None
    if name.endswith(".npy"):
        return read_npy(path), None
    if name.endswith(IMAGE_ENDINGS):
        return read_picture(path), None
    file_size(path)
    raise UnreadableImage("unknown ending; images end in .npy, .npz, .fits, .jpg or .png")


def pixel_problem(image: Shaped[np.ndarray, "c h w"], *, allow_nan: bool = False) -> str | None:
    """Why the pixels of an image make it unusable, or None if they do not.

    Args:
        image: The image.
        allow_nan: Accept NaN pixels and check only the others.
    """
    if allow_nan and image.dtype.kind == "f":
        known = image[~np.isnan(image)]
        if not known.size:
            return "every pixel is NaN"
        image = known
    low, high = image.min(), image.max()
    if not np.isfinite([low, high]).all():
        return f"some pixels are {'NaN' if np.isnan(low) else 'infinite'}"
    if low == high:
        return f"constant: every pixel is {low:g}"
    if max(abs(float(low)), abs(float(high))) > _LARGEST:
        return f"has values beyond {_LARGEST:g}, too large for single precision"
    return None


def _real(image: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    """Convert to native byte order; half precision becomes single, and extended becomes double."""
    kind, size = image.dtype.kind, image.dtype.itemsize
    if kind not in "biuf":
        raise UnreadableImage(f"the pixels are not real numbers but of type {image.dtype}")
    if kind == "b":
        return image.astype(np.uint8)
    if kind == "f" and size not in (4, 8):
        with np.errstate(over="ignore", invalid="ignore"):  # beyond double precision: infinite
            return image.astype(np.float32 if size == 2 else np.float64)
    return np.asarray(image, dtype=image.dtype.newbyteorder("="))


def _channels_first(image: np.ndarray[Any, np.dtype[Any]]) -> Shaped[np.ndarray, "c h w"]:
    """The image as (C, H, W); fails with the reason if its shape is ambiguous."""
    if image.ndim == 2:
        image = image[None]
    shape = image.shape
    if not image.size or not shape:
        raise _wrong_shape(shape)
    while image.ndim > 3 and image.shape[0] == 1:
        image = image[0]
    while image.ndim > 3 and image.shape[-1] == 1:
        image = image[..., 0]
    side = math.isqrt(image.size)
    if max(image.shape) == image.size == side**2 and side >= _SMALLEST_SIDE:
        image = image.reshape(1, side, side)
    if image.ndim != 3:
        raise _wrong_shape(shape)
    if image.shape[0] > 1:
        image = _with_channels(image)
    if len(image) == 3 and all(_alike(image[0], other) for other in image[1:]):
        image = image[:1]
    return np.ascontiguousarray(image)


def _with_channels(image: Shaped[np.ndarray, "_ _ _"]) -> Shaped[np.ndarray, "_ _ _"]:
    """The channel axis is the one shorter than both others, or next to two equal axes."""
    a, b, c = image.shape
    if a > _MOST_CHANNELS < c:
        raise _wrong_shape(image.shape)
    first, last = a < min(b, c), c < min(a, b)
    if not first and not last:
        first, last = b == c, a == b
    if first == last:
        raise UnreadableImage(f"the shape {(a, b, c)} does not show which axis holds the channels")
    if (a if first else c) > _MOST_CHANNELS:
        raise _wrong_shape(image.shape)
    return image if first else np.moveaxis(image, -1, 0)


def _alike(one: Shaped[np.ndarray, "h w"], other: Shaped[np.ndarray, "h w"]) -> bool:
    """Whether two channels are equal, counting NaN as equal to NaN."""
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _wrong_shape(shape: tuple[int, ...]) -> UnreadableImage:
    many = len(shape) > 2 and shape[0] > _MOST_CHANNELS
    hint = "; it is a stack, FILE[0] selects its first image" if many else ""
    return UnreadableImage(
        f"wrong shape {shape}: expected (H, W), (channels, H, W) or (H, W, channels){hint}"
    )
