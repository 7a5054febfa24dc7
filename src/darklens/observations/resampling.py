r"""Resampling to another pixel scale, by the area that pixels share: flux is conserved.

Along one axis, the share of old pixel :math:`j` that lies in new pixel :math:`i` is the matrix
:math:`A_{ij}`; an image becomes :math:`A_y I A_x^\top`. Its noise becomes
:math:`(A_y^{\circ 2} V A_x^{\circ 2 \top})^{1/2}`. Neighbouring new pixels share old ones, so their
noise is correlated, which no noise map can say.
"""

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["resample", "resample_mask", "resample_noise", "shares"]

Image = Float[np.ndarray, "h w"]
Resampled = Float[np.ndarray, "i j"]

_NEGLIGIBLE = 1e-9


def shares(old: int, ratio: float, new: int) -> Float[np.ndarray, "new old"]:
    """Share of each old pixel that lies in each new one, along an axis with a common middle.

    Args:
        old: Number of old pixels.
        ratio: Length of a new pixel over that of an old one.
        new: Number of new pixels.

    >>> shares(4, 2.0, 2).tolist()
    [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
    """
    starts = (np.arange(new) - 0.5 * new) * ratio + 0.5 * old
    pixels = np.arange(old)
    lower = np.maximum(starts[:, None], pixels[None])
    upper = np.minimum(starts[:, None] + ratio, pixels[None] + 1)
    return np.asarray(np.clip(upper - lower, 0.0, 1.0), dtype=np.float64)


def resample(image: Image, ratio: float, shape: tuple[int, int]) -> Resampled:
    """Resample about the middle of the image. Pixels outside of it count as zero.

    Args:
        image: The image, without NaN.
        ratio: New pixel scale over the old one.
        shape: Rows and columns of the result.
    """
    rows, columns = _matrices(image.shape, ratio, shape)
    return np.asarray(rows @ image @ columns.T)


def resample_noise(noise: Image, ratio: float, shape: tuple[int, int]) -> Resampled:
    """The noise of the resampled image; infinite where any of its pixels is, and outside."""
    rows, columns = _matrices(noise.shape, ratio, shape)
    known = np.isfinite(noise)
    variance = rows**2 @ np.where(known, noise, 0.0) ** 2 @ (columns**2).T
    lost = resample_mask(~known, ratio, shape)
    return np.asarray(np.where(lost, np.inf, np.sqrt(variance)))


def resample_mask(
    mask: Bool[np.ndarray, "h w"], ratio: float, shape: tuple[int, int]
) -> Bool[np.ndarray, "i j"]:
    """True where a new pixel shares area with a masked one, or lies partly outside."""
    rows, columns = _matrices(mask.shape, ratio, shape)
    touched = rows @ mask.astype(np.float64) @ columns.T > _NEGLIGIBLE
    covered = np.outer(rows.sum(axis=1), columns.sum(axis=1))
    return np.asarray(touched | (covered < (1 - _NEGLIGIBLE) * ratio**2))


def _matrices(
    old: tuple[int, ...], ratio: float, new: tuple[int, int]
) -> tuple[Float[np.ndarray, "i h"], Float[np.ndarray, "j w"]]:
    return shares(old[0], ratio, new[0]), shares(old[1], ratio, new[1])
