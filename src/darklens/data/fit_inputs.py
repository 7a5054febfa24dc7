"""Inputs of a fit, read from files: image, noise map or PSF, with the pixel scale.

`FILE[NAME]` or `FILE[NUMBER]` selects an extension of a FITS file, in the notation of CFITSIO and
DS9.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num

from darklens.data.decoding import recorded_warnings
from darklens.data.readers import read_pixels
from darklens.errors import UnreadableImage
from darklens.naming import sides

__all__ = ["Plane", "read_plane"]

_SCALE_KEYWORDS = ("PIXSCALE", "PIXSCAL", "PIXELSCL", "PIXSCAL1", "SECPIX", "SECPIX1")
_LINEAR = tuple(
    f"{name}{suffix}"
    for name, suffixes in (
        ("CRVAL", ("1", "2")),
        ("CRPIX", ("1", "2")),
        ("CDELT", ("1", "2")),
        ("CUNIT", ("1", "2")),
        ("CROTA", ("1", "2")),
        ("CD", ("1_1", "1_2", "2_1", "2_2")),
        ("PC", ("1_1", "1_2", "2_1", "2_2")),
    )
    for suffix in suffixes
)
_LARGEST_SCALE = 60.0


@dataclass(frozen=True)
class Plane:
    """A two-dimensional array and its pixel scale.

    Attributes:
        image: The pixels, in the type of the file.
        pixel_scale: Pixel scale [arcsec/pixel], or None if the file does not give it.
    """

    image: Num[np.ndarray, "h w"]
    pixel_scale: float | None = None

    def __repr__(self) -> str:
        scale = "unknown scale" if self.pixel_scale is None else f"{self.pixel_scale:g} arcsec"
        return f"Plane({sides(self.image.shape)} pixels of {scale}, {self.image.dtype})"


def read_plane(name: str | Path, extension: str | None = None) -> Plane:
    """Read one plane. Pixel values are not checked and may be infinite or NaN.

    Args:
        name: A file, or `FILE[EXTENSION]`.
        extension: Name or number of an extension of a FITS file; by default the first with a
            two-dimensional image.

    Raises:
        UnreadableImage: If there is no such plane; the message gives the reason.
    """
    image, header = read_pixels(name, extension)
    if len(image) != 1:
        raise UnreadableImage(
            f"wrong shape {image.shape}: a fit needs one plane; FILE[EXTENSION:BAND] selects a band"
            " of a FITS file"
        )
    with recorded_warnings():
        return Plane(image[0], None if header is None else _pixel_scale(header))


def _pixel_scale(header: Any) -> float | None:
    """Pixel scale [arcsec/pixel] from the WCS or a keyword of the header.

    Distortions and coordinate tables are ignored: they hardly change the scale, and damaged ones
    can make the library fail.
    """
    from astropy.io.fits import Header
    from astropy.wcs import WCS
    from astropy.wcs.utils import proj_plane_pixel_scales

    given = {key: _value(header, key) for key in (*_LINEAR, "CTYPE1", "CTYPE2")}
    try:
        linear = Header({key: value for key, value in given.items() if value is not None})
        for axis in (1, 2):
            linear[f"CTYPE{axis}"] = str(given[f"CTYPE{axis}"] or "")[:8]
        wcs = WCS(linear, naxis=2).celestial
        scales = 3600 * np.array(proj_plane_pixel_scales(wcs) if wcs.has_celestial else [])
    except Exception:  # noqa: BLE001  a WCS that astropy cannot interpret
        scales = np.array([])
    if scales.size == 2:
        scale = float(np.sqrt(scales.prod()))
        return scale if 0 < scale < _LARGEST_SCALE else None
    for keyword in _SCALE_KEYWORDS:
        value = _value(header, keyword)
        if isinstance(value, int | float) and 0 < abs(value) < _LARGEST_SCALE:
            return abs(float(value))
    return None


def _value(header: Any, keyword: str) -> Any:
    """The value of a keyword, or None if it is missing or unreadable."""
    try:
        return header.get(keyword)
    except Exception:  # noqa: BLE001  a damaged card raises VerifyError, ValueError, ...
        return None
