r"""Azimuthally averaged power spectrum of images.

Frequencies are in cycles per pixel; 0.5 is the Nyquist frequency.
"""

import numpy as np
from jaxtyping import Float, Real
from scipy import fft

from darklens.metrics.azimuth import ring_means

__all__ = ["azimuthal_power_spectrum"]

_BLOCK = 4_000_000  # pixels transformed at once


def azimuthal_power_spectrum(
    images: Real[np.ndarray, "n h w"],
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "n k"]]:
    r"""Power of each image as a function of frequency, averaged over position angle.

    .. math:: P(f) = \left\langle \frac{|\hat I(\mathbf f)|^2}{h w} \right\rangle_{|\mathbf f| = f}

    White noise of variance :math:`\sigma^2` has :math:`P = \sigma^2` at all frequencies. Rings
    are one cycle per shorter side wide. Zero frequency (the total flux) and the corners beyond
    the Nyquist frequency are excluded. No window is applied: an image that does not vanish at its
    edges has extra power along the axes.

    Args:
        images: Images of one size.

    Returns:
        Frequencies [cycles per pixel], and the power of each image at each of them.
    """
    count, height, width = images.shape
    side = min(height, width)
    radius = side * np.hypot(fft.fftfreq(height)[:, np.newaxis], fft.fftfreq(width))
    rings = side // 2 + 1
    power = np.empty((count, rings))
    rows = max(1, _BLOCK // (height * width))
    for start in range(0, count, rows):
        part = images[start : start + rows].astype(np.float64)
        squared = np.abs(fft.fft2(part)) ** 2 / (height * width)
        power[start : start + rows] = ring_means(squared, radius, rings=rings)
    return np.arange(1, rings) / side, power[:, 1:]
