"""One plane of a picture or an array with several channels, chosen and said.

Colour pictures are stretched and rounded to 8 bits by whoever made them: their luminance shows
where the arcs are, but is no flux.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from darklens.errors import BadInput

__all__ = ["picture_plane"]

_COLOURS = ("red", "green", "blue")
_LUMINANCE = (0.2126, 0.7152, 0.0722)  # ITU-R BT.709
_PICTURES = (".jpg", ".jpeg", ".png")


def picture_plane(
    path: Path, planes: Shaped[np.ndarray, "c h w"], band: str | int | None
) -> tuple[Shaped[np.ndarray, "h w"], str]:
    """The plane of a band, and a note on the choice, or empty.

    Args:
        path: The file.
        planes: Its channels.
        band: Colour or luminance of a colour picture, or a number from 1; None takes the luminance
            of a colour picture.

    Raises:
        BadInput: If there is no such channel, or the choice is open.
    """
    picture = path.name.lower().endswith(_PICTURES)
    stretched = "; brightness in a picture is stretched and rounded: it is no flux" * picture
    if len(planes) == 1:
        note = f"a grey picture{stretched}" if picture else ""
        return planes[0], note
    if picture and len(planes) == len(_COLOURS):
        return _colour(planes, band, stretched)
    number = _number(band)
    if number is None or not 1 <= number <= len(planes):
        wrong = "" if band is None else f", not {band}"
        raise BadInput(
            f"{len(planes)} channels: choose one by its number, from --band 1 to {len(planes)}"
            f"{wrong}"
        )
    return planes[number - 1], f"channel {number} of {len(planes)}"


def _colour(
    planes: Shaped[np.ndarray, "c h w"], band: str | int | None, stretched: str
) -> tuple[Shaped[np.ndarray, "h w"], str]:
    """A colour, or the luminance."""
    wanted = "luminance" if band is None else str(band).strip().lower()
    number = _number(band)
    if number is not None and 1 <= number <= len(_COLOURS):
        wanted = _COLOURS[number - 1]
    if wanted in _COLOURS:
        return planes[_COLOURS.index(wanted)], f"the {wanted} channel of a picture{stretched}"
    if wanted != "luminance":
        raise BadInput(f"--band {wanted[:40]} must be red, green, blue or luminance in a picture")
    weights: Any = np.array(_LUMINANCE)
    plane = np.tensordot(weights, planes.astype(np.float64), axes=1)
    other = "" if band else " (--band red, green or blue takes a channel)"
    return plane, f"the luminance of a colour picture{other}{stretched}"


def _number(band: Any) -> int | None:
    text = str(band).strip()
    return int(text) if text.isdecimal() and len(text) < 6 else None
