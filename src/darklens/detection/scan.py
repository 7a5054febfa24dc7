r"""The scan: how significant a subhalo is at each place and mass, and what could have been seen.

About the optimum of the smooth lens a perturber with the deflection :math:`a` changes the whitened
image by :math:`\tau = - W P (\nabla S \cdot a)`. With the residual `z` and everything else
marginalised (root `B` of the projection, see `darklens.detection.linear_solution`),

.. math:: U = \tau^T z, \qquad V = \tau^T \tau - |B \tau|^2, \qquad
          \Delta\chi^2 = 2 f U - f^2 V

where the factor `f` runs between the masses of the scan. The significance is
:math:`\sqrt{\Delta\chi^2}`; that of a subhalo that is there is :math:`\sqrt{V}` on average, which
gives the mass that would have been seen.

How large the greatest significance in the map becomes by chance follows from residuals without a
subhalo: with all nuisance drawn from its prior, :math:`z \sim N(0, I - B^T B)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from scipy import ndimage, stats

from darklens.detection.band_fit import BandFit
from darklens.detection.perturbers import PerturberFamily

__all__ = ["Candidate", "Scan", "false_alarm", "scan_positions", "scan_subhalos"]

Map = Float[np.ndarray, "h w"]

LOG_MASSES = tuple(7.5 + 0.5 * k for k in range(8))
"""Logarithms of the masses of the scan, from 10^7.5 to 10^11 solar masses."""

_SPACING = 0.08  # of the positions, arcsec
_REACH = 0.3  # of the positions beyond the arcs, arcsec
_FACTORS = (10**-0.25, 10**0.25)  # between the masses of the scan
_BATCH = 48
_FINE = 3  # parts of a pixel of a further band, to which positions are rounded; odd: off its rays
_COUNTED = 10  # draws above the peak that are enough to count


@dataclass(frozen=True)
class Candidate:
    """A subhalo of the scan.

    Attributes:
        significance: Significance of its peak [sigma].
        family: Index of the family.
        x: Place [arcsec].
        y: Place [arcsec].
        log_mass: Logarithm of its mass.
    """

    significance: float
    family: int
    x: float
    y: float
    log_mass: float


@dataclass(frozen=True)
class Scan:
    """Results of a scan, at each position.

    Attributes:
        rows: Row of each position on the image.
        columns: Column of each position.
        gains: Decrease of chi-square, for each family, mass and position.
        factors: Factor on the mass that gives it.
        depths: Square root of `V`, likewise.
        peaks: Greatest significance in each draw without a subhalo.
        x: Place of each position [arcsec].
        y: Place of each position [arcsec].
    """

    rows: Float[np.ndarray, " n"]
    columns: Float[np.ndarray, " n"]
    gains: Float[np.ndarray, "f m n"]
    factors: Float[np.ndarray, "f m n"]
    depths: Float[np.ndarray, "f m n"]
    peaks: Float[np.ndarray, " d"]
    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]

    @property
    def significance(self) -> Float[np.ndarray, " n"]:
        """Significance of the best family and mass at each position."""
        return np.asarray(np.sqrt(np.maximum(self.gains.max(axis=(0, 1)), 0.0)))

    @property
    def step(self) -> int:
        """Distance between neighbouring positions [pixel]."""
        gaps = [np.diff(np.unique(places)) for places in (self.rows, self.columns)]
        return int(np.concatenate(gaps).min(initial=np.inf)) if any(map(len, gaps)) else 1

    def limits(self, sigma: float) -> Float[np.ndarray, " n"]:
        """Smallest mass of the first family that is seen at `sigma`, at each position [M_sun].

        Infinite where even the greatest mass of the scan is not seen.
        """
        grid = np.array(LOG_MASSES)
        limits = np.full(len(self.x), np.inf)
        for k, depth in enumerate(np.maximum.accumulate(self.depths[0], axis=0).T):
            if depth[0] >= sigma:
                limits[k] = 10 ** grid[0]
            elif depth[-1] >= sigma:
                j = int(np.searchsorted(depth, sigma))
                share = np.log(sigma / depth[j - 1]) / np.log(depth[j] / depth[j - 1])
                limits[k] = 10 ** (grid[j - 1] + share * (grid[j] - grid[j - 1]))
        return limits

    def candidates(self, count: int, *, apart: float) -> list[Candidate]:
        """The most significant places of each family, at a distance from each other.

        Args:
            count: Largest number for each family.
            apart: Least distance between them [arcsec].
        """
        found = []
        for family in range(len(self.gains)):
            gains = self.gains[family].max(axis=0)
            free = np.ones(gains.size, dtype=bool)
            for _ in range(count):
                if not free.any():
                    break
                k = int(np.where(free, gains, -np.inf).argmax())
                j = int(self.gains[family, :, k].argmax())
                mass = LOG_MASSES[j] + float(np.log10(self.factors[family, j, k]))
                significance = float(np.sqrt(max(gains[k], 0.0)))
                place = float(self.x[k]), float(self.y[k])
                found.append(Candidate(significance, family, *place, mass))
                free &= np.hypot(self.x - place[0], self.y - place[1]) > apart
        return sorted(found, key=lambda candidate: -candidate.significance)

    def map_of(self, values: Float[np.ndarray, " n"], shape: tuple[int, int]) -> Map:
        """Values at the positions and, of the nearest, between them as an image; NaN elsewhere."""
        image = np.full(shape, np.nan)
        rows, columns = self.rows.astype(int), self.columns.astype(int)
        image[rows, columns] = values
        near = ndimage.distance_transform_edt(
            np.isnan(image), return_distances=True, return_indices=True
        )
        distance, (i, j) = near
        return np.where(distance < self.step, image[i, j], np.nan)


def scan_positions(
    arcs: Bool[np.ndarray, "h w"], pixel_scale: float
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Rows and columns of the positions: a grid over the arcs and their surroundings."""
    reach = ndimage.distance_transform_edt(~arcs) * pixel_scale <= _REACH
    step = max(1, round(_SPACING / pixel_scale))
    rows, columns = np.nonzero(reach)
    kept = (rows % step == 0) & (columns % step == 0)
    return rows[kept].astype(np.float64), columns[kept].astype(np.float64)


