"""Where the lens is: the middle of the image, the brightest galaxy, a pixel, or a place on the sky.

`140,151` is a pixel: column and row from 0, as in Python; viewers that count from 1 show one more.
`58.7854d,-48.8699d`, `3h55m08.5s,-48d52m12s` and `03:55:08.5,-48:52:12` are right ascension and
declination. Two plain numbers that are a place in the image as right ascension and declination in
degrees are read as such, because a pixel of an image of arcminutes hardly ever has its own numbers
as coordinates.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from darklens.errors import BadInput

__all__ = ["Centre", "locate", "parse_centre"]

Kind = Literal["middle", "brightest", "numbers", "sky"]

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_SEXAGESIMAL = r"[-+]?\d+[:hdm°\s]\s*\d+[:m'′\s]\s*\d*\.?\d*[s\"″]?"
_FORMS = "x,y [pixel, from 0], RA,Dec, middle or brightest"


@dataclass(frozen=True)
class Centre:
    """A centre as given.

    Attributes:
        kind: `numbers` are pixels or degrees, whichever lie in the image.
        first: Column [pixel] or right ascension [deg].
        second: Row [pixel] or declination [deg].
    """

    kind: Kind
    first: float = 0.0
    second: float = 0.0


def parse_centre(given: str | tuple[float, float] | None, option: str = "--centre") -> Centre:
    """Read a place as given by a person.

    Args:
        given: The place; None is the middle.
        option: Name of the option, for messages.

    Raises:
        BadInput: If it is none of the forms.

    >>> parse_centre("140,151.5"), parse_centre("58.5d,-48.5d").kind, parse_centre(None).kind
    (Centre(kind='numbers', first=140.0, second=151.5), 'sky', 'middle')
    """
    if given is None:
        return Centre("middle")
    text = ",".join(map(str, given)) if isinstance(given, tuple) else given.strip()
    if text.lower() in ("middle", "brightest"):
        return Centre("middle" if text.lower() == "middle" else "brightest")
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1:
        parts = text.split()
    if len(parts) != 2:
        raise BadInput(f"{option} {text[:60]!r} must be {_FORMS}")
    if all(re.fullmatch(_NUMBER, part) for part in parts):
        return Centre("numbers", float(parts[0]), float(parts[1]))
    return Centre("sky", *_sky(parts[0], parts[1], text, option))


def _sky(first: str, second: str, text: str, option: str) -> tuple[float, float]:
    """Right ascension and declination [deg]."""
    from astropy.coordinates import Angle
    from astropy.units import deg, hourangle

    degrees = rf"{_NUMBER}\s*(?:d|deg|°)?"
    for part in (first, second):
        if not re.fullmatch(rf"(?:{degrees}|{_SEXAGESIMAL})", part):
            raise BadInput(f"{option} {text[:60]!r} must be {_FORMS}")
    hours = re.fullmatch(degrees, first) is None and "d" not in first and "°" not in first
    try:
        ra = Angle(first, hourangle if hours else deg).to_value(deg)
        dec = Angle(second, deg).to_value(deg)
    except Exception:  # noqa: BLE001  astropy raises ValueError, IllegalSecondError, ...
        raise BadInput(f"{option} {text[:60]!r} must be {_FORMS}") from None
    if not (0 <= ra <= 360 and -90 <= dec <= 90):
        raise BadInput(f"{option} {text[:60]!r} is not on the sky: RA 0 to 360, Dec -90 to 90")
    return float(ra), float(dec)


def locate(
    centre: Centre, shape: tuple[int, ...], wcs: Any, option: str = "--centre"
) -> tuple[float, float, str]:
    """The pixel of a centre other than `brightest`: column, row, and how it was read.

    Args:
        centre: The centre.
        shape: Rows and columns of the image.
        wcs: Celestial WCS of the image, or None.
        option: Name of the option, for messages.

    Raises:
        BadInput: If it lies outside of the image, or there is no WCS.
    """
    rows, columns = shape[0], shape[1]
    if centre.kind == "middle":
        return 0.5 * (columns - 1), 0.5 * (rows - 1), "the middle of the image"
    first, second = centre.first, centre.second
    place = _pixel_of(first, second, wcs)
    if place is not None and _inside(*place, shape):
        return *place, f"RA {first:.6g}, Dec {second:.6g}"
    if centre.kind == "numbers" and _inside(first, second, shape):
        return first, second, f"pixel {first:g}, {second:g}"
    size = f"the image of {columns} x {rows} pixels"
    if centre.kind == "sky" and wcs is None:
        raise BadInput(f"the file has no coordinates of the sky: give {option} as a pixel x,y")
    where = "" if place is None else f"; as RA, Dec it is the pixel {place[0]:.0f}, {place[1]:.0f}"
    raise BadInput(f"{option} {first:g},{second:g} lies outside of {size}{where}")


def _pixel_of(ra: float, dec: float, wcs: Any) -> tuple[float, float] | None:
    """Column and row of a place on the sky, or None."""
    from astropy.coordinates import SkyCoord

    if wcs is None or not (0 <= ra <= 360 and -90 <= dec <= 90):
        return None
    try:
        x, y = wcs.world_to_pixel(SkyCoord(ra, dec, unit="deg"))
    except Exception:  # noqa: BLE001  far off the projection, or a WCS without inverse
        return None
    return (float(x), float(y)) if np.isfinite([x, y]).all() else None


def _inside(x: float, y: float, shape: tuple[int, ...]) -> bool:
    return -0.5 <= x <= shape[1] - 0.5 and -0.5 <= y <= shape[0] - 0.5
