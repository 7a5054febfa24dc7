r"""Azimuthal power spectrum of images: how much of their variance is at which scale.

Frequencies are in cycles per pixel: 0.5 is the finest pattern that pixels hold.
"""

import numpy as np
from jaxtyping import Float, Real
from scipy import fft

from darklens.metrics.azimuth import ring_means

__all__ = ["azimuthal_power_spectrum"]

_BLOCK = 4_000_000  # pixels transformed at once, which keeps memory flat


def azimuthal_power_spectrum(
    images: Real[np.ndarray, "n h w"],
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "n k"]]:
    r"""Power of each image against the frequency, averaged over directions.

    .. math:: P(f) = \left\langle \frac{|\hat I(\mathbf f)|^2}{h w} \right\rangle_{|\mathbf f| = f}

    White noise of variance :math:`\sigma^2` has :math:`P = \sigma^2` at all frequencies. The
    rings are one cycle on the shorter side wide. Frequency zero, the total flux, is left out,
    and so are the corners beyond 0.5. No window is applied, so an image that does not vanish at
    its edges has a cross of extra power along the axes.

    Args:
        images: Images of one size.

    Returns:
        The frequencies [cycles per pixel] and the power of each image at them.
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
