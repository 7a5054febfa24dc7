r"""Matched filters where hundreds of directions are projected out.

The filters of `darklens.modelling.matched_filter` transform two images for each direction that is
projected out, once for each shape of the perturber. For the two hundred directions of
`darklens.modelling.nuisance` these take most of the time of a fit. Here, what a point mass has in
common with each direction, :math:`c_i(p) = \sum_\theta B_i \tau_p`, is computed once, at every
second position of the map, and the rest follows:

- The pull `U` and the power :math:`\sum \tau_p^2` of a point are computed at every position. The
  share of the power that is not projected out,
  :math:`1 - \sum_i c_i^2 / \sum \tau_p^2`, is smooth: it is interpolated.
- A line of mass is a row of points. Its :math:`c_i` and `U` are weighted sums of those of the
  points; its power follows by a Fourier transform, as no direction is needed.

The deflection of a point varies little over a block of 2 x 2 pixels that is far from it. So
:math:`c_i` is a product of matrices over blocks, plus a correction for the pixels nearby (Hockney &
Eastwood 1988, doi:10.1201/9780367806934, chapter 8, split the forces of particles in the same way).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Complex64, Float32, Int
from numba import njit
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft, ndimage

from darklens.errors import BadInput
from darklens.lensing.profiles import PointMass
from darklens.modelling.matched_filter import (
    LineCandidate,
    MatchedFilters,
    SignificanceMaps,
    best_line,
    deflection_on_pixels,
)

__all__ = ["MarginalFilters"]

Map = Float32[np.ndarray, "i j"]
Coarse = Float32[np.ndarray, "u v"]
Field = Float32[np.ndarray, "2 n n"]  # deflection by a point in the middle

_STEP = 2  # pixels from one position of the coarse map to the next
_NEAR = 2  # blocks on each side, within which pixels are told apart
_SAMPLES = 8  # of a line for each step
_LEAST_SHARE = 1e-2  # of the power, that is left at least
_LEAST_POWER = 1e-6

_kernel: Any = njit(fastmath=True, error_model="numpy", nogil=True, cache=True)


class MarginalFilters:
    """Matched filters for point masses, and for lines of mass at every second position.

    Args:
        shape: Rows and columns of the images and of the maps, even.
        pixel_scale: Side of a pixel [arcsec].
        half_lengths: Half lengths of the lines [arcsec].
        orientations: Number of orientations of each line, evenly spaced over half a turn.
        largest_radius: Largest distance of a line candidate from the centre [arcsec].

    Attributes:
        points: The filters for points, without what is projected out.

    Raises:
        BadInput: If a side is odd.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        pixel_scale: float,
        *,
        half_lengths: Sequence[float] = (),
        orientations: int = 8,
        largest_radius: float = np.inf,
    ) -> None:
        if any(side % _STEP for side in shape):
            raise BadInput(f"the filters take images of an even number of pixels, not {shape}")
        self.points = MatchedFilters(shape, pixel_scale)
        self.shape = shape
        self._scale = pixel_scale
        self._half_lengths = tuple(half_lengths)
        self._angles = [float(np.pi * k / orientations) for k in range(orientations)]
        coarse = pixel_scale * _STEP
        self._margin = int(np.ceil(max(half_lengths, default=0.0) / coarse)) + bool(half_lengths)
        self._padded = tuple(fft.next_fast_len(2 * side - 1, real=True) for side in shape)
        side = 2 * _STEP * (max(self._padded) // _STEP + self._margin + _NEAR)
        point = deflection_on_pixels(PointMass(1.0), (side, side), pixel_scale)
        field = np.fft.fftshift(point, axes=(1, 2))
        self._far = {margin: _far_field(field, shape, margin) for margin in {0, self._margin}}
        self._nearby = _near_field(field)
        self._lines = [
            _points_of_line(half_length / coarse, angle)
            for half_length in half_lengths
            for angle in self._angles
        ]
        self._spectra = [
            _spectra_of_squares(_of_line(field, self._padded, *line)) for line in self._lines
        ]
        y, x = ((_STEP * np.arange(n // _STEP) - 0.5 * (n - 1)) * pixel_scale for n in shape)
        radius = np.hypot(x, y[:, None])
        self._positions = (x, y, radius <= max(largest_radius, float(radius.min()) + 1e-9))

    def __call__(
        self,
        residual: Map,
        sensitivity: Float32[np.ndarray, "2 i j"],
        basis: Float32[np.ndarray, "k i j"],
        *,
        lines: bool = True,
    ) -> SignificanceMaps:
        """Apply the filters; the arguments are those of `MatchedFilters`.

        The maps of lines have the value of every second position in each block of 2 x 2 pixels.
        """
        lines = lines and bool(self._half_lengths)
        margin = self._margin if lines else 0
        shared = self._shared(residual, sensitivity, basis, margin)
        known = self.points(residual, sensitivity, basis[:0])
        power = np.square(known.depth)
        rows, columns = (slice(margin, margin + side // _STEP) for side in self.shape)
        gone = np.square(shared[rows, columns, :-1]).sum(-1)
        share = 1 - gone / power[::_STEP, ::_STEP]
        left = power * np.maximum(self._at_every_pixel(share), _LEAST_SHARE)
        depth = np.sqrt(np.maximum(left, np.float32(_LEAST_POWER)))
        point = known.point * known.depth / depth
        best, found = self._along_lines(shared, sensitivity) if lines else (None, ())
        empty = np.empty((0, *self.shape), np.float32)
        return SignificanceMaps(point, depth, empty if best is None else best, found)

    def _along_lines(
        self, shared: Float32[np.ndarray, "r s k"], sensitivity: Float32[np.ndarray, "2 i j"]
    ) -> tuple[Float32[np.ndarray, "m i j"], tuple[LineCandidate, ...]]:
        """The best orientation of each half length at each position, and the best of each line."""
        x, y, allowed = self._positions
        best, found = [], []
        squares = fft.rfft2(_squares(sensitivity), s=self._padded)
        for k, half_length in enumerate(self._half_lengths):
            maps = []
            for n, angle in enumerate(self._angles, k * len(self._angles)):
                power = fft.irfft2((self._spectra[n] * squares).sum(axis=0), s=self._padded)
                power = power[: self.shape[0] : _STEP, : self.shape[1] : _STEP]
                pull, gone = _sums_along(shared, *self._lines[n], self._margin)
                left = np.maximum(power - gone, np.float32(_LEAST_SHARE) * power)
                root = np.sqrt(np.maximum(left, np.float32(_LEAST_POWER)))
                maps.append(pull / root)
                found.append(best_line(maps[-1], root, (x, y), allowed, angle, half_length))
            best.append(np.max(maps, axis=0).repeat(_STEP, axis=0).repeat(_STEP, axis=1))
        return np.stack(best), tuple(sorted(found, key=lambda line: -line.significance))

    def _shared(
        self, residual: Map, sensitivity: Any, basis: Float32[np.ndarray, "k i j"], margin: int
    ) -> Float32[np.ndarray, "r s k"]:
        """What a point at every second position shares with each direction, and its pull."""
        rows, columns = self.shape
        images = np.empty((rows, columns, len(basis) + 1), np.float32)
        images[..., :-1] = basis.transpose(1, 2, 0)
        images[..., -1] = residual
        blocks = _weighted_blocks(images, sensitivity)
        positions = tuple(side // _STEP + 2 * margin for side in self.shape)
        far: Float32[np.ndarray, "p k"] = self._far[margin] @ blocks.reshape(-1, blocks.shape[-1])
        sums = far.reshape(*positions, -1)
        _add_nearby(sums, images, sensitivity, self._nearby, margin)
        return sums

    def _at_every_pixel(self, coarse: Coarse) -> Map:
        """Interpolated by cubic splines."""
        places = np.meshgrid(*(np.arange(side) / _STEP for side in self.shape), indexing="ij")
        fine = ndimage.map_coordinates(coarse, places, order=3, mode="nearest")
        return np.asarray(fine, dtype=np.float32)


def _squares(sensitivity: Float32[np.ndarray, "2 i j"]) -> Float32[np.ndarray, "3 i j"]:
    sx, sy = sensitivity
    return np.stack([sx * sx, sx * sy, sy * sy])


def _far_field(field: Field, shape: tuple[int, int], margin: int) -> Float32[np.ndarray, "p b"]:
    """Mean deflection over each block, by a point at each position; x, then y."""
    zero = field.shape[1] // 2
    even = slice(zero % _STEP, None, _STEP)
    mean = np.mean(
        [np.roll(field, (-u, -v), (1, 2))[:, even, even] for u, v in np.ndindex(_STEP, _STEP)],
        axis=0,
        dtype=np.float32,
    )
    blocks = tuple(side // _STEP for side in shape)
    windows = sliding_window_view(mean, blocks, axis=(1, 2))  # from the offset of the first block
    first, last = (
        [zero // _STEP + sign * margin + block for block in offsets]
        for sign, offsets in ((1, (0, 0)), (-1, [1 - side for side in blocks]))
    )
    rows, columns = (slice(start, end - 1, -1) for start, end in zip(first, last, strict=True))
    chosen = windows[:, rows, columns].transpose(1, 2, 0, 3, 4)
    return np.ascontiguousarray(chosen).reshape(chosen.shape[0] * chosen.shape[1], -1)


def _near_field(field: Field) -> Float32[np.ndarray, "2 n n"]:
    """Deflection of the pixels near a point, less the mean over their block."""
    zero, blocks = field.shape[1] // 2, 2 * _NEAR + 1
    around = slice(zero - _STEP * _NEAR, zero + _STEP * (_NEAR + 1))
    pixels = field[:, around, around]
    mean = pixels.reshape(2, blocks, _STEP, blocks, _STEP).mean(axis=(2, 4))
    return np.asarray(pixels - mean.repeat(_STEP, axis=1).repeat(_STEP, axis=2))


def _points_of_line(
    half_length: float, angle: float
) -> tuple[Int[np.ndarray, "n 2"], Float32[np.ndarray, " n"]]:
    """Offsets and weights of the points that make a line, in steps of the coarse map.

    The mass between positions is shared between the nearest ones, in proportion to how near.
    """
    count = int(np.ceil(2 * half_length * _SAMPLES))
    along = ((np.arange(count) + 0.5) / count * 2 - 1) * half_length
    places = np.stack([along * np.sin(angle), along * np.cos(angle)], axis=1)
    first = np.floor(places).astype(int)
    after = places - first
    weights: dict[tuple[int, int], float] = {}
    for (i, j), (f, g) in zip(first.tolist(), after.tolist(), strict=True):
        for di, by_row in ((0, 1 - f), (1, f)):
            for dj, by_column in ((0, 1 - g), (1, g)):
                place = (i + di, j + dj)
                weights[place] = weights.get(place, 0.0) + by_row * by_column / count
    kept = {place: weight for place, weight in weights.items() if weight > 1e-9}
    return np.array(list(kept)), np.array(list(kept.values()), dtype=np.float32)


def _of_line(
    field: Field,
    padded: tuple[int, ...],
    offsets: Int[np.ndarray, "n 2"],
    weights: Float32[np.ndarray, " n"],
) -> Float32[np.ndarray, "2 r s"]:
    """Deflection of a row of points; negative offsets last."""
    zero, line = field.shape[1] // 2, np.zeros((2, *padded), np.float32)
    for place, weight in zip(offsets, weights, strict=True):
        rows, columns = (
            slice(zero - side // 2 - _STEP * offset, zero + (side + 1) // 2 - _STEP * offset)
            for side, offset in zip(padded, place.tolist(), strict=True)
        )
        line += weight * field[:, rows, columns]
    return np.fft.ifftshift(line, axes=(1, 2))


def _spectra_of_squares(
    deflection: Float32[np.ndarray, "2 r s"],
) -> Complex64[np.ndarray, "3 r w"]:
    """Conjugate spectra of a_x^2, 2 a_x a_y and a_y^2."""
    squares = _squares(deflection)
    squares[1] *= 2
    return np.asarray(np.conj(fft.rfft2(squares)))


@_kernel
def _weighted_blocks(images, sensitivity):  # type: ignore[no-untyped-def]
    """Sums over blocks of images (rows, columns, n) times each component of the sensitivity."""
    rows, columns, n = images.shape
    out = np.zeros((2, rows // _STEP, columns // _STEP, n), np.float32)
    for i in range(rows):
        for j in range(columns):
            for d in range(2):
                weight = sensitivity[d, i, j]
                for k in range(n):
                    out[d, i // _STEP, j // _STEP, k] += weight * images[i, j, k]
    return out


@_kernel
def _add_nearby(sums, images, sensitivity, nearby, margin):  # type: ignore[no-untyped-def]
    """Add what the pixels near each position have beyond the mean over their blocks."""
    side, (rows, columns, n) = nearby.shape[1], images.shape
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            top, left = _STEP * (i - margin - _NEAR), _STEP * (j - margin - _NEAR)
            for u in range(max(0, -top), min(side, rows - top)):
                for v in range(max(0, -left), min(side, columns - left)):
                    y, x = top + u, left + v
                    weight = (
                        nearby[0, u, v] * sensitivity[0, y, x]
                        + nearby[1, u, v] * sensitivity[1, y, x]
                    )
                    for k in range(n):
                        sums[i, j, k] += weight * images[y, x, k]


@_kernel
def _sums_along(shared, offsets, weights, margin):  # type: ignore[no-untyped-def]
    """Weighted sums of the pull over the points of a line, and the power that it shares."""
    rows, columns = shared.shape[0] - 2 * margin, shared.shape[1] - 2 * margin
    pull, gone = np.empty((rows, columns), np.float32), np.empty((rows, columns), np.float32)
    line = np.empty(shared.shape[2], np.float32)
    for i in range(rows):
        for j in range(columns):
            line[:] = 0
            for m in range(weights.size):
                point = shared[i + margin + offsets[m, 0], j + margin + offsets[m, 1]]
                weight = weights[m]
                for k in range(line.size):
                    line[k] += weight * point[k]
            power = np.float32(0)
            for k in range(line.size - 1):
                power += line[k] * line[k]
            pull[i, j], gone[i, j] = line[-1], power
    return pull, gone
