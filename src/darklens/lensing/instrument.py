"""The telescope: point spread function, zero point and sky.

Convolution repeats the edge pixels outwards, so that the sky brightness does not drop there.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float
from numba import njit
from scipy import fft, ndimage

from darklens.errors import BadPreset
from darklens.lensing.special_functions import FASTMATH

__all__ = ["PSF", "GaussianPSF", "Instrument", "PixelPSF"]

Image = Float[np.ndarray, "h w"]
Images = Float[np.ndarray, "*n h w"]

_MOST_SUPERSAMPLING = 64
FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
_LARGEST_RADIUS = 2048  # pixels
_LARGE_KERNEL = 81
"""Number of pixels of a PSF above which Fourier transforms are faster than sums."""


@dataclass(frozen=True)
class GaussianPSF:
    """A Gaussian sampled at pixel centres and normalised.

    Args:
        fwhm: Full width at half maximum [arcsec].
        truncation: Half width of the kernel in standard deviations, rounded to whole pixels.
    """

    fwhm: float
    truncation: float = 3.0

    def __post_init__(self) -> None:
        if not (0 < self.fwhm < 3600 and 0 < self.truncation <= 20):
            raise BadPreset("psf: fwhm and truncation must be positive, below 3600 arcsec and 20")

    def kernel(self, pixel_scale: float) -> Float[np.ndarray, " k"]:
        """One-dimensional kernel; the PSF is its outer product with itself."""
        return _gaussian_kernel(self.fwhm / FWHM_PER_SIGMA / pixel_scale, self.truncation)

    def convolve(self, images: Images, pixel_scale: float) -> Images:
        """Convolve images with the PSF; shape and precision are unchanged."""
        stack = images.reshape(-1, *images.shape[-2:])
        weights = self.kernel(pixel_scale).astype(images.dtype, copy=False)
        return np.asarray(_convolve_separable(stack, weights)).reshape(images.shape)


@lru_cache(maxsize=64)
def _gaussian_kernel(sigma: float, truncation: float) -> Float[np.ndarray, " k"]:
    """Normalised weights of a Gaussian of `sigma` pixels; cached, so never modify them."""
    radius = int(truncation * sigma + 0.5)
    if radius > _LARGEST_RADIUS:
        raise BadPreset(f"psf: a kernel of {2 * radius + 1} pixels is too wide for the pixel scale")
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights /= weights.sum()
    weights.flags.writeable = False
    return weights


@dataclass(frozen=True)
class PixelPSF:
    """A PSF given as an array at the pixel scale of the image; normalised to a sum of one.

    Raises:
        BadPreset: If the array is not 2-d with odd sides, not finite, or its sum is not positive.
    """

    pixels: Image

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or any(side % 2 == 0 for side in self.pixels.shape):
            raise BadPreset(f"psf: the array must have odd sides, not {self.pixels.shape}")
        if not np.isfinite(self.pixels).all() or self.pixels.sum() <= 0:
            raise BadPreset("psf: the pixels must be finite with a positive sum")

    def convolve(self, images: Images, pixel_scale: float) -> Images:
        """Convolve images with the PSF, which must have the same `pixel_scale`."""
        rows, columns = images.shape[-2:]
        stack = images.reshape(-1, rows, columns)
        if self.pixels.size < _LARGE_KERNEL:
            found = [ndimage.convolve(image, self._normalised, mode="nearest") for image in stack]
            return np.reshape(found, images.shape)
        top, left = (side // 2 for side in self.pixels.shape)
        padded = np.pad(stack, ((0, 0), (top, top), (left, left)), mode="edge")
        shape = tuple(fft.next_fast_len(side, real=True) for side in padded.shape[1:])
        product = fft.rfft2(padded, s=shape) * self._spectrum(shape)
        whole = fft.irfft2(product, s=shape)  # circular: wrap-around affects only the margins
        inside = whole[:, 2 * top : 2 * top + rows, 2 * left : 2 * left + columns]
        return np.ascontiguousarray(inside).reshape(images.shape)

    @cached_property
    def _normalised(self) -> Image:
        return np.asarray(self.pixels / self.pixels.sum(), dtype=np.float64)

    @cached_property
    def _spectra(self) -> dict[tuple[int, ...], Any]:
        return {}

    def _spectrum(self, shape: tuple[int, ...]) -> Any:
        """Fourier transform of the PSF, padded to this shape."""
        if shape not in self._spectra:
            self._spectra[shape] = fft.rfft2(self._normalised, s=shape)
        return self._spectra[shape]


PSF = GaussianPSF | PixelPSF


@dataclass(frozen=True)
class Instrument:
    """Conversion from flux to counts.

    Args:
        psf: Point spread function, or None.
        zero_point: Magnitude of a source of one count per second.
        sky_magnitude: Surface brightness of the sky [mag / arcsec^2], or None.
        supersampling: Number of rays along each side of a pixel.
    """

    psf: PSF | None = None
    zero_point: float | None = None
    sky_magnitude: float | None = None
    supersampling: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.supersampling <= _MOST_SUPERSAMPLING:
            raise BadPreset(f"instrument: supersampling must be from 1 to {_MOST_SUPERSAMPLING}")

    def count_rate(self, magnitude: float) -> float:
        """Count rate of a source of `magnitude` [1/s].

        Raises:
            BadPreset: If the instrument has no zero point.
        """
        if self.zero_point is None:
            raise BadPreset("instrument: a magnitude needs a zero_point")
        exponent = 0.4 * (self.zero_point - magnitude)
        if not abs(exponent) < 300:
            raise BadPreset(f"instrument: no source has the magnitude {magnitude:g}")
        return float(10**exponent)

    def sky_rate(self, pixel_area: float) -> float:
        """Count rate of the sky in a pixel of `pixel_area` [arcsec^2] [1/s]."""
        if self.sky_magnitude is None:
            return 0.0
        return self.count_rate(self.sky_magnitude) * pixel_area

    def observe(self, flux: Images, pixel_scale: float) -> Images:
        """Flux of one or several images convolved with the PSF."""
        return flux if self.psf is None else self.psf.convolve(flux, pixel_scale)


_kernel: Any = njit(fastmath=FASTMATH, error_model="numpy", nogil=True, cache=True)
_ROWS = 8
"""Number of rows convolved at a time: small enough for the L1 cache."""


@_kernel
def _convolve_separable(images, weights):  # type: ignore[no-untyped-def]
    """Convolve rows, then columns, with a symmetric kernel; the edge pixel is repeated.

    Rows are padded on both sides and processed several at a time as one long row; mixing across
    the seams affects only the padding.
    """
    number, rows, columns = images.shape
    radius = weights.size // 2
    width = columns + 2 * radius
    padded = np.zeros(rows * width + 2 * radius, images.dtype)
    across = np.empty((rows + 2 * radius, width), images.dtype)
    flat = across.ravel()
    out = np.empty((number, rows, columns), images.dtype)
    some = np.empty((_ROWS, width), images.dtype)
    for n in range(number):
        for i in range(rows):
            row = padded[i * width : (i + 1) * width]
            for j in range(width):
                row[j] = images[n, i, min(max(j - radius, 0), columns - 1)]
        for begin in range(0, rows, _ROWS):
            count = min(_ROWS, rows - begin) * width
            _taps(flat[(begin + radius) * width :][:count], padded[begin * width :], weights, 1)
        for i in range(radius):
            across[i] = across[radius]
            across[radius + rows + i] = across[radius + rows - 1]
        for begin in range(0, rows, _ROWS):
            count = min(_ROWS, rows - begin)
            _taps(some.ravel()[: count * width], flat[begin * width :], weights, width)
            for i in range(count):
                for j in range(columns):
                    out[n, begin + i, j] = some[i, j]
    return out


@_kernel
def _taps(out, values, weights, step):  # type: ignore[no-untyped-def]
    """Sum of `values` at multiples of `step` with symmetric `weights`."""
    radius = weights.size // 2
    middle = values[radius * step :]
    for j in range(out.size):
        out[j] = weights[radius] * middle[j]
    for k in range(radius):
        left, right = values[k * step :], values[(2 * radius - k) * step :]
        for j in range(out.size):
            out[j] += weights[k] * (left[j] + right[j])
