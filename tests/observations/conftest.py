"""A sky that all tests of observations look at: a lens with a ring, a neighbour and a star."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

SCALE, SIDE = 0.1, 101
PLACE = (150.1, 2.2)  # right ascension and declination of the lens [deg]
LENS = (56.0, 47.0)  # its column and row [pixel]
NEIGHBOUR = (12.0, 84.0)
RMS = 0.02


def blob(x0: float, y0: float, sigma: float, peak: float, side: int = SIDE) -> np.ndarray:
    y, x = np.indices((side, side))
    return peak * np.exp(-0.5 * ((x - x0) ** 2 + (y - y0) ** 2) / sigma**2)


def lens_image(*, level: float = 0.0, seed: int = 0) -> np.ndarray:
    """A galaxy at `LENS`, a ring of 1.2 arcsec about it, and a neighbour."""
    y, x = np.indices((SIDE, SIDE))
    distance = np.hypot(x - LENS[0], y - LENS[1])
    ring = 0.4 * np.exp(-0.5 * ((distance - 12) / 1.5) ** 2)
    light = blob(*LENS, 3.0, 3.0) + ring + blob(*NEIGHBOUR, 2.5, 1.5)
    return light + level + RMS * np.random.default_rng(seed).normal(size=light.shape)


def sky_header(**extra: Any) -> fits.Header:
    """World coordinates with North up and East left, the lens at `PLACE`."""
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"] = PLACE
    header["CRPIX1"], header["CRPIX2"] = LENS[0] + 1, LENS[1] + 1
    header["CD1_1"], header["CD2_2"] = -SCALE / 3600, SCALE / 3600
    header["CD1_2"], header["CD2_1"] = 0.0, 0.0
    for name, value in extra.items():
        header[name] = value
    return header


def gaussian_pixels(side: int = 11, sigma: float = 1.2, shift: float = 0.0) -> np.ndarray:
    axis = np.arange(side) - side // 2 + shift
    line = np.exp(-0.5 * (axis / sigma) ** 2)
    return np.outer(line, line)


def write(path: Path, *extensions: Any, primary: Any = None) -> Path:
    fits.HDUList([primary or fits.PrimaryHDU(), *extensions]).writeto(path)
    return path


@pytest.fixture
def lens_file(tmp_path: Path) -> Path:
    """An image with noise map, PSF and weight map in its extensions."""
    noise = np.full((SIDE, SIDE), RMS)
    return write(
        tmp_path / "lens.fits",
        fits.ImageHDU(lens_image(level=0.3).astype(np.float32), sky_header(), name="SCI"),
        fits.ImageHDU(noise**-2, name="WHT"),
        fits.ImageHDU(noise, name="ERR"),
        fits.ImageHDU(gaussian_pixels(), name="PSF"),
    )
