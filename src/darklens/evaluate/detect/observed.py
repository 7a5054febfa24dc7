"""Images of lenses with their noise and place on the sky, as the search for subhalos takes them."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from darklens.cutouts import central_cutout
from darklens.data import pixel_problem, read_plane
from darklens.data.fits_files import read_fits
from darklens.errors import BadInput, UnreadableImage
from darklens.modelling import sky_noise

__all__ = ["ObservedImage", "ObservedImages"]

Image = Float[np.ndarray, "h w"]

_SMALLEST, _LARGEST = 20, 400  # pixels on a side
_FITS = (".fits", ".fit", ".fits.gz", ".fits.fz", ".fit.gz")


@dataclass(frozen=True)
class ObservedImage:
    """One image.

    Attributes:
        image: The pixels.
        noise: Standard deviation of each; infinite for masked pixels.
        pixel_scale: Pixel scale [arcsec/pixel].
        noise_origin: `map`, or `estimated` from the sky.
        wcs: Place on the sky as an `astropy.wcs.WCS`, or None.
    """

    image: Image
    noise: Image
    pixel_scale: float
    noise_origin: str
    wcs: Any = None

    def sky_position(self, x: float, y: float) -> tuple[float, float]:
        """Right ascension and declination [deg] of a place [arcsec]; NaN without a WCS."""
        if self.wcs is None:
            return np.nan, np.nan
        rows, columns = self.image.shape
        column = x / self.pixel_scale + 0.5 * (columns - 1)
        row = y / self.pixel_scale + 0.5 * (rows - 1)
        place = self.wcs.pixel_to_world(column, row).icrs
        return float(place.ra.deg), float(place.dec.deg)


class ObservedImages:
    """Reads image files of one kind.

    Args:
        noise_map: Standard deviation of each pixel, for all files; estimated from the sky if None.
        pixel_scale: Pixel scale [arcsec/pixel], if the files do not give it.
        extension: Name or number of the extension of FITS files.
        size: Side of the central square [pixel]; the whole image if None.

    Raises:
        BadInput: If an argument is invalid.
    """

    def __init__(
        self,
        *,
        noise_map: Num[np.ndarray, "h w"] | None = None,
        pixel_scale: float | None = None,
        extension: str | None = None,
        size: int | None = None,
    ) -> None:
        for name, value in (("pixel-scale", pixel_scale), ("size", size)):
            if value is not None and not value > 0:
                raise BadInput(f"--{name} must be positive, not {value:g}")
        if noise_map is not None and not np.all(noise_map > 0):  # false for NaN too
            raise BadInput("--noise-map has pixels that are NaN, zero or negative")
        self._noise_map, self._pixel_scale = noise_map, pixel_scale
        self._extension, self._size = extension, size

    def read(self, path: Path) -> ObservedImage:
        """Read one file.

        Raises:
            BadInput: If the image cannot be searched for subhalos.
            UnreadableImage: If the file cannot be read.
        """
        plane = read_plane(path, self._extension)
        problem = pixel_problem(plane.image[None], allow_nan=True)
        if problem is not None:
            raise UnreadableImage(problem)
        scale = self._pixel_scale or plane.pixel_scale
        if scale is None:
            raise BadInput("the file does not give its pixel scale: give --pixel-scale, in arcsec")
        values = plane.image.astype(np.float64)
        noise, origin = self._noise(values)
        image, noise = _central(values, self._size), _central(noise, self._size)
        if not _SMALLEST <= min(image.shape) <= max(image.shape) <= _LARGEST:
            raise BadInput(
                f"{image.shape[0]} x {image.shape[1]} pixels: a lens is searched in {_SMALLEST} to "
                f"{_LARGEST} pixels on a side; choose the central square with --size"
            )
        unknown = int((~np.isfinite(image) & np.isfinite(noise)).sum())
        if unknown:
            raise BadInput(
                f"{unknown} of the pixels are NaN; choose a smaller square with --size, or give a "
                "--noise-map that is infinite there"
            )
        if not np.isfinite(noise).any():
            raise BadInput("--noise-map leaves no pixel to fit")
        return ObservedImage(image, noise, scale, origin, self._wcs(path, values, image))

    def _noise(self, values: Image) -> tuple[Image, str]:
        if self._noise_map is None:
            return sky_noise(values), "estimated"
        if self._noise_map.shape != values.shape:
            raise BadInput(
                f"--noise-map has {self._noise_map.shape} pixels, the image {values.shape}"
            )
        return self._noise_map.astype(np.float64), "map"

    def _wcs(self, path: Path, whole: Image, cutout: Float[np.ndarray, "i j"]) -> Any:
        """The celestial WCS of the cutout of a FITS file, or None."""
        from astropy.wcs import WCS

        if not path.name.lower().endswith(_FITS):
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                wcs = WCS(read_fits(path, self._extension).header).celestial
        except Exception:  # noqa: BLE001  a damaged header only costs the sky position
            return None
        if not wcs.has_celestial:
            return None
        top, left = ((a - b) // 2 for a, b in zip(whole.shape, cutout.shape, strict=True))
        return wcs[top : top + cutout.shape[0], left : left + cutout.shape[1]]


def _central(image: Image, size: int | None) -> Float[np.ndarray, "i j"]:
    return np.ascontiguousarray(image if size is None else central_cutout(image, size))
