"""PSFs from files: cut to odd sides around their peak, and resampled to the image if asked."""

import numpy as np
from jaxtyping import Float, Num

from darklens.errors import BadInput
from darklens.lensing.instrument import PSF, GaussianPSF, PixelPSF
from darklens.observations.resampling import resample

__all__ = ["gaussian_psf", "pixel_psf", "resampled_psf"]

_TRUNCATION = 4.0  # standard deviations of a Gaussian PSF
_WIDEST = 60.0  # arcsec
_OFF_CENTRE = 0.3  # pixels from the middle of the brightest pixel to the maximum
_SAME = 0.01  # relative difference between pixel scales that does not matter


def gaussian_psf(width: float) -> GaussianPSF:
    """A Gaussian PSF.

    Args:
        width: Full width at half maximum [arcsec].

    Raises:
        BadInput: If it is not positive or absurd.
    """
    if not 0 < width < _WIDEST:
        raise BadInput("the width must be positive, in arcsec")
    return GaussianPSF(float(width), _TRUNCATION)


def pixel_psf(
    pixels: Num[np.ndarray, "h w"], *, scale: float | None, image_scale: float | None
) -> tuple[PixelPSF, str]:
    """A PSF on the pixels of the image, and what was done to it, or empty.

    Args:
        pixels: The PSF as read.
        scale: Its pixel scale [arcsec/pixel]; that of the image if None.
        image_scale: Pixel scale of the image [arcsec/pixel], or None if unknown.

    Raises:
        BadInput: If it is no PSF, is centred between pixels, or its pixels are not those of the
            image and `scale` is unknown.
    """
    values = pixels.astype(np.float64)
    if not np.isfinite(values).all() or values.sum() <= 0:
        raise BadInput("its pixels must be finite with a positive sum")
    done = []
    if scale is not None and image_scale is not None and abs(scale / image_scale - 1) > _SAME:
        values = _on_scale(_centred(values)[0], image_scale / scale)
        done.append(f"resampled from pixels of {scale:g} to {image_scale:g} arcsec")
    else:
        values, cut = _centred(values)
        done += [cut] * bool(cut)
    return PixelPSF(values), ", ".join(done)


def resampled_psf(psf: PSF, ratio: float) -> PSF:
    """The PSF of an image whose pixels became longer by `ratio`; a Gaussian stays as it is."""
    if isinstance(psf, GaussianPSF):
        return psf
    return PixelPSF(_on_scale(psf.pixels, ratio))


def _on_scale(values: Float[np.ndarray, "h w"], ratio: float) -> Float[np.ndarray, "i j"]:
    """Resampled about the middle pixel, to odd sides."""
    rows, columns = (2 * int(0.5 * side / ratio) + 1 for side in values.shape)
    return resample(values, ratio, (rows, columns))


def _centred(values: Float[np.ndarray, "h w"]) -> tuple[Float[np.ndarray, "i j"], str]:
    """The PSF with odd sides, cut around its peak if they were even.

    Raises:
        BadInput: If its peak lies between pixels.
    """
    if all(side % 2 for side in values.shape):
        return values, ""
    row, column = (int(k) for k in np.unravel_index(int(values.argmax()), values.shape))
    half = min(row, column, values.shape[0] - 1 - row, values.shape[1] - 1 - column)
    cut = values[row - half : row + half + 1, column - half : column + half + 1]
    offsets = [] if half < 1 else [_offset(cut[:, half], half), _offset(cut[half], half)]
    if half < 1 or max(offsets) > _OFF_CENTRE:
        raise BadInput(
            f"its sides are even, {values.shape[0]} x {values.shape[1]}, and its centre lies"
            " between pixels: it must have odd sides, with the centre in the middle pixel"
        )
    return cut, f"cut from {values.shape[0]} x {values.shape[1]} to odd sides around its peak"


def _offset(line: Float[np.ndarray, " n"], peak: int) -> float:
    """Distance of the maximum from the pixel `peak`, of a parabola through the logarithms."""
    least = 1e-12 * float(line[peak])
    before, here, after = np.log(np.maximum(line[peak - 1 : peak + 2], least))
    curvature = before - 2 * here + after
    return abs(float(0.5 * (before - after) / curvature)) if curvature < 0 else 0.5
