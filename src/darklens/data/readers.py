"""One image file to an array: `.npy`, FITS, JPEG, PNG.

Every array is (C, H, W) in its natural type. Whatever is wrong with a file, from a missing one to
a NaN in it, is an `UnreadableImage` whose message is the reason in one line, without the path.

- `.npy`: (H, W) or (C, H, W) with at most 16 channels; a pickled `[image, axion_mass]` gives its
  image (see `pickles`: nothing in the file is executed).
- FITS: the first extension with a two-dimensional image; leading axes of length 1 are dropped.
- JPEG, PNG: one channel when grey, also when the grey is stored as equal red, green and blue.
  Colour pictures give three channels; a model of one channel then refuses them, rather than
  weighing the colours in a way that nobody asked for. Transparency must be absent or full.
"""

import math
import pickle
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Shaped

from darklens.data.files import IMAGE_ENDINGS
from darklens.data.pickles import read_pickled_array
from darklens.errors import UnreadableImage

__all__ = ["pixel_problem", "read_image"]

_MOST_CHANNELS = 16
_SMALLEST_SIDE = 2
_LARGEST = 1e30
_ONE_THREAD = threading.Lock()


def read_image(path: str | Path) -> Shaped[np.ndarray, "c h w"]:
    """Read and check one image.

    Args:
        path: A file with one of the endings in `IMAGE_ENDINGS`.

    Returns:
        The image in its natural type: unsigned or signed integers, float32 or float64.

    Raises:
        UnreadableImage: If the file is missing, damaged or not an image that can be used; the
            message is the reason.
    """
    path = Path(path)
    name = path.name.lower()
    if not path.exists():
        raise UnreadableImage("no such file")
    if path.is_dir():
        raise UnreadableImage("a folder without images")
    if not name.endswith(IMAGE_ENDINGS):
        raise UnreadableImage("unknown ending; images end in .npy, .fits, .jpg or .png")
    try:
        if path.stat().st_size == 0:
            raise UnreadableImage("the file is empty")
        if name.endswith(".npy"):
            image = _read_npy(path)
        elif name.endswith((".jpg", ".jpeg", ".png")):
            image = _read_picture(path)
        else:
            image = _read_fits(path)
    except FileNotFoundError:
        raise UnreadableImage("no such file") from None
    except PermissionError:
        raise UnreadableImage("no permission to read the file") from None
    except MemoryError:
        raise UnreadableImage("too large for the memory") from None
    return _checked(image)


def _checked(image: np.ndarray[Any, np.dtype[Any]]) -> Shaped[np.ndarray, "c h w"]:
    """The image as (C, H, W) in native byte order, or the reason why it cannot be used."""
    kind = image.dtype.kind
    if kind not in "biuf":
        raise UnreadableImage(f"the pixels are not real numbers but of type {image.dtype}")
    if image.ndim == 2:
        image = image[None]
    fits = image.ndim == 3 and 1 <= image.shape[0] <= _MOST_CHANNELS
    if not fits or min(image.shape[1:]) < _SMALLEST_SIDE:
        raise UnreadableImage(f"wrong shape {image.shape}: expected (H, W) or (channels, H, W)")
    image = _native(image)
    problem = pixel_problem(image)
    if problem is not None:
        raise UnreadableImage(problem)
    return image


def pixel_problem(image: Shaped[np.ndarray, "c h w"]) -> str | None:
    """Why an image with such pixels cannot be used, or None when it can."""
    low, high = image.min(), image.max()
    if not np.isfinite([low, high]).all():
        return f"some pixels are {'NaN' if np.isnan(low) else 'infinite'}"
    if low == high:
        return f"constant: every pixel is {low:g}"
    if max(abs(float(low)), abs(float(high))) > _LARGEST:
        return f"has values beyond {_LARGEST:g}, which single precision cannot work with"
    return None


def _native(image: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    if image.dtype.kind == "b":
        return image.astype(np.uint8)
    if image.dtype.kind == "f" and image.dtype.itemsize not in (4, 8):
        return image.astype(np.float32 if image.dtype.itemsize == 2 else np.float64)
    return np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("="))


