r"""Unit, exposure and gain from a header, and the photon noise that follows from them.

A pixel of :math:`n` units holds :math:`n e` electrons, so its photon noise has the variance
:math:`\max(n, 0) / e`. The number :math:`e` of electrons in a unit is 1 for electrons, the gain
for counts, and the exposure time as often for rates; for calibrated fluxes it is unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter

from darklens.data import header_value

__all__ = ["Photometry", "electrons_in_unit", "photon_noise", "read_photometry"]

Image = Float[np.ndarray, "h w"]

_UNITS = ("BUNIT", "UNITS", "UNIT")
_EXPOSURES = ("XPOSURE", "TEXPTIME", "EXPTIME", "EXPOSURE", "EFFEXPTM", "TELAPSE")
_GAINS = ("GAIN", "CCDGAIN", "EGAIN", "ATODGAIN", "GAINDL")
_ELECTRONS = frozenset(["electron", "electrons", "e", "e-", "elec", "photon", "photons"])
_COUNTS = frozenset(["count", "counts", "adu", "dn", "cts", "ct"])
_SECONDS = frozenset(["s", "sec", "second", "seconds"])
_SMOOTHING = 1.0  # pixels, so that a pixel's own noise hardly sets its photon noise


@dataclass(frozen=True)
class Photometry:
    """What a header says about the unit of its pixels.

    Attributes:
        unit: The unit as written, or empty.
        exposure: Exposure time [s], or None.
        gain: Electrons per count, or None.
        electrons: Electrons in one unit of a pixel, or None if unknown.
    """

    unit: str = ""
    exposure: float | None = None
    gain: float | None = None
    electrons: float | None = None


def read_photometry(
    headers: Sequence[Any],
    *,
    unit: str | None = None,
    exposure: float | None = None,
    gain: float | None = None,
) -> Photometry:
    """Unit, exposure and gain; what is given counts before what the headers say.

    Args:
        headers: Headers, the one to believe first.
        unit: Unit of the pixels.
        exposure: Exposure time [s].
        gain: Electrons per count.
    """
    written = unit or _text(headers, _UNITS)
    seconds = exposure or _positive(headers, _EXPOSURES)
    per_count = gain or _positive(headers, _GAINS)
    return Photometry(written, seconds, per_count, electrons_in_unit(written, seconds, per_count))


def electrons_in_unit(unit: str, exposure: float | None, gain: float | None) -> float | None:
    """Electrons in one unit of a pixel, or None if that does not follow.

    Args:
        unit: Unit of the pixels, such as `electron/s` or `ADU`.
        exposure: Exposure time [s].
        gain: Electrons per count.

    >>> electrons_in_unit("ELECTRONS/S", 2200.0, None), electrons_in_unit("adu", None, 1.6)
    (2200.0, 1.6)
    >>> electrons_in_unit("MJy/sr", 2200.0, 1.6) is None
    True
    """
    text = unit.strip().lower()
    for ending in (" s-1", " s**-1", " s^-1", "*s-1", ".s-1"):
        text = f"{text.removesuffix(ending)}/s" if text.endswith(ending) else text
    amount, per, time = (part.strip() for part in text.partition("/"))
    if per and time not in _SECONDS:
        return None
    factor = 1.0 if amount in _ELECTRONS else gain if amount in _COUNTS else None
    if factor is None or (per and exposure is None):
        return None
    return factor * (exposure or 1.0) if per else factor


def photon_noise(image: Image, electrons: float, sky: float) -> Image:
    """Standard deviation of the photon noise above the sky, in the unit of the image.

    Args:
        image: The image, without NaN.
        electrons: Electrons in one unit.
        sky: Level of the sky, whose own noise is not counted here.
    """
    smooth = gaussian_filter(image - sky, _SMOOTHING, mode="nearest")
    return np.asarray(np.sqrt(np.maximum(smooth, 0.0) / electrons))


def _text(headers: Sequence[Any], keywords: Sequence[str]) -> str:
    for header in headers:
        for keyword in keywords:
            value = header_value(header, keyword)
            if isinstance(value, str) and value.strip():
                return " ".join(value.split())[:40]
    return ""


def _positive(headers: Sequence[Any], keywords: Sequence[str]) -> float | None:
    """The first positive number under any of the keywords."""
    for header in headers:
        for keyword in keywords:
            value = header_value(header, keyword)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and 0 < float(value) < 1e12:
                return float(value)
    return None
