"""Galaxies and stars in an image: the brightest one, and those that are no part of the lens.

Sources are found with photutils in the smoothed image. What lies within the protected radius of
the centre is never masked, because it may be an arc. A neighbour whose light runs into that of the
lens is separated by raising the threshold until it stands alone; it must then rise well above that
threshold, so that noise on the outskirts of the lens is not taken for one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import binary_dilation, gaussian_filter, maximum

from darklens.data.decoding import recorded_warnings
from darklens.errors import BadInput
from darklens.lensing.grid import border_pixels
from darklens.lensing.instrument import FWHM_PER_SIGMA
from darklens.observations.observation import Sky

__all__ = ["Neighbours", "brightest_galaxy", "find_neighbours", "measure_sky"]

Image = Float[np.ndarray, "h w"]
Mask = Bool[np.ndarray, "h w"]

_SMOOTHING = 1.5  # pixels
_THRESHOLD = 4.0  # standard deviations of the smoothed sky
_SMALLEST = 8  # pixels
_STEP, _MOST_STEPS = 1.6, 16  # by which the threshold rises
_PROMINENCE = 2.0  # peak over the threshold at which a source stands alone
_STELLAR = 1.25  # width of a star over that of the PSF, at most
_BORDER = 8
_SIGMA_PER_MAD = 1.4826


@dataclass(frozen=True)
class Neighbours:
    """Sources beyond the protected radius.

    Attributes:
        places: Column and row of the peak of each [pixel], brightest first.
        mask: Their pixels, with a margin.
    """

    places: tuple[tuple[float, float], ...]
    mask: Mask

    @property
    def count(self) -> int:
        """Number of sources."""
        return len(self.places)


def measure_sky(image: Image, usable: Mask) -> Sky | None:
    """Level and scatter of the sky at the border of the usable pixels, or None if it has none."""
    known = usable & np.isfinite(image)
    if not known.any():
        return None
    border = border_pixels(known, max(2, min(image.shape) // _BORDER))
    values = image[border]
    level = float(np.median(values))
    rms = _SIGMA_PER_MAD * float(np.median(np.abs(values - level)))
    return Sky(level, rms) if rms > 0 else None


def brightest_galaxy(image: Image, usable: Mask, *, psf_width: float = 0.0) -> tuple[float, float]:
    """Column and row of the peak of the brightest source that is not a star [pixel].

    Args:
        image: The image.
        usable: Pixels that are not masked.
        psf_width: Full width at half maximum of the PSF [pixel]; 0 if it is unknown, and nothing
            is then taken for a star.

    Raises:
        BadInput: If no source is found.
    """
    smooth, sky = _smoothed(image, usable)
    labels = _labels(smooth, sky.level + _THRESHOLD * sky.rms, usable)
    numbers = np.unique(labels[labels > 0])
    if not numbers.size:
        raise BadInput("no source is found in the image: give --centre as a pixel or on the sky")
    light = np.bincount(labels.ravel(), weights=np.maximum(smooth - sky.level, 0).ravel())
    order = sorted(numbers, key=lambda number: -light[number])
    width = np.hypot(psf_width, FWHM_PER_SIGMA * _SMOOTHING)
    galaxies = (n for n in order if not psf_width or _width(smooth, labels == n, sky) > width)
    chosen = next(galaxies, order[0])
    row, column = np.unravel_index(
        int(np.where(labels == chosen, smooth, -np.inf).argmax()), image.shape
    )
    return float(column), float(row)


def find_neighbours(image: Image, usable: Mask, *, protected: float, margin: float) -> Neighbours:
    """Find the sources that lie wholly beyond a radius around the middle of the image.

    Args:
        image: The image.
        usable: Pixels that are not masked.
        protected: Radius within which nothing is masked [pixel].
        margin: By how much masks are grown [pixel].
    """
    rows, columns = np.indices(image.shape)
    middle = [0.5 * (side - 1) for side in image.shape]
    inner = np.hypot(rows - middle[0], columns - middle[1]) <= protected
    mask = np.zeros(image.shape, dtype=bool)
    if not usable.any() or inner.all():
        return Neighbours((), mask)
    smooth, sky = _smoothed(image, usable)
    height = smooth - sky.level
    threshold = _THRESHOLD * sky.rms
    found: list[tuple[float, float, float]] = []
    for step in range(_MOST_STEPS):
        labels = _labels(height, threshold, usable)
        numbers = np.arange(1, int(labels.max()) + 1)
        new = np.asarray(maximum(mask, labels, numbers) == 0, dtype=bool)
        if step:
            new &= np.asarray(maximum(height, labels, numbers)) > _PROMINENCE * threshold
        new[np.setdiff1d(labels[inner], [0]) - 1] = False
        found += [_source(height, labels == number) for number in numbers[new]]
        mask |= np.append(False, new)[labels]
        threshold *= _STEP
        if height.max() < threshold:
            break
    grown = binary_dilation(mask, _disc(margin)) if found and margin >= 1 else mask
    places = tuple((x, y) for _, x, y in sorted(found, reverse=True))
    return Neighbours(places, np.asarray(grown & ~inner))


def _source(height: Image, pixels: Mask) -> tuple[float, float, float]:
    """Light of a source above the sky, and column and row of its peak [pixel]."""
    row, column = np.unravel_index(int(np.where(pixels, height, -np.inf).argmax()), height.shape)
    return float(height[pixels].sum()), float(column), float(row)


def _smoothed(image: Image, usable: Mask) -> tuple[Image, Sky]:
    """The smoothed image, masked pixels at the level of the sky, and its sky."""
    sky = measure_sky(image, usable)
    if sky is None:
        raise BadInput("the sky cannot be measured: the border of the image is constant")
    filled = np.where(usable & np.isfinite(image), image, sky.level)
    smooth = np.asarray(gaussian_filter(filled, _SMOOTHING, mode="nearest"))
    found = measure_sky(smooth, usable)
    return smooth, found or sky


def _labels(smooth: Image, threshold: float, usable: Mask) -> Any:
    """Numbered sources above a threshold; 0 elsewhere."""
    from photutils.segmentation import detect_sources

    with recorded_warnings():  # that nothing is found
        found = detect_sources(smooth, threshold, _SMALLEST, mask=~usable)
    return np.zeros(smooth.shape, dtype=int) if found is None else np.asarray(found.data)


def _width(smooth: Image, pixels: Mask, sky: Sky) -> float:
    """Full width at half maximum of a source over the allowance for stars [pixel]."""
    height = np.where(pixels, smooth - sky.level, 0.0)
    above = int((height > 0.5 * height.max()).sum())
    return 2 * float(np.sqrt(above / np.pi)) / _STELLAR


def _disc(radius: float) -> Bool[np.ndarray, "n n"]:
    reach = int(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(np.hypot(x, y) <= radius)
