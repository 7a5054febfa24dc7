"""The file of a pixelised PSF that a preset names: small, two-dimensional, `.npy` or FITS."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from darklens.errors import BadPreset, UnreadableImage

__all__ = ["LONGEST_SIDE", "read_psf"]

LONGEST_SIDE = 1025
"""Pixels."""

_LARGEST_FILE = 64_000_000  # bytes


def read_psf(path: Path) -> Float[np.ndarray, "h w"]:
    """Pixels of a PSF from a `.npy` or FITS file; of the latter, the first image.

    Raises:
        BadPreset: If it cannot be read or is not an image.
    """
    from darklens.data.fits_files import read_fits  # most presets have no such file
    from darklens.data.npy_files import read_npy

    if not path.is_file():
        raise BadPreset(f"psf: {path} cannot be read: there is no such file")
    if path.stat().st_size > _LARGEST_FILE:
        raise BadPreset(f"psf: {path} is too large for a PSF")
    try:
        pixels = read_npy(path) if path.suffix == ".npy" else read_fits(path).pixels
    except (UnreadableImage, OSError, MemoryError) as error:
        raise BadPreset(f"psf: {path} cannot be read: {error}") from None
    if pixels.ndim != 2 or pixels.dtype.kind not in "iuf" or max(pixels.shape) > LONGEST_SIDE:
        raise BadPreset(
            f"psf: {path} holds no two-dimensional image of at most {LONGEST_SIDE} pixels a side"
        )
    return np.asarray(pixels, dtype=np.float64)