def _read_npy(path: Path) -> np.ndarray[Any, np.dtype[Any]]:
    with path.open("rb") as file:
        shape, fortran, dtype = _npy_header(file)
        if dtype.hasobject:
            return _image_in_pickle(file)
        expected = math.prod(shape) * dtype.itemsize
        if path.stat().st_size - file.tell() < expected:
            raise UnreadableImage("the file is cut short")
        image = np.fromfile(file, dtype=dtype, count=math.prod(shape))
    return image.reshape(shape, order="F" if fortran else "C")


@contextmanager
def _recorded_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Keep a decoder's warnings from the user; one thread at a time, as `warnings` needs it."""
    with _ONE_THREAD, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def _npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(file)
    except ValueError:
        raise UnreadableImage("not a .npy file: it does not begin like one") from None
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise UnreadableImage(f"a .npy file of the unknown version {version[0]}.{version[1]}")
    try:
        with _recorded_warnings():
            shape, fortran, dtype = readers[version](file)
    except Exception:  # noqa: BLE001  the header is Python text: a damaged one raises anything
        raise UnreadableImage("the header of the .npy file is damaged") from None
    if not all(isinstance(n, int) and n >= 0 for n in shape):
        raise UnreadableImage("the header of the .npy file is damaged")
    return shape, fortran, dtype


def _image_in_pickle(file: IO[bytes]) -> np.ndarray[Any, np.dtype[Any]]:
    """The image of a pickled `[image, axion_mass]`, or of a pickled image."""
    try:
        content = read_pickled_array(file)
    except pickle.UnpicklingError as error:
        reason = " ".join(str(error).split())[:80]
        raise UnreadableImage(f"refused: the pickle holds more than arrays ({reason})") from None
    except Exception:  # noqa: BLE001  a damaged pickle raises anything
        raise UnreadableImage("the pickle in the .npy file is damaged") from None
    while isinstance(content, list) and content:
        content = content[0]
    if not isinstance(content, np.ndarray):
        raise UnreadableImage("the pickle in the .npy file holds no image")
    return content


def _read_picture(path: Path) -> np.ndarray[Any, np.dtype[Any]]:
    from PIL import Image, UnidentifiedImageError

    try:
        with (
            _recorded_warnings(),
            Image.open(path, formats=("JPEG", "PNG")) as file,
        ):
            picture = file.convert("RGBA") if file.mode in ("P", "PA") else file
            mode, values = picture.mode, np.asarray(picture)
    except UnidentifiedImageError:
        raise UnreadableImage("not a JPEG or PNG picture") from None
    except Image.DecompressionBombError:
        raise UnreadableImage("a picture with too many pixels") from None
    except FileNotFoundError:
        raise
    except Exception:  # noqa: BLE001  decoders raise OSError, SyntaxError, struct.error, ...
        raise UnreadableImage("the picture is damaged or cut short") from None
    return _channels(mode, values)


def _channels(mode: str, values: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    if values.ndim == 2:
        return values
    if mode not in ("LA", "RGB", "RGBA"):
        raise UnreadableImage(f"a picture in the colour mode {mode}; grey or RGB is expected")
    if mode.endswith("A"):
        if values[..., -1].min() < 255:
            raise UnreadableImage("a picture with transparent pixels")
        values = values[..., :-1]
    first = values[..., 0]
    grey = all(np.array_equal(first, values[..., k]) for k in range(1, values.shape[-1]))
    return first if grey else np.moveaxis(values, -1, 0)


def _read_fits(path: Path) -> np.ndarray[Any, np.dtype[Any]]:
    from astropy.io import fits

    caught: list[warnings.WarningMessage] = []
    try:
        with _recorded_warnings() as caught, fits.open(path, memmap=False) as extensions:
            image = _first_image(extensions)
    except FileNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001  astropy raises OSError, ValueError, KeyError, ...
        short = isinstance(error, EOFError) or any("truncated" in str(w.message) for w in caught)
        reason = "the file is cut short" if short else "not a FITS file, or a damaged one"
        raise UnreadableImage(reason) from None
    if image is None:
        raise UnreadableImage("the FITS file holds no two-dimensional image")
    return image


def _first_image(extensions: Any) -> np.ndarray[Any, np.dtype[Any]] | None:
    for extension in extensions:
        if not extension.is_image:
            continue
        data = extension.data
        if data is not None and data.ndim >= 2 and math.prod(data.shape[:-2]) == 1:
            return np.array(data).reshape(data.shape[-2:])
    return None
