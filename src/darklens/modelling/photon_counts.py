r"""Photon counts from images that were scaled, shifted or rounded.

The benchmark stores `(n - min n) / (max n - min n)` of integer counts `n`; others take a level
away, or store 16 bits, some decimals or half precision. As long as the container tells one count
from the next, its values give the counts back, but for a constant: see
`darklens.modelling.quantisation`.
The constant, and whether the whole numbers are counts at all, follow from the dark pixels. Photon
noise has a variance equal to its mean, so that with whole numbers `k = n - c`

.. math:: c = \operatorname{Var}(k) - \operatorname{E}(k),

with an error that is small enough to tell one count from the next where the sky is faint; a preset
that knows its sky gives `c` exactly, and the noise then checks it. Where there are no whole numbers
(resized), or their noise is not that of counts (grey levels of a JPEG or an 8-bit PNG), gain and
background are estimated from the sky, and said to be.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Num
from scipy.ndimage import uniform_filter

from darklens.errors import BadInput
from darklens.modelling.quantisation import Lattice, exact_lattice, rounded_lattices

__all__ = ["Counts", "recover_counts"]

Image = Float[np.ndarray, "h w"]

_LARGEST = 1.0 + 1e-6
_FAINTEST = 1e-9
_CORNER = 8
_BOX, _WIDE_BOX = 5, 15
_FEWEST_DARK = 200
_SURE, _LIKELY = 4.0, 2.5  # standard errors
_CORRELATED = 0.15
_SKY_ERROR = 0.5  # counts
_SKIES = (0.1, 30.0)  # of the preset's sky, beyond which whole numbers are not taken for counts
_UNAMBIGUOUS = 0.25  # steps
_CONTAINERS = (100, 255, 1000, 1023, 4095, 10000, 65535)  # ranges that speak of grey or decimals


@dataclass(frozen=True)
class Counts:
    """Counts of one image and where they come from.

    Attributes:
        image: Counts in each pixel.
        source: `stored` when the image held them, `recovered` when they follow from its values, or
            `estimated` from level and noise of the sky.
        gain: Counts of a unit of the image.
        offset: Counts where the image is zero.
        sky: Counts of the dark corners, where they are another than the preset's; else None.
    """

    image: Image
    source: str
    gain: float = 1.0
    offset: float = 0.0
    sky: float | None = None


@dataclass(frozen=True)
class _Dark:
    """Dark pixels of whole numbers.

    Attributes:
        mean: Their mean in the corners.
        missing: What has to be added to their mean to give their variance.
        error: Standard error of that.
        correlation: Correlation of the noise of neighbours, which resampling brings in.
    """

    mean: float
    missing: float
    error: float
    correlation: float

    @property
    def white(self) -> bool:
        """Whether the noise is that of pixels that were counted each by itself."""
        return self.correlation < _CORRELATED


def recover_counts(image: Num[np.ndarray, "h w"], sky: float | None) -> Counts:
    """Counts of an image that holds counts, or scaled ones.

    Args:
        image: Counts, or any linear function of them.
        sky: Expected counts of the sky in a pixel, where the noise is Poisson; 0 where dark pixels
            may hold none, so that the smallest count is 0; None where it is not known.

    Raises:
        BadInput: If the values are not finite, constant, or neither counts nor values from 0 to 1;
            or if they have to be estimated, and there is no sky to do it with.
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
    """Counts on the sky that the preset has, or else on another one."""
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


def _without_sky(values: Image, sky: float | None) -> Counts | None:
    """Counts where the preset does not know the level of the sky."""
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
    """The lattice of counts rather than that of their container, by the values alone."""
    inexact = [lattice for lattice in rounded if not lattice.exact]
    if not inexact:
        return exact
    least = min(lattice.error for lattice in inexact)
    likely = next(lattice for lattice in inexact if lattice.error < 1.25 * least)
    return likely if likely.error < _UNAMBIGUOUS else exact


def _on_sky(lattice: Lattice, sky: float) -> Counts | None:
    """Counts on a known sky, if their noise is that of photons."""
    mean = float(_corners(lattice.whole).mean())
    least = float(np.rint(sky - mean))
    if least < 0 or least > 0.7 * sky:
        return None
    dark = _dark(lattice.whole)
    limit = max(_SKY_ERROR, _SURE * dark.error)
    fits = dark.white and abs(dark.missing - least) < limit
    return _counts(lattice, least) if fits else None


def _on_other_sky(lattice: Lattice, sky: float) -> Counts | None:
    """Counts on a sky that the noise gives, if it may be noise of photons."""
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
    """The smallest count, where the image itself holds whole numbers without a common factor."""
    if abs(lattice.gain - 1) > 1e-9 or lattice.start < 0 or lattice.start % 1:
        return None
    return lattice.start


def _counts(lattice: Lattice, least: float) -> Counts:
    """Counts of which the smallest is `least`."""
    image = lattice.whole + least
    if _stored_least(lattice) == least:
        return Counts(image, "stored")
    offset = least - lattice.gain * lattice.start
    return Counts(image, "recovered", lattice.gain, offset)


def _dark(whole: Image) -> _Dark:
    """What dark pixels say, apart from smooth light in them: noise is taken from differences."""
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


def _corners(values: Image) -> Float[np.ndarray, " n"]:
    """Pixels of the four corners, where there is sky alone."""
    side = max(2, min(values.shape) // _CORNER)
    ends = (slice(None, side), slice(-side, None))
    return np.concatenate([values[rows, columns].ravel() for rows in ends for columns in ends])
