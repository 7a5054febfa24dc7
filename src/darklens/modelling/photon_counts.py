r"""Recover photon counts from images that were scaled, shifted or rounded.

The benchmark stores `(n - min n) / (max n - min n)` of integer counts `n`; other data have a
constant subtracted, or are stored as 16-bit integers, with a few decimals or in half precision. As
long as adjacent counts are still distinct, the stored values give the counts up to a constant; see
`darklens.modelling.quantisation`.
The dark pixels give the constant and show whether the integers are counts at all. Photon noise has
a variance equal to its mean, so that for integers `k = n - c`

.. math:: c = \operatorname{Var}(k) - \operatorname{E}(k),

with an error well below one count if the sky is faint. If the preset gives the sky level, `c` is
exact and the noise serves as a check. If there are no integers (resized images), or their noise is
not that of counts (grey levels of a JPEG or an 8-bit PNG), gain and background are estimated from
the sky and reported as estimates.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Num
from scipy.ndimage import uniform_filter

from darklens.errors import BadInput
from darklens.modelling.quantisation import Lattice, exact_lattice, rounded_lattices

__all__ = ["Counts", "any_counts", "recover_counts"]

Image = Float[np.ndarray, "h w"]

_LARGEST = 1.0 + 1e-6
_FAINTEST = 1e-9
_CORNER = 8
_BOX, _WIDE_BOX = 5, 15
_FEWEST_DARK = 200
_SURE, _LIKELY = 4.0, 2.5  # standard errors
_CORRELATED = 0.15
_SKY_ERROR = 0.5  # counts
_SKIES = (0.1, 30.0)  # of the preset's sky; outside this range integers are not taken as counts
_UNAMBIGUOUS = 0.25  # steps
_CONTAINERS = (
    100,
    255,
    1000,
    1023,
    4095,
    10000,
    65535,
)  # ranges typical of grey levels or decimals


@dataclass(frozen=True)
class Counts:
    """The counts of an image and how they were obtained.

    Attributes:
        image: Counts in each pixel.
        source: `stored` if the image held counts, `recovered` if they follow exactly from its
            values, or `estimated` from the level and noise of the sky.
        gain: Counts per unit of the image.
        offset: Counts at zero in the image.
        sky: Counts in the dark corners if they differ from the preset's sky; otherwise None.
    """

    image: Image
    source: str
    gain: float = 1.0
    offset: float = 0.0
    sky: float | None = None


@dataclass(frozen=True)
class _Dark:
    """Statistics of the dark pixels of an integer image.

    Attributes:
        mean: Mean in the corners.
        missing: Variance minus mean, the constant that is missing from the counts.
        error: Standard error of `missing`.
        correlation: Noise correlation of adjacent pixels, introduced by resampling.
    """

    mean: float
    missing: float
    error: float
    correlation: float

    @property
    def white(self) -> bool:
        """Whether the noise is uncorrelated, as for independently counted pixels."""
        return self.correlation < _CORRELATED


def recover_counts(image: Num[np.ndarray, "h w"], sky: float | None) -> Counts:
    """Recover the counts of an image of counts, possibly scaled.

    Args:
        image: Counts, or any linear function of them.
        sky: Expected sky counts per pixel, if the noise is Poisson; 0 if dark pixels may have no
            counts, so that the smallest count is 0; None if unknown.

    Raises:
        BadInput: If the values are not finite, constant, or neither counts nor values from 0 to 1;
            or if the counts have to be estimated and there is no sky to estimate them from.
    """
    values = image.astype(np.float64)
    if not np.isfinite(values).all():
        raise BadInput("the image has pixels that are not finite")
    low, high = float(values.min()), float(values.max())
    if low == high:
        raise BadInput("the image is constant")
    found = _with_known_sky(values, sky) if sky else _without_sky(values, sky)
    if found is not None:
        return found
    whole = low >= 0 and np.array_equal(values, np.rint(values))
    if not whole and not (low >= -1e-6 and high <= _LARGEST):
        raise BadInput("the image holds neither counts nor values from 0 to 1")
    return _estimated(values, sky or 0.0)


def _with_known_sky(values: Image, sky: float) -> Counts | None:
    """Counts for the sky level of the preset, or failing that for another level."""
    exact = exact_lattice(values)
    rounded: list[Lattice] = []
    found = None if exact is None else _on_sky(exact, sky)
    if found is None:
        rounded = rounded_lattices(values)
        fitting = (_on_sky(lattice, sky) for lattice in rounded)
        found = next((counts for counts in fitting if counts is not None), None)
    if found is not None:
        return found
    likely = _likely(exact, rounded)
    return None if likely is None else _on_other_sky(likely, sky)


def any_counts(image: Num[np.ndarray, "h w"], sky: float) -> Counts:
    """Counts of an image that holds any increasing linear function of counts, whatever its range.

    Args:
        image: The pixels.
        sky: Expected counts of the sky in a pixel.

    Raises:
        BadInput: If the values are not finite or constant, or show no noise.
    """
    values = image.astype(np.float64)
    if not np.isfinite(values).all():
        raise BadInput("the image has pixels that are not finite")
    if values.min() == values.max():
        raise BadInput("the image is constant")
    return _with_known_sky(values, sky) or _estimated(values - values.min(), sky)


def _without_sky(values: Image, sky: float | None) -> Counts | None:
    """Counts if the preset does not give the sky level."""
    lattice = _likely(exact_lattice(values), rounded_lattices(values))
    if lattice is None:
        return None
    stored = _stored_least(lattice)
    size = lattice.whole.max()
    if size in _CONTAINERS and (stored == 0 or abs(size / lattice.gain - 1) < 1e-3):
        return replace(_counts(lattice, 0.0), source="estimated")
    dark = _dark(lattice.whole)
    if not dark.white:
        return None
    if sky is not None:
        return _counts(lattice, stored or 0.0)
    if stored is not None and abs(stored - dark.missing) < _LIKELY * dark.error:
        return _counts(lattice, stored)
    missing = float(np.rint(dark.missing))
    return _counts(lattice, missing) if missing >= 0 else None


def _likely(exact: Lattice | None, rounded: list[Lattice]) -> Lattice | None:
    """The lattice of the counts rather than of their storage format, judged by the values alone."""
    inexact = [lattice for lattice in rounded if not lattice.exact]
    if not inexact:
        return exact
    least = min(lattice.error for lattice in inexact)
    likely = next(lattice for lattice in inexact if lattice.error < 1.25 * least)
    return likely if likely.error < _UNAMBIGUOUS else exact


def _on_sky(lattice: Lattice, sky: float) -> Counts | None:
    """Counts for a known sky level, if the noise is photon noise."""
    mean = float(_corners(lattice.whole).mean())
    least = float(np.rint(sky - mean))
    if least < 0 or least > 0.7 * sky:
        return None
    dark = _dark(lattice.whole)
    limit = max(_SKY_ERROR, _SURE * dark.error)
    fits = dark.white and abs(dark.missing - least) < limit
    return _counts(lattice, least) if fits else None


def _on_other_sky(lattice: Lattice, sky: float) -> Counts | None:
    """Counts for a sky level inferred from the noise, if it may be photon noise."""
    dark = _dark(lattice.whole)
    if dark.missing < -_SURE * dark.error or not dark.white:
        return None
    least, stored = max(0.0, float(np.rint(dark.missing))), _stored_least(lattice)
    if stored is not None and abs(stored - dark.missing) < _LIKELY * dark.error:
        least = stored
    level = dark.mean + least
    if not _SKIES[0] < level / sky < _SKIES[1]:
        return None
    return replace(_counts(lattice, least), sky=level)


def _stored_least(lattice: Lattice) -> float | None:
    """The smallest count, if the image itself holds integers without a common factor."""
    if abs(lattice.gain - 1) > 1e-9 or lattice.start < 0 or lattice.start % 1:
        return None
    return lattice.start


def _counts(lattice: Lattice, least: float) -> Counts:
    """Counts with minimum `least`."""
    image = lattice.whole + least
    if _stored_least(lattice) == least:
        return Counts(image, "stored")
    offset = least - lattice.gain * lattice.start
    return Counts(image, "recovered", lattice.gain, offset)


def _dark(whole: Image) -> _Dark:
    """Statistics of dark pixels, with noise from differences to exclude smooth light."""
    corners = _corners(whole)
    mean, spread = float(corners.mean()), float(corners.std())
    noise = whole - uniform_filter(whole, _BOX, mode="reflect")
    dark = uniform_filter(whole, _WIDE_BOX, mode="reflect") < mean + 0.6 * spread
    inner = slice(_BOX // 2, -(_BOX // 2))
    noise, dark, level = noise[inner, inner], dark[inner, inner], whole[inner, inner]
    count = int(dark.sum())
    if count < _FEWEST_DARK:
        return _Dark(mean, spread**2 - mean, spread**2 * float(np.sqrt(2 / corners.size)), 0.0)
    square = float(np.square(noise[dark]).mean())
    products = (noise[:, 1:] * noise[:, :-1])[dark[:, 1:]]
    variance = square / (1 - 1 / _BOX**2)
    error = float(np.sqrt((2 * variance**2 + variance) / count))
    correlation = float(products.mean()) / max(square, _FAINTEST)
    return _Dark(mean, variance - float(level[dark].mean()), error, correlation)


def _estimated(values: Image, sky: float) -> Counts:
    """Counts estimated from the sky noise, with a gain that leaves no counts negative.

    Smoothing and compression reduce the noise, so that the gain from noise alone is too large.
    """
    corners = _corners(values)
    level, spread = float(corners.mean()), float(corners.std())
    if sky <= 0 or max(level, spread) < _FAINTEST:
        raise BadInput("the image does not hold counts, and shows no sky to estimate them from")
    gain = min(sky / max(level, _FAINTEST), float(np.sqrt(sky)) / max(spread, _FAINTEST))
    offset = sky - gain * level
    return Counts(gain * values + offset, "estimated", gain, offset)


def _corners(values: Image) -> Float[np.ndarray, " n"]:
    """Pixels of the four corners, where there is only sky."""
    side = max(2, min(values.shape) // _CORNER)
    ends = (slice(None, side), slice(-side, None))
    return np.concatenate([values[rows, columns].ravel() for rows in ends for columns in ends])
