"""World coordinates of a FITS header: position on the sky, pixel scale, orientation.

Only the linear part is read. Distortions and coordinate tables are ignored: they hardly change a
cutout, and damaged ones can make the library fail.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Orientation", "header_value", "orientation_of", "pixel_scale_of", "world_coordinates"]

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
_FRAME = ("RADESYS", "EQUINOX", "LONPOLE", "LATPOLE")
_LARGEST_SCALE = 60.0  # arcsec


@dataclass(frozen=True)
class Orientation:
    """How the rows and columns of an image lie on the sky.

    Attributes:
        north: Direction of North, anticlockwise from the direction of increasing row [deg].
        mirrored: Whether East lies clockwise of North with row 0 at the bottom, unlike on the sky.
        elongation: Longer over shorter side of a pixel.
    """

    north: float
    mirrored: bool
    elongation: float


def world_coordinates(header: Any) -> Any:
    """The linear celestial WCS of a header, an `astropy.wcs.WCS`, or None if it has none."""
    from astropy.io.fits import Header
    from astropy.wcs import WCS

    given = {key: header_value(header, key) for key in (*_LINEAR, *_FRAME, "CTYPE1", "CTYPE2")}
    try:
        linear = Header({key: value for key, value in given.items() if value is not None})
        for axis in (1, 2):
            linear[f"CTYPE{axis}"] = str(given[f"CTYPE{axis}"] or "")[:8]
        wcs = WCS(linear, naxis=2).celestial
        return wcs if wcs.has_celestial else None
    except Exception:  # noqa: BLE001  a WCS that astropy cannot interpret
        return None


def pixel_scale_of(header: Any) -> float | None:
    """Pixel scale [arcsec/pixel] from the WCS or a keyword of the header, or None."""
    from astropy.wcs.utils import proj_plane_pixel_scales

    try:
        wcs = world_coordinates(header)
        scales = 3600 * np.array([] if wcs is None else proj_plane_pixel_scales(wcs))
    except Exception:  # noqa: BLE001  a WCS that astropy cannot interpret
        scales = np.array([])
    if scales.size == 2:
        scale = float(np.sqrt(scales.prod()))
        return scale if 0 < scale < _LARGEST_SCALE else None
    for keyword in _SCALE_KEYWORDS:
        value = header_value(header, keyword)
        if isinstance(value, int | float) and 0 < abs(value) < _LARGEST_SCALE:
            return abs(float(value))
    return None


def orientation_of(wcs: Any) -> Orientation | None:
    """How the image of a celestial WCS lies on the sky, or None where that is not defined."""
    try:
        matrix = np.array(wcs.pixel_scale_matrix, dtype=np.float64)
        inverse = np.linalg.inv(matrix)
    except Exception:  # noqa: BLE001  a WCS that astropy cannot interpret
        return None
    if not np.isfinite(inverse).all():
        return None
    column, row = inverse[:, 1]  # where North points
    sides = np.sqrt((matrix**2).sum(axis=0))
    return Orientation(
        north=float(np.degrees(np.arctan2(-column, row))),
        mirrored=bool(np.linalg.det(matrix) > 0),
        elongation=float(sides.max() / sides.min()),
    )


def header_value(header: Any, keyword: str) -> Any:
    """The value of a keyword, or None if it is missing or unreadable."""
    try:
        return header.get(keyword)
    except Exception:  # noqa: BLE001  a damaged card raises VerifyError, ValueError, ...
        return None
