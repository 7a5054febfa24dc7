"""Noise maps of any kind as standard deviations; infinite where a pixel has no information.

A weight is an inverse variance. Where a map is NaN or zero (weights: not positive), and where its
noise is absurdly large, as some pipelines mark missing data, the noise is infinite, which masks
the pixel.
"""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Num

from darklens.errors import BadInput
from darklens.lensing.grid import border_pixels

__all__ = ["NoiseKind", "is_boolean", "noise_problem", "standard_deviation"]

NoiseKind = Literal["rms", "variance", "weight"]
Image = Float[np.ndarray, "h w"]

_ABSURD = 1e10  # times the median
_OFF = 3.0  # factor between the noise map and the scatter of the sky that is worth a note
_BORDER = 8


def standard_deviation(values: Num[np.ndarray, "h w"], kind: NoiseKind) -> Image:
    """The standard deviation of each pixel.

    Args:
        values: The map.
        kind: What it holds.

    Raises:
        BadInput: If standard deviations or variances are negative, or nothing is left.
    """
    given = values.astype(np.float64)
    negative = int((given < 0).sum())
    if negative and kind != "weight":
        raise BadInput(f"{negative} of its pixels are negative: it holds no {kind}")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if kind == "weight":
            noise = 1 / np.sqrt(np.maximum(given, 0.0))
        else:
            noise = np.sqrt(given) if kind == "variance" else given
        noise = np.where(noise > 0, noise, np.inf)  # NaN and zero, too
    finite = np.isfinite(noise)
    if finite.any():
        noise = np.where(noise > _ABSURD * np.median(noise[finite]), np.inf, noise)
    if not np.isfinite(noise).any():
        raise BadInput("it leaves no pixel to use: every value is NaN, zero or infinite")
    return noise


def is_boolean(values: Num[np.ndarray, "h w"]) -> bool:
    """Whether a map holds only zeros and ones, so that it is a mask and no weight.

    >>> is_boolean(np.array([[0.0, 1.0]])), is_boolean(np.array([[0.0, 2.0]]))
    (True, False)
    """
    return bool(np.isin(values, (0, 1)).all() and (values == 0).any() and (values == 1).any())


def noise_problem(noise: Image, usable: Bool[np.ndarray, "h w"], sky_rms: float) -> str:
    """A note where the noise map and the scatter of the sky differ by much, or empty.

    Args:
        noise: Standard deviation of each pixel.
        usable: Pixels that are not masked.
        sky_rms: Scatter of the sky at the border, in the same unit.
    """
    border = border_pixels(usable, max(2, min(noise.shape) // _BORDER))
    told = float(np.median(noise[border]))
    if sky_rms <= 0 or 1 / _OFF < told / sky_rms < _OFF:
        return ""
    return (
        f"the noise map says {told:.3g} in the sky, which scatters by {sky_rms:.3g}: is its kind"
        " right (rms, variance or weight)?"
    )
