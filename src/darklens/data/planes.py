"""One plane of a file for a fit: an image, a noise map or a PSF, with the scale of its pixels.

Beside plain names, `FILE[NAME]` or `FILE[NUMBER]` names one extension of a FITS file, as CFITSIO
and DS9 have it.
"""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num

from darklens.data.readers import read_image
from darklens.errors import UnreadableImage

__all__ = ["Plane", "read_plane"]

_FITS = (".fits", ".fit", ".fts", ".fits.gz", ".fits.fz")
_SCALE_KEYWORDS = ("PIXSCALE", "PIXSCAL", "PIXELSCL", "PIXSCAL1", "SECPIX", "SECPIX1")
_LARGEST_SCALE = 60.0


@dataclass(frozen=True)
class Plane:
    """Pixels and their scale.

    Attributes:
        image: The pixels, in the type that the file has.
        pixel_scale: Side of a pixel [arcsec], or None where the file does not say it.
    """

    image: Num[np.ndarray, "h w"]
    pixel_scale: float | None = None


def read_plane(name: str | Path, extension: str | None = None) -> Plane:
    """Read one plane. Its pixels may be anything, also infinite.

    Args:
        name: A file, or `FILE[EXTENSION]`.
        extension: Name or number of an extension of a FITS file; by default the first with a
            two-dimensional image.

    Raises:
        UnreadableImage: If there is no such plane; the message is the reason.
    """
    path = Path(name)
    named = re.fullmatch(r"(.+)\[([^\[\]]+)\]", str(name))
    if named and not path.exists():
        path, extension = Path(named[1]), named[2]
    if path.name.lower().endswith(_FITS) and path.is_file():
        return _read_fits(path, extension)
    if path.suffix == ".npy" and path.is_file() and path.stat().st_size:
        try:
            return Plane(_plane(np.load(path, allow_pickle=False)))
        except ValueError:
            pass  # a pickled one, which `read_image` can read
    image = read_image(path)
    if len(image) != 1:
        raise UnreadableImage(f"{len(image)} channels: a fit takes one")
    return Plane(image[0])


def _plane(values: np.ndarray[Any, np.dtype[Any]]) -> Num[np.ndarray, "h w"]:
    """The two-dimensional array in native byte order."""
    if values.dtype.kind not in "iuf" or values.ndim < 2 or max((1, *values.shape[:-2])) > 1:
        raise UnreadableImage(f"wrong shape {values.shape}: expected one plane (H, W)")
    plane = values.reshape(values.shape[-2:])
    return np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("="))


def _read_fits(path: Path, extension: str | None) -> Plane:
    from astropy.io import fits

    try:
        with warnings.catch_warnings(), fits.open(path, memmap=False) as extensions:
            warnings.simplefilter("ignore")
            found = _extension(extensions, extension)
            return Plane(_plane(np.asarray(found.data)), _pixel_scale(found.header))
    except UnreadableImage:
        raise
    except Exception:  # noqa: BLE001  astropy raises OSError, ValueError, KeyError, ...
        raise UnreadableImage("not a FITS file, or a damaged one") from None


def _extension(extensions: Any, wanted: str | None) -> Any:
    """The extension that is asked for, or the first with an image of two dimensions."""
    planes = {
        index: item
        for index, item in enumerate(extensions)
        if item.is_image and item.data is not None and item.data.ndim >= 2
    }
    for index, item in planes.items():
        if wanted is None or wanted.strip().upper() in (str(index), item.name.upper()):
            return item
    if wanted is None:
        raise UnreadableImage("the FITS file holds no two-dimensional image")
    names = ", ".join(f"{index} {item.name}".strip() for index, item in planes.items())
    raise UnreadableImage(f"no image in the extension {wanted}; there are {names or 'none'}")


def _pixel_scale(header: Any) -> float | None:
    """Side of a pixel [arcsec] by the world coordinates or a keyword of the header."""
    from astropy.wcs import WCS
    from astropy.wcs.utils import proj_plane_pixel_scales

    wcs = WCS(header).celestial
    if wcs.naxis == 2 and wcs.has_celestial:
        scales = 3600 * np.asarray(proj_plane_pixel_scales(wcs))
        scale = float(np.sqrt(scales[0] * scales[1]))
        return scale if 0 < scale < _LARGEST_SCALE else None
    for keyword in _SCALE_KEYWORDS:
        value = header.get(keyword)
        if isinstance(value, int | float) and 0 < abs(value) < _LARGEST_SCALE:
            return abs(float(value))
    return None
