"""Photon counts from images that were scaled to [0, 1].

The benchmark stores `(n - min n) / (max n - min n)` of integer counts `n`. All values are then
multiples of one step, the reciprocal of the range, and the smallest count follows from the level of
the sky, which a preset knows. Where values have no such step (resized), or the noise of the sky is
not that of counts (grey levels of a JPEG or PNG), gain and background are estimated from the sky,
and said to be estimated.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num

from darklens.errors import BadInput

__all__ = ["Counts", "recover_counts"]

_LARGEST = 1.0 + 1e-6
_TOLERANCE = 0.02
_FEWEST, _MOST = 20, 65535
_FAINTEST = 1e-9
_CORNER = 8
_STORED, _RECOVERED = (0.5, 30.0), (0.5, 3.0)  # variance of the sky over that of its counts


@dataclass(frozen=True)
class Counts:
    """Counts of one image and where they come from.

    Attributes:
        image: Counts in each pixel.
        source: `stored` when the image held them, `recovered` from the step of its values, or
            `estimated` from level and noise of the sky.
        gain: Counts of a unit of the image.
        offset: Counts where the image is zero.
    """

    image: Float[np.ndarray, "h w"]
    source: str
    gain: float = 1.0
    offset: float = 0.0


def recover_counts(image: Num[np.ndarray, "h w"], sky: float) -> Counts:
    """Counts of an image that holds counts, or scaled ones.

    Args:
        image: Counts, or values from 0 to 1.
        sky: Expected counts of the sky in a pixel, where the noise is Poisson.

    Raises:
        BadInput: If the values are neither: negative, not finite, constant, or fractions above 1;
            or if they have to be estimated, and there is no sky to do it with.
    """
    values = image.astype(np.float64)
    if not np.isfinite(values).all():
        raise BadInput("the image has pixels that are not finite")
    low, high = float(values.min()), float(values.max())
    if low == high:
        raise BadInput("the image is constant")
    if high > _LARGEST:
        if low < 0 or not np.array_equal(values, np.rint(values)):
            raise BadInput("the image holds neither counts nor values from 0 to 1")
        if _is_counted(values, sky, _STORED):
            return Counts(values, "stored")
        return _estimated(values, sky)
    if low < -1e-6:
        raise BadInput("the image has negative values: neither counts nor scaled counts")
    gain = _range(values)
    if gain is None or not _is_counted(gain * values, sky, _RECOVERED):
        return _estimated(values, sky)
    offset = max(0.0, float(np.rint(sky - gain * _corners(values).mean())))
    return Counts(np.rint(gain * values) + offset, "recovered", gain, offset)


def _is_counted(values: Float[np.ndarray, "h w"], sky: float, limits: tuple[float, float]) -> bool:
    """Whether the sky is as noisy as counts are; that of pictures and of mean values is not."""
    least, most = limits
    return sky <= 0 or least < float(_corners(values).var()) / sky < most


def _estimated(values: Float[np.ndarray, "h w"], sky: float) -> Counts:
    """Counts from the noise of the sky, with a gain that leaves none negative.

    Smoothing and compression take noise away, so that its gain alone would be too large.
    """
    corners = _corners(values)
    level, spread = float(corners.mean()), float(corners.std())
    if sky <= 0 or max(level, spread) < _FAINTEST:
        raise BadInput("the image does not hold counts, and shows no sky to estimate them from")
    gain = min(sky / max(level, _FAINTEST), float(np.sqrt(sky)) / max(spread, _FAINTEST))
    offset = sky - gain * level
    return Counts(gain * values + offset, "estimated", gain, offset)


def _range(values: Float[np.ndarray, "h w"]) -> float | None:
    """The whole number that makes all values whole, or None."""
    distinct = np.unique(values)
    steps = np.diff(distinct)
    steps = steps[steps > 1e-6]
    if distinct.size < _FEWEST or not steps.size:
        return None
    gain = float(np.rint(1 / steps.min()))
    counts = gain * distinct
    exact = np.abs(counts - np.rint(counts)).max() < _TOLERANCE
    return gain if exact and _FEWEST <= gain <= _MOST else None


def _corners(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, " n"]:
    """Pixels of the four corners, where there is sky alone."""
    side = max(2, min(values.shape) // _CORNER)
    ends = (slice(None, side), slice(-side, None))
    return np.concatenate([values[rows, columns].ravel() for rows in ends for columns in ends])
