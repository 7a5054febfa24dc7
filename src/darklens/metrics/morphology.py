r"""Simple measurements on lens images: brightness, flux, ring radius and ellipticity.

Each returns a number or a row per image, ready for a two-sample test
(`darklens.metrics.two_sample`). Lengths are in pixels; x increases with the column, y with the
row.
"""

import numpy as np
from jaxtyping import Float, Real
from scipy import ndimage

from darklens.metrics.azimuth import pixel_radius, ring_means

__all__ = ["ellipticity", "pixel_histogram", "ring_radius", "total_flux"]


def pixel_histogram(
    images: Real[np.ndarray, "n h w"], edges: Real[np.ndarray, " e"]
) -> Float[np.ndarray, "n e-1"]:
    """Fraction of the pixels of each image in each brightness bin.

    Pixels within an image are not independent: to test a bin, compare its fractions over images.

    Args:
        images: The images.
        edges: Bin edges, ascending. Values outside count in the first or the last bin.

    >>> pixel_histogram(np.array([[[0, 1], [2, 9]]]), np.array([0, 1, 2, 3])).tolist()
    [[0.25, 0.25, 0.5]]
    """
    bins = len(edges) - 1
    shares = np.empty((len(images), bins))
    for share, image in zip(shares, images, strict=True):
        index = np.searchsorted(edges, image.ravel(), side="right") - 1
        share[:] = np.bincount(index.clip(0, bins - 1), minlength=bins) / image.size
    return shares


def total_flux(images: Real[np.ndarray, "n h w"]) -> Float[np.ndarray, " n"]:
    """Sum of the pixels of each image."""
    return np.asarray(images.sum(axis=(1, 2), dtype=np.float64))


def ring_radius(
    images: Real[np.ndarray, "n h w"], *, smoothing: float = 1.0, smallest: float = 0.0
) -> Float[np.ndarray, " n"]:
    """Radius of the peak of the azimuthally averaged profile [pixel].

    Profiles are centred on the image. The peak is refined by a parabola through three rings. Only
    complete rings are used.

    Args:
        images: The images.
        smoothing: Standard deviation of the Gaussian that smooths the profile [pixel].
        smallest: Smallest radius considered, to exclude the light of the lens [pixel].
    """
    shape = images.shape[1:]
    rings = (min(shape) + 1) // 2
    profiles = ring_means(images, pixel_radius(shape), rings=rings, shared=True)
    profiles = ndimage.gaussian_filter1d(profiles, smoothing, axis=1)
    first = min(int(np.ceil(smallest)), rings - 1)
    peak = first + profiles[:, first:].argmax(axis=1)
    return np.asarray(peak + _parabola_offset(profiles, peak))


def ellipticity(
    images: Real[np.ndarray, "n h w"], *, threshold: float = 0.1, smoothing: float = 2.0
) -> Float[np.ndarray, "n 2"]:
    r"""Ellipticity components along the axes and the diagonals, from second moments.

    .. math::
        e_1 = \frac{Q_{xx} - Q_{yy}}{Q_{xx} + Q_{yy}}, \quad
        e_2 = \frac{2 Q_{xy}}{Q_{xx} + Q_{yy}}

    Moments are taken about the flux centroid, over the pixels whose smoothed brightness exceeds
    `threshold` times the peak. The background, the median of the pixels outside the inscribed
    circle, is subtracted first. An ellipse of axis ratio :math:`q` has
    :math:`|e| = (1 - q^2) / (1 + q^2)`. Images without light have NaN.

    Args:
        images: The images.
        threshold: Fraction of the peak brightness that a pixel must exceed.
        smoothing: Standard deviation of the Gaussian used for the selection [pixel].

    References:
        Bartelmann & Schneider 2001, arXiv:astro-ph/9912508, eq. 4.4 (:math:`\chi` there).
    """
    shape = images.shape[1:]
    y, x = np.indices(shape) - 0.5 * (np.array(shape)[:, np.newaxis, np.newaxis] - 1)
    outside = pixel_radius(shape) > 0.5 * min(shape)
    found = np.empty((len(images), 2))
    for row, image in zip(found, images, strict=True):
        light = image - np.median(image[outside])
        smooth = ndimage.gaussian_filter(light, smoothing)
        chosen = smooth > threshold * max(smooth.max(), 0)
        row[:] = _moment_ellipticity(light[chosen], x[chosen], y[chosen])
    return found


def _moment_ellipticity(
    light: Float[np.ndarray, " p"], x: Float[np.ndarray, " p"], y: Float[np.ndarray, " p"]
) -> tuple[float, float]:
    """Both components from the brightness and the coordinates of the selected pixels."""
    total = light.sum()
    if not total > 0:
        return np.nan, np.nan
    x, y = x - light @ x / total, y - light @ y / total
    xx, yy, xy = light @ x**2, light @ y**2, light @ (x * y)
    size = xx + yy
    return ((xx - yy) / size, 2 * xy / size) if size > 0 else (np.nan, np.nan)


def _parabola_offset(
    profiles: Float[np.ndarray, "n k"], peak: np.ndarray
) -> Float[np.ndarray, " n"]:
    """Vertex of the parabola through a peak and its two neighbours, relative to the peak."""
    last = profiles.shape[1] - 1
    rows = np.arange(len(profiles))
    middle = profiles[rows, peak]
    before, after = (
        profiles[rows, np.maximum(peak - 1, 0)],
        profiles[rows, np.minimum(peak + 1, last)],
    )
    curvature = 2 * middle - before - after
    inner = (peak > 0) & (peak < last) & (curvature > 0)
    offset = (after - before) / (2 * np.where(inner, curvature, 1.0))
    return np.asarray(np.where(inner, offset.clip(-0.5, 0.5), 0.0))
