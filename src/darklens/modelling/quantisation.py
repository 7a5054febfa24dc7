r"""Recover integers from scaled and rounded values.

If an image of integers `n` is scaled linearly and rounded by its storage format (16 bits, a few
decimals, half precision), its values still lie near a lattice, :math:`v = v_0 + s n + e` with
:math:`|e| < s / 2`. The step `s` is found like a period in arrival times: with the distinct values
scaled to :math:`0 \le x \le 1`, the lattice of range :math:`K` shows as a peak of
:math:`|\sum_j \exp(2 \pi i K x_j)|`. The lattice of the storage format and multiples of `K` are
peaks too; the noise has to decide which lattice is that of the counts.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import fft

__all__ = ["Lattice", "exact_lattice", "rounded_lattices"]

Image = Float[np.ndarray, "h w"]
Values = Float[np.ndarray, " n"]

_FEWEST = 20  # fewest distinct values, and smallest range
_LARGEST = 2**24  # integers representable in single precision
_SMALLEST_STEP = 1e-6  # of the span; smaller differences are single-precision rounding
_TOLERANCE = 0.02
_PRECISION = 1e-6  # relative, a few times that of single precision
_POINTS, _PADDING = 2**18, 4
_MOST = _POINTS // (4 * _PADDING)  # largest range resolved by the transform
_COHERENT = 0.15
_LOOSEST = 0.45
_REFINEMENTS = 3
_COMMON = (0.05, 0.6)  # quantiles of the pixels that enclose sky and faint light


@dataclass(frozen=True)
class Lattice:
    """An integer lattice that reproduces all values.

    Attributes:
        whole: The whole numbers, the smallest of which is 0.
        gain: Integers per unit of the values, the reciprocal of the step.
        start: Value of the integer 0.
        error: Largest distance of a value from the lattice, in steps.
        exact: Whether that is within the rounding of single precision.
    """

    whole: Image
    gain: float
    start: float
    error: float
    exact: bool = True


def exact_lattice(values: Image) -> Lattice | None:
    """The lattice whose step is the smallest difference of values, if it reproduces them all."""
    distinct = np.unique(values)
    low, span = float(distinct[0]), float(distinct[-1] - distinct[0])
    steps = np.diff(distinct)
    steps = steps[steps > _SMALLEST_STEP * span]
    if distinct.size < _FEWEST or not steps.size:
        return None
    size = float(np.rint(span / steps.min()))
    if not _FEWEST <= size < _LARGEST:
        return None
    places = (size / span) * (distinct - low)
    error = float(np.abs(places - np.rint(places)).max())
    if error > _TOLERANCE:
        return None
    return Lattice(np.rint((size / span) * (values - low)), size / span, low, error)


def rounded_lattices(values: Image) -> list[Lattice]:
    """Lattices that reproduce all values within half a step, ordered by range.

    In addition to the lattice of the counts there may be that of the storage format (with error
    0), and differences of multiples of both.
    """
    distinct = np.unique(values)
    if distinct.size < _FEWEST:
        return []
    low, span = float(distinct[0]), float(distinct[-1] - distinct[0])
    x = (distinct - low) / span
    faint, bright = (np.quantile(values, _COMMON) - low) / span
    common = x[(x >= faint) & (x <= bright)]
    precision = _PRECISION * float(np.abs(values).max())
    found: list[Lattice] = []
    for coarse in _coherent_ranges(x):
        if any(_is_multiple(coarse, span * lattice.gain) for lattice in found):
            continue
        refined = _refined(x, coarse)
        if refined is not None and _without_gaps(common, *refined[:2]):
            zero, size, error = refined
            whole = np.rint(size * ((values - low) / span - zero))
            least = float(whole.min())
            gain = size / span
            start, exact = low + span * zero + least / gain, error < gain * precision
            found.append(Lattice(whole - least, gain, start, error, exact))
    return found


def _is_multiple(size: float, other: float) -> bool:
    """Whether one range is a multiple of another, within the resolution of the transform."""
    return abs(size - other * round(size / other)) < 1 and size > 1.5 * other


def _without_gaps(common: Values, zero: float, size: float) -> bool:
    """Whether every integer occurs among common values; a coarse storage format leaves gaps."""
    whole = np.rint(size * (common - zero))
    return np.unique(whole).size == int(whole[-1] - whole[0]) + 1


def _coherent_ranges(x: Values) -> list[float]:
    """Ranges at which the values are in phase, in ascending order."""
    bins = np.rint(x * (_POINTS / _PADDING - 1)).astype(np.int64)
    points = np.bincount(bins, minlength=_POINTS).astype(np.float32)
    first, last = _PADDING * _FEWEST, _PADDING * _MOST
    power = np.asarray(np.abs(fft.rfft(points)))[first - 1 : last + 1]
    middle = power[1:-1]
    peak = (middle >= power[:-2]) & (middle > power[2:]) & (middle > _COHERENT * x.size)
    return [float(place) for place in (np.flatnonzero(peak) + first) / _PADDING]


def _refined(x: Values, size: float) -> tuple[float, float, float] | None:
    """Zero point, range and largest error of the lattice near a given range; None without one.

    The more values there are, the less likely all lie near a lattice by chance, and the larger
    the errors that can be accepted.
    """
    zero = float(np.angle(np.exp(2j * np.pi * size * x).sum())) / (2 * np.pi * size)
    limit = min(_LOOSEST, 0.5 * float(np.exp(-20 / x.size)))
    centred = x - x.mean()
    for _ in range(_REFINEMENTS):
        whole = np.rint(size * (x - zero))
        whole_centred = whole - whole.mean()
        size = float(whole_centred @ whole_centred) / float(whole_centred @ centred)
        zero = float(x.mean() - whole.mean() / size)
    places = size * (x - zero)
    error = float(np.abs(places - np.rint(places)).max())
    return (zero, size, error) if error < limit else None
