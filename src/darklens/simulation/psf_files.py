"""The file of a pixelised PSF that a preset names: small, two-dimensional, and read with care.

Nothing is read but the one array: of a FITS file the primary image or, where that is empty, the
first extension, and neither compressed ones nor what comes behind.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from darklens.errors import BadPreset

__all__ = ["LONGEST_SIDE", "read_psf"]

LONGEST_SIDE = 1025
"""Pixels."""

_LARGEST_FILE = 64_000_000  # bytes


def read_psf(path: Path) -> Float[np.ndarray, "h w"]:
    """Pixels of a PSF from a `.npy` or FITS file.

    Raises:
        BadPreset: If it cannot be read or is no image of numbers.
    """
    if not path.is_file():
        raise BadPreset(f"psf: {path} cannot be read: there is no such file")
    if path.stat().st_size > _LARGEST_FILE:
        raise BadPreset(f"psf: {path} is too large for a PSF")
    try:
        pixels = _npy(path) if path.suffix == ".npy" else _fits(path)
    except Exception as error:  # noqa: BLE001  damaged files fail in every way
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise BadPreset(f"psf: {path} cannot be read: {reason}") from None
    if pixels is None or pixels.ndim != 2 or pixels.dtype.kind not in "iuf":
        raise BadPreset(f"psf: {path} holds no two-dimensional image of numbers")
    return np.asarray(pixels, dtype=np.float64)


def _npy(path: Path) -> Any:
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)  # refuses what the file cannot hold
    if mapped.ndim != 2 or max(mapped.shape) > LONGEST_SIDE or not isinstance(mapped, np.ndarray):
        return None
    return mapped


def _fits(path: Path) -> Any:
    from astropy.io import fits

    with path.open("rb") as file:
        if file.read(6) != b"SIMPLE":
            raise ValueError("no FITS file")
        file.seek(0)
        with fits.open(file, memmap=False, disable_image_compression=True) as units:
            unit = units[0] if units[0].header["NAXIS"] else units[1]
            sides = [unit.header[f"NAXIS{axis}"] for axis in range(1, unit.header["NAXIS"] + 1)]
            if len(sides) != 2 or not all(1 <= side <= LONGEST_SIDE for side in sides):
                return None
            return unit.data
