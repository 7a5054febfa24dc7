r"""Light of the lens beyond its Sersic profile: relative departures, smooth in radius and angle.

The profile is multiplied by

.. math:: 1 + \sum_{k m} c_{k m} \, e^{-\frac{1}{2} (\ln r / r_k)^2 / h^2} \cos(m \phi - \phi_0)

with radii :math:`r_k` evenly spaced in the logarithm, `h` their spacing, and m = 0, 1, 2, 4.
"""

import numpy as np
from jaxtyping import Float

from darklens.lensing.grid import PixelGrid

__all__ = ["light_modes"]

_SPACING = 0.6
_SMALLEST = 1.0  # pixels
_ORDERS = (1, 2, 4)


def light_modes(grid: PixelGrid, x0: float, y0: float) -> Float[np.ndarray, "m h w"]:
    """The factors of the coefficients in each pixel.

    Args:
        grid: The pixels.
        x0: Centre of the light [arcsec].
        y0: Centre of the light [arcsec].
    """
    x, y = grid.coordinates()
    radius = np.hypot(x - x0, y - y0) + 1e-9
    angle = np.arctan2(y - y0, x - x0)
    largest = 0.5 * max(grid.shape) * grid.pixel_scale
    count = int(np.ceil(np.log(largest / (_SMALLEST * grid.pixel_scale)) / _SPACING)) + 1
    radii = largest * np.exp(-_SPACING * np.arange(count))
    waves = [np.ones_like(angle)]
    waves += [wave(m * angle) for m in _ORDERS for wave in (np.cos, np.sin)]
    bumps = [np.exp(-0.5 * (np.log(radius / r) / _SPACING) ** 2) for r in radii]
    return np.array([bump * wave for bump in bumps for wave in waves])
