"""Images of lenses for display: stretched, coloured, as PNG or embedded in HTML."""

import base64
import io
from pathlib import Path

import matplotlib
import numpy as np
from jaxtyping import Float, Num, UInt8
from PIL import Image

__all__ = [
    "data_uri",
    "grid_picture",
    "lens_picture",
    "picture_uri",
    "signed_picture",
    "thumbnail_uri",
    "write_picture",
]

_THUMBNAIL = 150  # longest side [pixel]
_QUALITY = 70  # of WebP: at most 8 kB for a noisy lens of 150 x 150 pixels


def lens_picture(image: Num[np.ndarray, "c h w"], *, size: int = 150) -> UInt8[np.ndarray, "H W 3"]:
    """The first channel in false colour, stretched to show faint arcs; row 0 is at the bottom.

    Args:
        image: The lens, in any unit.
        size: Minimum length of the longer side [pixel]; small images are enlarged by integer
            factors.
    """
    plane = np.nan_to_num(image[0, ::-1].astype(np.float64))
    low, high = np.percentile(plane, (50.0, 99.8))  # at least half of the pixels are sky
    scaled = np.clip((plane - low) / max(high - low, np.finfo(float).tiny), 0, 1)
    colours = matplotlib.colormaps["inferno"](scaled**0.6)[..., :3]
    return _enlarged(colours, size)


def signed_picture(
    plane: Float[np.ndarray, "h w"], limit: float, *, size: int = 150
) -> UInt8[np.ndarray, "H W 3"]:
    """Values around zero in a diverging colour map; row 0 is at the bottom, and NaN is white.

    Args:
        plane: The values, such as a residual in units of the noise.
        limit: The colours end at plus and minus this value.
        size: Minimum length of the longer side [pixel].
    """
    scaled = np.nan_to_num(np.clip(plane[::-1] / limit, -1, 1))
    colours = matplotlib.colormaps["RdBu_r"](0.5 * (scaled + 1))[..., :3]
    return _enlarged(colours, size)


def grid_picture(
    images: Num[np.ndarray, "n c h w"], *, columns: int, gap: int = 2
) -> UInt8[np.ndarray, "H W 3"]:
    """Pictures of several lenses in a grid, with white gaps of `gap` pixels."""
    pictures = [lens_picture(image) for image in images]
    height, width, _ = pictures[0].shape
    rows = -(-len(pictures) // columns)
    grid = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        grid[top : top + height, left : left + width] = picture
    return grid


def write_picture(path: Path, picture: UInt8[np.ndarray, "H W 3"]) -> None:
    """Write a picture as PNG."""
    Image.fromarray(picture).save(path, format="PNG")


def picture_uri(picture: UInt8[np.ndarray, "H W 3"]) -> str:
    """A picture as a data URI for an HTML image."""
    memory = io.BytesIO()
    Image.fromarray(picture).save(memory, format="PNG", optimize=True)
    return data_uri(memory.getvalue(), "image/png")


def thumbnail_uri(picture: UInt8[np.ndarray, "H W 3"]) -> str:
    """A picture of at most 150 pixels on a side as a small data URI, for pages of many images."""
    image = Image.fromarray(picture)
    image.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
    memory = io.BytesIO()
    image.save(memory, format="WEBP", quality=_QUALITY)
    return data_uri(memory.getvalue(), "image/webp")


def data_uri(data: bytes, media_type: str) -> str:
    """Bytes as a data URI.

    >>> data_uri(b"a", "text/plain")
    'data:text/plain;base64,YQ=='
    """
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _enlarged(colours: Float[np.ndarray, "h w 3"], size: int) -> UInt8[np.ndarray, "H W 3"]:
    """Colours from 0 to 1 as bytes, each pixel repeated until the longer side has `size`."""
    factor = max(1, round(size / max(colours.shape[:2])))
    return np.asarray(np.repeat(np.repeat(colours, factor, 0), factor, 1) * 255, dtype=np.uint8)
