"""The pixel grid: positions of pixel centres on the sky.

The grid is centred on the lens; x increases with the column and y with the row [arcsec].
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from darklens.errors import BadPreset

__all__ = ["PixelGrid", "border_pixels"]


_LONGEST_SIDE = 16_384


@dataclass(frozen=True)
class PixelGrid:
    """A rectangular grid of square pixels, centred on the optical axis.

    Args:
        shape: Number of rows and columns.
        pixel_scale: Pixel scale [arcsec/pixel].

    Raises:
        BadPreset: If a number is not positive.
    """

    shape: tuple[int, int]
    pixel_scale: float

    def __post_init__(self) -> None:
        if not all(1 <= side <= _LONGEST_SIDE for side in self.shape):
            raise BadPreset(f"grid: shape {self.shape} must be of 1 to {_LONGEST_SIDE} pixels")
        if not 1e-6 <= self.pixel_scale <= 3600:
            raise BadPreset(
                f"grid: pixel_scale {self.pixel_scale} must be positive, from 1e-6 to 3600 arcsec"
            )

    @property
    def pixel_area(self) -> float:
        """Area of a pixel [arcsec^2]."""
        return self.pixel_scale**2

    def coordinates(self) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
        """Coordinates x and y of the pixel centres [arcsec]."""
        rows, columns = self.shape
        x = (np.arange(columns) - 0.5 * (columns - 1)) * self.pixel_scale
        y = (np.arange(rows) - 0.5 * (rows - 1)) * self.pixel_scale
        grid_x, grid_y = np.meshgrid(x, y)
        return grid_x, grid_y


def border_pixels(usable: Bool[np.ndarray, "h w"], width: int) -> Bool[np.ndarray, "h w"]:
    """The usable pixels within `width` of the edge of the usable area, or all if there are none.

    Args:
        usable: Mask of usable pixels.
        width: Width of the border [pixel].
    """
    border = usable.copy()
    inner = []
    for axis in (1, 0):
        places = np.flatnonzero(usable.any(axis=axis))
        first, last = (int(places[0]), int(places[-1])) if places.size else (0, -1)
        inner.append(slice(first + width, max(last + 1 - width, 0)))
    border[inner[0], inner[1]] = False
    return border if border.any() else usable
