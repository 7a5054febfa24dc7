"""Reader of JPEG and PNG files: one channel for grey pictures, three for colour.

A one-channel model refuses colour pictures; they are never converted to grey silently. Pictures
must be opaque. The size is read from the header and checked before the pixels are decoded.
"""

from pathlib import Path
from typing import Any

import numpy as np

from darklens.data.decoding import check_pixel_count, file_size, recorded_warnings
from darklens.errors import UnreadableImage

__all__ = ["picture_size", "read_picture"]


def read_picture(path: Path) -> np.ndarray[Any, np.dtype[Any]]:
    """Read the pixels of a JPEG or PNG: (H, W) if grey, otherwise (channels, H, W).

    Raises:
        UnreadableImage: If it is neither, damaged, too large, or not opaque.
    """
    from PIL import Image, UnidentifiedImageError

    file_size(path)
    try:
        with (
            recorded_warnings(),
            Image.open(path, formats=("JPEG", "PNG")) as file,
        ):
            check_pixel_count(file.size)
            picture = file.convert("RGBA") if file.mode in ("P", "PA") else file
            mode, values = picture.mode, np.asarray(picture)
    except UnidentifiedImageError:
        raise UnreadableImage("not a JPEG or PNG picture") from None
    except Image.DecompressionBombError:
        raise UnreadableImage("a picture with too many pixels") from None
    except (UnreadableImage, FileNotFoundError, PermissionError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  decoders raise OSError, SyntaxError, struct.error, ...
        raise UnreadableImage("the picture is damaged or cut short") from None
    return _channels(mode, values)


def picture_size(path: Path) -> tuple[int, int]:
    """Rows and columns of a JPEG or PNG [pixel], from its header.

    Raises:
        Exception: Of any kind, if it is neither or damaged.
    """
    from PIL import Image

    file_size(path)
    with recorded_warnings(), Image.open(path, formats=("JPEG", "PNG")) as picture:
        width, height = picture.size
    return height, width


def _channels(mode: str, values: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    if values.ndim == 2:
        return values
    if mode not in ("LA", "RGB", "RGBA"):
        raise UnreadableImage(f"a picture in colour mode {mode}; expected grey or RGB")
    if mode.endswith("A"):
        if values[..., -1].min() < 255:
            raise UnreadableImage("a picture with transparent pixels")
        values = values[..., :-1]
    return np.moveaxis(values, -1, 0)
