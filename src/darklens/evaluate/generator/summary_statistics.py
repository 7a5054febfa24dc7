r"""Comparison of the physics of two image sets: brightness, size, shape and spatial scales.

For each image: total flux, ring radius, ellipticity, the power in about ten bands of spatial
frequency, and the fraction of its pixels in about ten brightness bins. Each quantity is compared
between the sets with a two-sample Kolmogorov-Smirnov test, class by class. P values are corrected
with Holm's procedure within each of four families: flux and radius, ellipticity, power spectrum,
pixel histogram.

The larger the sets, the smaller the differences that a test detects. The number of images tested
per class is therefore limited, so that "passes" always means the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from darklens.metrics import (
    azimuthal_power_spectrum,
    ellipticity,
    holm_correction,
    kolmogorov_smirnov,
    pixel_histogram,
    ring_radius,
    total_flux,
)

__all__ = ["FAMILIES", "PhysicsTest", "SummaryStatistics", "physics_tests"]

FAMILIES = {
    "flux and radius": ("total_flux", "ring_radius"),
    "ellipticity": ("ellipticity",),
    "power spectrum": ("power_spectrum",),
    "pixel histogram": ("pixel_histogram",),
}

_BANDS = 10
_BINS = 10
_LENS_LIGHT = 0.05  # of the side; the lens galaxy, not the ring, is within this radius
_SMALLEST_POWER = 1e-30


@dataclass(frozen=True)
class SummaryStatistics:
    """Summary statistics of images of one size.

    Attributes:
        edges: Edges of the brightness bins.
        rings: Edges of the bands of spatial frequency, in cycles over the shorter side.
        side: The shorter side [pixel].
    """

    edges: Float[np.ndarray, " e"]
    rings: Int[np.ndarray, " b"]
    side: int

    def __repr__(self) -> str:
        bins, bands = len(self.edges) - 1, len(self.rings) - 1
        return f"SummaryStatistics({bins} bins of brightness, {bands} bands of frequency)"

    @classmethod
    def for_images(cls, values: Float[np.ndarray, "n h w"]) -> "SummaryStatistics":
        """Bins with about equal numbers of these pixels; logarithmic frequency bands."""
        edges = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)))
        if len(edges) < 3:
            edges = np.linspace(values.min(), values.max() + 1, _BINS + 1)
        side = min(values.shape[1:])
        rings = np.unique(np.geomspace(1, side // 2 + 1, _BANDS + 1).round().astype(np.int64))
        return cls(edges.astype(np.float64), rings, side)

    @property
    def frequencies(self) -> Float[np.ndarray, " k"]:
        """Centre of each band [cycles per pixel]."""
        return np.asarray(0.5 * (self.rings[:-1] + self.rings[1:] - 1) / self.side)

    def measure(self, values: Float[np.ndarray, "n h w"]) -> dict[str, Float[np.ndarray, "n _"]]:
        """Statistics of each image, by name."""
        _, power = azimuthal_power_spectrum(values)
        sums = np.add.reduceat(power, self.rings[:-1] - 1, axis=1)
        bands = np.maximum(sums / np.diff(self.rings), _SMALLEST_POWER)
        return {
            "total_flux": total_flux(values)[:, np.newaxis],
            "ring_radius": ring_radius(values, smallest=_LENS_LIGHT * self.side)[:, np.newaxis],
            "ellipticity": ellipticity(values),
            "power_spectrum": np.log10(bands),
            "pixel_histogram": pixel_histogram(values, self.edges),
        }


@dataclass(frozen=True)
class PhysicsTest:
    """The comparison of one statistic between two sets, for one class.

    Attributes:
        family: Family for the correction, a key of `FAMILIES`.
        quantity: Name of the statistic.
        part: Column of the statistic: band, bin or component.
        label: Class, or `all`.
        images: Number of images in the smaller set.
        statistic: Largest distance between the cumulative distributions.
        p_value: Probability of at least this distance for sets from one distribution.
        corrected: The p value corrected for the number of tests in the family.
    """

    family: str
    quantity: str
    part: int
    label: str
    images: int
    statistic: float
    p_value: float
    corrected: float


def physics_tests(
    first: Mapping[str, Float[np.ndarray, "n _"]],
    second: Mapping[str, Float[np.ndarray, "m _"]],
    groups: Mapping[str, tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " m"]]],
    *,
    per_class: int = 500,
) -> list[PhysicsTest]:
    """All tests between two sets.

    Args:
        first: Output of `SummaryStatistics.measure` for one set.
        second: The same for the other set.
        groups: Indices of the images of each class in both sets.
        per_class: Maximum number of images per class; the first ones are used.
    """
    found = []
    for family, quantities in FAMILIES.items():
        tests = [
            test
            for quantity in quantities
            for label, (ours, theirs) in groups.items()
            for test in _tests(
                family, quantity, label, first[quantity][ours], second[quantity][theirs], per_class
            )
        ]
        corrected = holm_correction(np.array([test.p_value for test in tests]))
        found += [replace(t, corrected=p) for t, p in zip(tests, corrected.tolist(), strict=True)]
    return found


def _tests(
    family: str,
    quantity: str,
    label: str,
    first: Float[np.ndarray, "n k"],
    second: Float[np.ndarray, "m k"],
    most: int,
) -> Sequence[PhysicsTest]:
    """Tests of each column, ignoring images without a value."""
    first, second = (x[np.isfinite(x).all(axis=1)][:most] for x in (first, second))
    images = min(len(first), len(second))
    if images == 0:
        return []
    statistics, p_values = kolmogorov_smirnov(first, second)
    return [
        PhysicsTest(family, quantity, part, label, images, statistic, p_value, p_value)
        for part, (statistic, p_value) in enumerate(
            zip(statistics.tolist(), p_values.tolist(), strict=True)
        )
    ]