def scan_subhalos(
    views: Sequence[BandFit],
    residual: Float[np.ndarray, " n"],
    basis: Float32[np.ndarray, "r n"],
    families: Sequence[PerturberFamily],
    positions: tuple[Float[np.ndarray, " q"], Float[np.ndarray, " q"]],
    *,
    draws: int,
    rng: np.random.Generator,
) -> Scan:
    """Scan all positions for subhalos of all families and masses.

    Args:
        views: The fit as each band shows it, everything but a perturber marginalised.
        residual: Data less the image of the most probable lens, in units of the noise, the pixels
            of one band after those of another.
        basis: Root of the projection, with orthogonal rows, at the same pixels.
        families: Families of perturbers.
        positions: Rows and columns of the positions in the first band.
        draws: Number of residuals drawn without a subhalo.
        rng: Source of the draws.
    """
    rows, columns = positions
    scale, shape = views[0].lens.model.grid.pixel_scale, views[0].lens.model.grid.shape
    middle = [0.5 * (side - 1) for side in shape]
    x, y = (columns - middle[1]) * scale, (rows - middle[0]) * scale
    weight = np.concatenate([view.weight.ravel() for view in views])
    drawn = _draws(basis, weight, draws, rng)
    both = np.concatenate([residual.reshape(1, -1).astype(np.float32), drawn])
    out = np.empty((3, len(families), len(LOG_MASSES), len(rows)))
    peaks = np.zeros(draws)
    places = [_places(view, rows, columns, x, y, first=k == 0) for k, view in enumerate(views)]
    for f, family in enumerate(families):
        for m, log_mass in enumerate(LOG_MASSES):
            fields = [
                _deflection(family, log_mass, view, fine)
                for view, (_, fine) in zip(views, places, strict=True)
            ]
            for begin in range(0, len(rows), _BATCH):
                at = slice(begin, min(begin + _BATCH, len(rows)))
                changes = np.concatenate(
                    [
                        _changes(view, field, where[at], fine)
                        for view, field, (where, fine) in zip(views, fields, places, strict=True)
                    ],
                    axis=1,
                )
                pulls = changes @ both.T
                power = np.square(changes).sum(axis=1) - np.square(changes @ basis.T).sum(axis=1)
                power = np.maximum(power, 1e-6)[:, np.newaxis]
                factors = np.clip(pulls / power, *_FACTORS)
                gains = 2 * factors * pulls - np.square(factors) * power
                out[:, f, m, at] = gains[:, 0], factors[:, 0], np.sqrt(power[:, 0])
                if draws:
                    peaks = np.maximum(peaks, gains[:, 1:].max(axis=0))
    return Scan(rows, columns, out[0], out[1], out[2], np.sqrt(peaks), x, y)


