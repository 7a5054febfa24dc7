r"""Whole numbers behind scaled and rounded values.

An image that was made of whole numbers `n` by any linear scaling, and rounded as its container
does (16 bits, some decimals, half precision), still has its values near a lattice,
:math:`v = v_0 + s n + e` with :math:`|e| < s / 2`. The step `s` is found as a period is found in
arrival times: with the distinct values moved to :math:`0 \le x \le 1`, the lattice of range
:math:`K` shows as a peak of :math:`|\sum_j \exp(2 \pi i K x_j)|`. A container's own lattice, and
multiples of `K`, are peaks too: which lattice is that of counts, their noise has to say.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import fft

__all__ = ["Lattice", "exact_lattice", "rounded_lattices"]

Image = Float[np.ndarray, "h w"]
Values = Float[np.ndarray, " n"]

_FEWEST = 20  # distinct values, and the smallest range
_LARGEST = 2**24  # whole numbers that single precision has
_SMALLEST_STEP = 1e-6  # of the span: nearer values differ by the rounding of single precision
_TOLERANCE = 0.02
_PRECISION = 1e-6  # relative, a few times that of single precision
_POINTS, _PADDING = 2**18, 4
_MOST = _POINTS // (4 * _PADDING)  # largest range that the transform resolves
_COHERENT = 0.15
_LOOSEST = 0.45
_REFINEMENTS = 3
_COMMON = (0.05, 0.6)  # quantiles of the pixels between which lie sky and faint light


@dataclass(frozen=True)
class Lattice:
    """Whole numbers that explain all values.

    Attributes:
        whole: The whole numbers, the smallest of which is 0.
        gain: Whole numbers of a unit of the values, the reciprocal of the step.
        start: Value of the whole number 0.
        error: Largest distance of a value from its place, in steps.
        exact: Whether that is no more than the rounding of single precision.
    """

    whole: Image
    gain: float
    start: float
    error: float
    exact: bool = True


def exact_lattice(values: Image) -> Lattice | None:
    """The lattice whose step is the smallest difference of values, where it explains them all."""
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
    """Lattices that explain all values within half a step, in the order of their ranges.

    Beside the one that is looked for there may be that of the container (whose error is 0), and
    differences of multiples of both.
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
    """Whether a range is a multiple of another, to the resolution of the transform."""
    return abs(size - other * round(size / other)) < 1 and size > 1.5 * other


def _without_gaps(common: Values, zero: float, size: float) -> bool:
    """Whether every whole number occurs where pixels are many; in a coarse container some lack."""
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
    """Zero point, range and largest error of the lattice near a range; None if it is none.

    The more values there are, the less likely they all are near a lattice by chance, and the
    farther off their places they may lie.
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
