r"""Matched filters for perturbers in the residual of a smooth lens model.

A small extra deflection :math:`a(\theta)` changes the image, in units of the noise, by
:math:`\tau = s_x a_x + s_y a_y`, where `s` is the sensitivity of the fit. The directions that the
parameters of the smooth lens can absorb are projected out: :math:`Q_i` is an orthonormal basis of
the rows of the whitened Jacobian. For a perturber of fixed shape at position `p` and a whitened
residual `z`, the best-fitting strength is `U / V` and its significance :math:`U / \sqrt{V}`:

.. math:: U(p) = \sum_\theta z \, \tau_p, \qquad
          V(p) = \sum_\theta \tau_p^2 - \sum_i \Big(\sum_\theta Q_i \tau_p\Big)^2

Each sum is a correlation with the deflection field of the perturber and is computed by fast Fourier
transform. The filter is linear in the perturber: exact for weak ones, a guide for strong ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Complex64, Float, Float32
from numba import njit
from scipy import fft

from darklens.cutouts import block_sums, central_cutout
from darklens.lensing.profiles import LineMass, MassProfile, PointMass

__all__ = [
    "LineCandidate",
    "MatchedFilters",
    "SignificanceMaps",
    "best_line",
    "central",
    "deflection_on_pixels",
    "orthonormal",
]

Map = Float32[np.ndarray, "i j"]
_LEAST_SHARE = 1e-2

_kernel: Any = njit(fastmath=True, error_model="numpy", nogil=True, cache=True)


@dataclass(frozen=True)
class LineCandidate:
    """The most significant line of mass of one half length and orientation.

    Attributes:
        significance: Significance [sigma].
        x: Centre [arcsec].
        y: Centre [arcsec].
        position_angle: Orientation [rad].
        half_length: Half length [arcsec].
        strength: Best-fitting strength, the square of the Einstein radius [arcsec^2].
    """

    significance: float
    x: float
    y: float
    position_angle: float
    half_length: float
    strength: float


@dataclass(frozen=True)
class SignificanceMaps:
    """Output of the matched filters for one image.

    Attributes:
        point: Significance of a point mass at each position.
        depth: Square root of `V` for a point mass: the significance of unit strength
            [1 / arcsec^2].
        line: For each half length, the significance of the best orientation at each position.
        lines: The best line of each half length and orientation, most significant first.
    """

    point: Map
    depth: Map
    line: Float32[np.ndarray, "m i j"]
    lines: tuple[LineCandidate, ...]


class MatchedFilters:
    """Matched filters for point masses and lines of mass at every position of a small image.

    Args:
        shape: Rows and columns of the maps.
        pixel_scale: Side of its pixels [arcsec].
        half_lengths: Half lengths of the lines [arcsec].
        orientations: Number of orientations of each line, evenly spaced over half a turn.
        largest_radius: Largest distance of a line candidate from the centre [arcsec].
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
        self.shape = shape
        self._padded = tuple(fft.next_fast_len(2 * side - 1, real=True) for side in shape)
        self._scale = pixel_scale
        self._point_deflection = self._deflection(PointMass(1.0))
        self._point = self._spectra(self._point_deflection)
        self._half_lengths = tuple(half_lengths)
        self._angles = [float(np.pi * k / orientations) for k in range(orientations)]
        self._lines = [
            [
                self._spectra(self._deflection(LineMass(1.0, half_length, angle)))
                for angle in self._angles
            ]
            for half_length in half_lengths
        ]
        y, x = ((np.arange(side) - 0.5 * (side - 1)) * pixel_scale for side in shape)
        self._axes = x, y
        radius = np.hypot(x, y[:, None])
        self._places = radius <= max(largest_radius, float(radius.min()) + 1e-9)

    def __call__(
        self,
        residual: Float32[np.ndarray, "h w"],
        sensitivity: Float32[np.ndarray, "2 h w"],
        basis: Float32[np.ndarray, "k h w"],
        *,
        lines: bool = True,
    ) -> SignificanceMaps:
        """Apply the filters for points and lines.

        The images may be finer than the maps by a whole factor: their products are then summed in
        blocks.

        Args:
            residual: Residual in units of the noise.
            sensitivity: Derivative of the image with respect to an extra deflection along x and y
                [noise / arcsec].
            basis: What is projected out: `orthonormal` rows of the whitened Jacobian, or the root
                of a projection that marginalises.
            lines: Whether to filter for lines as well.
        """
        spectra = self._products(residual, sensitivity, basis)
        point, depth = self._filter(spectra, self._point)
        half_lengths = self._half_lengths if lines else ()
        best = np.full((len(half_lengths), *self.shape), -np.inf, dtype=np.float32)
        found = []
        for k, half_length in enumerate(half_lengths):
            for angle, shape in zip(self._angles, self._lines[k], strict=True):
                significance, root = self._filter(spectra, shape)
                np.maximum(best[k], significance, out=best[k])
                found.append(
                    best_line(significance, root, self._axes, self._places, angle, half_length)
                )
        return SignificanceMaps(
            point, depth, best, tuple(sorted(found, key=lambda line: -line.significance))
        )

    def response(
        self, place: tuple[int, int], sensitivity: Float32[np.ndarray, "2 h w"]
    ) -> Float32[np.ndarray, "h w"]:
        """Change of the image by a point mass of unit strength [noise / arcsec^2].

        Args:
            place: Row and column of the mass on the map.
            sensitivity: Derivative of the image with respect to an extra deflection.
        """
        rows, columns = (np.arange(side) - k for side, k in zip(self.shape, place, strict=True))
        block = sensitivity.shape[1] // self.shape[0]
        ax, ay = self._point_deflection[:, rows[:, np.newaxis], columns]
        sx, sy = sensitivity
        return np.asarray(
            sx * ax.repeat(block, 0).repeat(block, 1) + sy * ay.repeat(block, 0).repeat(block, 1)
        )

    def overlap(
        self, image: Float32[np.ndarray, "h w"], sensitivity: Float32[np.ndarray, "2 h w"]
    ) -> Map:
        """Sum of an image times the change by a point mass of unit strength, at each position."""
        blocks = block_sums(image * sensitivity, image.shape[0] // self.shape[0])
        x, y = fft.rfft2(blocks, s=self._padded)
        ax, ay, *_ = self._point
        rows, columns = self.shape
        return np.asarray(fft.irfft2(x * ax + y * ay, s=self._padded)[:rows, :columns])

    def _deflection(self, mass: MassProfile) -> Float32[np.ndarray, "2 u v"]:
        return deflection_on_pixels(mass, self._padded, self._scale)

    def _spectra(
        self, deflection: Float32[np.ndarray, "2 u v"]
    ) -> tuple[Complex64[np.ndarray, "u w"], ...]:
        """Conjugate spectra of the deflection a and of a_x^2, 2 a_x a_y, a_y^2."""
        ax, ay = deflection.astype(np.float64)
        parts = (ax, ay, ax * ax, 2 * ax * ay, ay * ay)
        return tuple(np.conj(fft.rfft2(part.astype(np.float32))) for part in parts)

    def _products(
        self,
        residual: Float32[np.ndarray, "h w"],
        sensitivity: Float32[np.ndarray, "2 h w"],
        basis: Float32[np.ndarray, "k h w"],
    ) -> Complex64[np.ndarray, "n u v"]:
        """Spectra of the images that are correlated with a deflection."""
        sx, sy = sensitivity
        images = [residual * sx, residual * sy, sx * sx, sx * sy, sy * sy]
        stack = np.concatenate([np.stack(images), basis * sx, basis * sy])
        return self._transformed(block_sums(stack, residual.shape[0] // self.shape[0]))

    def _transformed(self, images: Float32[np.ndarray, "n i j"]) -> Complex64[np.ndarray, "n u v"]:
        """Spectra of images padded with zeros: rows of zeros need no transform."""
        rows, columns = self._padded
        return np.asarray(fft.fft(fft.rfft(images, columns), rows, axis=-2))

    def _sums(self, products: Complex64[np.ndarray, "u n v"]) -> Float32[np.ndarray, "i n j"]:
        """The images of some spectra on the map.

        For such small images products with the matrices of the transforms are faster than fast
        transforms, as they give nothing outside the map.
        """
        down, across = self._inverse
        u, n, v = products.shape
        kept = (down @ products.reshape(u, -1)).view(np.float32)
        sums: Float32[np.ndarray, "i n j"] = (kept.reshape(-1, 2 * v) @ across).reshape(
            -1, n, self.shape[1]
        )
        return sums

    @cached_property
    def _inverse(self) -> tuple[Complex64[np.ndarray, "i u"], Float32[np.ndarray, "w j"]]:
        """Inverse transforms as matrices: of columns, and of rows of real and imaginary parts."""
        rows, columns = self._padded
        u, w = np.arange(rows), np.arange(columns // 2 + 1)
        turn = np.outer(np.arange(self.shape[0]), u) / rows
        down = np.exp(2j * np.pi * turn) / rows
        angle = 2 * np.pi * np.outer(w, np.arange(self.shape[1])) / columns
        weight = np.where((w == 0) | (2 * w == columns), 1, 2)[:, np.newaxis] / columns
        parts = np.stack([weight * np.cos(angle), -weight * np.sin(angle)], axis=1)
        return (
            down.astype(np.complex64),
            parts.reshape(-1, self.shape[1]).astype(np.float32),
        )

    def _filter(
        self, spectra: Complex64[np.ndarray, "n u v"], shape: tuple[Any, ...]
    ) -> tuple[Map, Map]:
        """Significance of a perturber at each position, and the square root of V."""
        ax, ay, xx, xy, yy = shape
        k = (len(spectra) - 5) // 2
        products = np.empty((spectra.shape[1], 2 + k, spectra.shape[2]), spectra.dtype)
        products[:, 1] = spectra[2] * xx + spectra[3] * xy + spectra[4] * yy
        _products_with(products[:, :1], spectra[:1], spectra[1:2], ax, ay)
        _products_with(products[:, 2:], spectra[5 : 5 + k], spectra[5 + k :], ax, ay)
        sums = self._sums(products)
        pull, power = sums[:, 0], sums[:, 1]
        projected = np.einsum("inj,inj->ij", sums[:, 2:], sums[:, 2:])
        root = np.sqrt(np.maximum(np.maximum(power - projected, _LEAST_SHARE * power), 1e-6))
        return pull / root, root


def best_line(
    significance: Map,
    root: Map,
    axes: tuple[Float[np.ndarray, " j"], Float[np.ndarray, " i"]],
    allowed: Bool[np.ndarray, "i j"],
    angle: float,
    half_length: float,
) -> LineCandidate:
    """The most significant line of one half length and orientation.

    Args:
        significance: Of a line at each position.
        root: Square root of `V`.
        axes: Coordinates x and y of the positions [arcsec].
        allowed: Where the centre may be.
        angle: Orientation [rad].
        half_length: Half length [arcsec].
    """
    inside = np.where(allowed, significance, -np.inf)
    i, j = np.unravel_index(int(inside.argmax()), inside.shape)
    best, (x, y) = float(significance[i, j]), axes
    strength = best / float(root[i, j])
    return LineCandidate(best, float(x[j]), float(y[i]), angle, half_length, strength)


def deflection_on_pixels(
    mass: MassProfile, shape: tuple[int, ...], pixel_scale: float
) -> Float32[np.ndarray, "2 u v"]:
    """Deflection averaged over each pixel, so finite everywhere; negative offsets last."""
    rows, columns = shape
    inside = (-0.25 * pixel_scale, 0.25 * pixel_scale)
    y = np.fft.fftfreq(rows, 1 / rows) * pixel_scale
    x = np.fft.fftfreq(columns, 1 / columns) * pixel_scale
    grid_x, grid_y = np.meshgrid(x, y)
    corners = [mass.deflection(grid_x + u, grid_y + v) for u in inside for v in inside]
    return np.asarray(np.mean(corners, axis=0), dtype=np.float32)


@_kernel
def _products_with(out, first, second, a, b):  # type: ignore[no-untyped-def]
    """Write products of stacks of spectra with one spectrum each, rows of all spectra together."""
    for u in range(out.shape[0]):
        for i in range(out.shape[1]):
            for v in range(out.shape[2]):
                out[u, i, v] = first[i, u, v] * a[u, v] + second[i, u, v] * b[u, v]


def central(
    image: Float[np.ndarray, "*n h w"], size: int, factor: int = 1
) -> Float32[np.ndarray, "*n i j"]:
    """The central square of an image, binned, in single precision.

    Blocks of pixels are summed and divided by their side, which preserves the variance of white
    noise.
    """
    window = central_cutout(image, size).astype(np.float32)
    return block_sums(window, factor) / np.float32(factor)


def orthonormal(jacobian: Float32[np.ndarray, "k i j"]) -> Float32[np.ndarray, "k i j"]:
    """Orthonormal basis of the row space of a whitened Jacobian; null directions become zero."""
    flat = jacobian.reshape(len(jacobian), -1).astype(np.float64)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    keep = values > 1e-9 * values[-1]
    scaled = np.where(keep, 1 / np.sqrt(np.where(keep, values, 1)), 0.0)
    basis = (vectors * scaled).T @ flat
    return np.asarray(basis.reshape(jacobian.shape), dtype=np.float32)