def false_alarm(significance: float, peaks: Float[np.ndarray, " d"]) -> float:
    r"""Probability that a lens without a subhalo has a peak as high.

    It is counted among the draws where enough lie above. Otherwise the tail is that of `N`
    independent trials, :math:`1 - (1 - p)^N`, with `N` from the median of the draws.
    """
    above = int((peaks >= significance).sum())
    if above >= _COUNTED:
        return above / len(peaks)
    trials = np.log(2) / max(float(stats.norm.sf(np.median(peaks))), 1e-300)
    return float(-np.expm1(trials * np.log1p(-stats.norm.sf(significance))))


def _draws(
    basis: Float32[np.ndarray, "r n"],
    weight: Float[np.ndarray, " n"],
    count: int,
    rng: np.random.Generator,
) -> Float32[np.ndarray, "d n"]:
    """Residuals of smooth lenses: white noise times the root of `I - B^T B`."""
    noise = rng.standard_normal((count, weight.size), dtype=np.float32) * (weight > 0)
    share = np.square(basis, dtype=np.float64).sum(axis=1)
    factor = (1 - np.sqrt(np.maximum(1 - share, 0))) / np.maximum(share, 1e-12)
    taken = (noise @ basis.T) * factor.astype(np.float32)
    return np.asarray(noise - taken @ basis, dtype=np.float32)


def _places(
    view: BandFit,
    rows: Float[np.ndarray, " n"],
    columns: Float[np.ndarray, " n"],
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    *,
    first: bool,
) -> tuple[Int[np.ndarray, "n 2"], int]:
    """Rows and columns of the positions in a band, in parts of its pixels, and how many these are.

    The positions lie on the pixels of the first band, and between those of another.
    """
    if first:
        return np.stack([rows, columns], axis=1).astype(int), 1
    return np.rint(_FINE * np.stack(view.pixels(x, y), axis=1)).astype(int), _FINE


def _deflection(
    family: PerturberFamily, log_mass: float, view: BandFit, fine: int
) -> Float32[np.ndarray, "2 u v"]:
    """Deflection at all offsets between places in parts of pixels, averaged over each pixel."""
    shape, scale = view.lens.model.grid.shape, view.lens.model.grid.pixel_scale
    rows, columns = (
        np.arange(fine * (1 - side), fine * (side - 1) + 1) * (scale / fine) for side in shape
    )
    x, y = np.meshgrid(columns, rows)
    inside = (-0.25 * scale, 0.25 * scale)
    mass = family(0.0, 0.0, log_mass)
    corners = [mass.deflection(x + u, y + v) for u in inside for v in inside]
    return np.asarray(np.mean(corners, axis=0), dtype=np.float32)


def _changes(
    view: BandFit,
    field: Float32[np.ndarray, "2 u v"],
    places: Int[np.ndarray, "b 2"],
    fine: int,
) -> Float32[np.ndarray, "b n"]:
    """Change of the whitened image of a band by a perturber at some places; 0 outside of it."""
    height, width = view.weight.shape
    last = fine * (height - 1), fine * (width - 1)
    gx, gy = view.gradient.astype(np.float32)
    images = np.zeros((len(places), height, width), dtype=np.float32)
    for k, (i, j) in enumerate(places):
        if 0 <= i <= last[0] and 0 <= j <= last[1]:
            down = slice(last[0] - i, 2 * last[0] - i + 1, fine)
            across = slice(last[1] - j, 2 * last[1] - j + 1, fine)
            window = field[:, down, across]
            images[k] = -(gx * window[0] + gy * window[1])
    images = view.lens.observe_many(images)
    return np.asarray((images * view.weight.astype(np.float32)).reshape(len(places), -1))
