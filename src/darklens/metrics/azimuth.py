"""Azimuthal averages: radial profiles of images and of two-dimensional spectra."""

import numpy as np
from jaxtyping import Float, Real

__all__ = ["pixel_radius", "ring_means"]


def pixel_radius(shape: tuple[int, int]) -> Float[np.ndarray, "h w"]:
    """Distance of each pixel from the centre of the image [pixel]."""
    rows, columns = (np.arange(size) - 0.5 * (size - 1) for size in shape)
    return np.asarray(np.hypot(rows[:, np.newaxis], columns))


def ring_means(
    maps: Real[np.ndarray, "n h w"],
    radius: Float[np.ndarray, "h w"],
    *,
    rings: int,
    shared: bool = False,
) -> Float[np.ndarray, "n {rings}"]:
    """Mean of each map over rings of unit width at radii 0, 1, 2, ...; NaN for an empty ring.

    Args:
        maps: The maps.
        radius: Radius of each pixel, in units of the ring width.
        rings: Number of rings; pixels farther out are ignored.
        shared: Divide each pixel between the two nearest rings by linear interpolation instead
            of giving it to the nearest one.
    """
    lower = np.floor(radius if shared else radius + 0.5).ravel()
    upper_share = radius.ravel() - lower if shared else np.zeros(radius.size)
    index = np.minimum(lower, rings).astype(np.int64)  # one extra ring for pixels farther out

    def sums(values: np.ndarray) -> np.ndarray:
        inner = np.bincount(index, values * (1 - upper_share), minlength=rings + 2)
        outer = np.bincount(index + 1, values * upper_share, minlength=rings + 2)
        return (inner + outer)[:rings]

    totals = np.array([sums(image.ravel()) for image in maps]).reshape(len(maps), rings)
    with np.errstate(invalid="ignore"):  # rings without pixels: NaN
        return np.asarray(totals / sums(np.ones(radius.size)))
