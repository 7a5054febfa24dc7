"""Many images behind one PSF, by Fourier transforms."""

import numpy as np
from jaxtyping import Float, Float32
from scipy import fft

from darklens.lensing.instrument import PSF, GaussianPSF

__all__ = ["convolve_many", "kernel_image"]

Image = Float[np.ndarray, "u v"]
Images = Float32[np.ndarray, "k h w"]

_BATCH = 64


def kernel_image(psf: PSF | None, pixel_scale: float) -> Image | None:
    """The PSF on pixels, of sum 1; None without one.

    Args:
        psf: The PSF.
        pixel_scale: Pixel scale [arcsec/pixel].
    """
    if psf is None:
        return None
    if isinstance(psf, GaussianPSF):
        row = psf.kernel(pixel_scale)
        return np.outer(row, row)
    return np.asarray(psf.pixels / psf.pixels.sum(), dtype=np.float64)


def convolve_many(images: Images, kernel: Image | None) -> Images:
    """Images convolved with a kernel; they are dark beyond the edge."""
    if kernel is None or not len(images):
        return images
    rows, columns = images.shape[1:]
    top, left = (side // 2 for side in kernel.shape)
    shape = tuple(
        fft.next_fast_len(a + b - 1, real=True)
        for a, b in zip((rows, columns), kernel.shape, strict=True)
    )
    spectrum = fft.rfft2(kernel.astype(np.float32), s=shape)
    out = np.empty_like(images)
    for k in range(0, len(images), _BATCH):
        whole = fft.irfft2(fft.rfft2(images[k : k + _BATCH], s=shape) * spectrum, s=shape)
        out[k : k + _BATCH] = whole[:, top : top + rows, left : left + columns]
    return out
