"""One observed lens, ready for a fit: the pixels with all that is known about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from darklens.data.world_coordinates import Orientation, orientation_of
from darklens.errors import BadInput
from darklens.lensing.instrument import PSF, GaussianPSF
from darklens.naming import sides, visible

__all__ = ["Observation", "Sky", "observation_of", "psf_in_words"]


@dataclass(frozen=True)
class Sky:
    """The sky of an image, measured at its border.

    Attributes:
        level: Median, in the unit of the image.
        rms: Standard deviation about it, from the median absolute deviation.
    """

    level: float
    rms: float


@dataclass(frozen=True)
class Observation:
    """An image with its noise, mask, PSF and place on the sky.

    Masked pixels may hold anything, NaN too; their noise is infinite where there is a noise map.

    Attributes:
        name: The file, with extension and band if there is a choice.
        image: The pixels, in `unit`; row 0 is the first of the file.
        mask: True where a pixel is not to be used.
        noise: Standard deviation of each pixel, or None if unknown.
        noise_is_estimated: Whether the noise follows from the image itself, not from a map.
        psf: Point spread function, or None if unknown.
        pixel_scale: Pixel scale [arcsec/pixel], or None if unknown.
        wcs: Celestial `astropy.wcs.WCS` of these pixels, or None.
        band: Filter, or empty.
        unit: Unit of the pixels as the file gives it, or empty.
        electrons: Electrons in one unit of a pixel, for the photon noise, or None if unknown.
        sky: The sky, or None if it cannot be measured.
        centre: Position in the file of the centre of these pixels: column and row, from 0 [pixel].
        satellites: Offset x, y from the centre of the image of each galaxy beside the lens whose
            mass is to be modelled [arcsec].
        sources: Where image, noise, psf, mask and pixel_scale come from, in words.
        notes: What was done, and what to look at, in words.
    """

    name: str
    image: Float[np.ndarray, "h w"]
    mask: Bool[np.ndarray, "h w"]
    noise: Float[np.ndarray, "h w"] | None = None
    noise_is_estimated: bool = False
    psf: PSF | None = None
    pixel_scale: float | None = None
    wcs: Any = None
    band: str = ""
    unit: str = ""
    electrons: float | None = None
    sky: Sky | None = None
    centre: tuple[float, float] = (0.0, 0.0)
    satellites: tuple[tuple[float, float], ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        scale = "unknown scale" if self.pixel_scale is None else f"{self.pixel_scale:g} arcsec"
        parts = [f"{sides(self.image.shape)} pixels of {scale}"]
        parts += [self.band] * bool(self.band)
        parts += [f"{int(self.mask.sum())} masked", psf_in_words(self.psf)]
        parts += ["no noise map"] * (self.noise is None)
        return f"Observation({visible(self.name)!r}: {', '.join(parts)})"

    @property
    def orientation(self) -> Orientation | None:
        """How rows and columns lie on the sky, or None if the file does not say."""
        return None if self.wcs is None else orientation_of(self.wcs)

    @property
    def position(self) -> tuple[float, float] | None:
        """Right ascension and declination (ICRS) of the centre of the image [deg], or None."""
        return self.sky_position(0.0, 0.0)

    def sky_position(self, x: float, y: float) -> tuple[float, float] | None:
        """Right ascension and declination (ICRS) [deg] of a place, or None without a WCS.

        Args:
            x: Offset from the centre of the image along rows [arcsec].
            y: Offset along columns [arcsec].
        """
        if self.wcs is None or self.pixel_scale is None:
            return None
        rows, columns = self.image.shape
        pixel = x / self.pixel_scale + 0.5 * (columns - 1), y / self.pixel_scale + 0.5 * (rows - 1)
        try:
            place = self.wcs.pixel_to_world(*pixel).icrs
            found = float(place.ra.deg), float(place.dec.deg)
        except Exception:  # noqa: BLE001  a WCS without a sky there
            return None
        return found if np.isfinite(found).all() else None

    def offset_of(self, position: tuple[float, float] | None) -> tuple[float, float]:
        """Offset x, y of a place on the sky from the centre of the image [arcsec].

        Args:
            position: Right ascension and declination (ICRS) [deg].

        Returns:
            The offset; NaN if it is not known.
        """
        if self.wcs is None or self.pixel_scale is None or position is None:
            return np.nan, np.nan
        from astropy import units
        from astropy.coordinates import SkyCoord

        try:
            pixel = self.wcs.world_to_pixel(SkyCoord(*position, unit=units.deg, frame="icrs"))
        except Exception:  # noqa: BLE001  a WCS without a sky there
            return np.nan, np.nan
        rows, columns = self.image.shape
        x, y = (
            self.pixel_scale * (float(place) - 0.5 * (side - 1))
            for place, side in zip(pixel, (columns, rows), strict=True)
        )
        return x, y

    @property
    def noise_origin(self) -> Literal["map", "estimated", ""]:
        """Whether the noise is that of a map, or estimated from the image; empty if unknown."""
        if self.noise is None:
            return ""
        return "estimated" if self.noise_is_estimated else "map"

    def noise_and_scale(self) -> tuple[Float[np.ndarray, "h w"], float]:
        """Standard deviation of each pixel, infinite for masked ones, and the pixel scale [arcsec].

        Raises:
            BadInput: If one of them is unknown.
        """
        if self.noise is None or self.pixel_scale is None:
            raise BadInput("noise or pixel scale are unknown: prepare_observation fills them in")
        return self.noise, self.pixel_scale


def observation_of(
    image: Float[np.ndarray, "h w"],
    noise: Float[np.ndarray, "h w"],
    pixel_scale: float,
    psf: PSF | None = None,
    *,
    name: str = "image",
) -> Observation:
    """The observation of an image in memory; pixels are masked where it or its noise is not finite.

    Args:
        image: The pixels.
        noise: Standard deviation of each.
        pixel_scale: Pixel scale [arcsec/pixel].
        psf: Point spread function, or None if unknown.
        name: What to call it.

    Raises:
        BadInput: If no pixel is left, or a noise is not positive.

    >>> observation_of(np.zeros((30, 30)), np.ones((30, 30)), 0.05)
    Observation('image': 30 x 30 pixels of 0.05 arcsec, 0 masked, no PSF)
    """
    mask = ~np.isfinite(image) | ~np.isfinite(noise)
    if mask.all():
        raise BadInput("every pixel is masked")
    if not (noise[~mask] > 0).all():
        raise BadInput("the noise must be positive")
    noise = np.where(mask, np.inf, noise)
    return Observation(name, image, mask, noise=noise, psf=psf, pixel_scale=pixel_scale)


def psf_in_words(psf: PSF | None) -> str:
    """A PSF in a few words.

    >>> psf_in_words(GaussianPSF(0.16))
    'Gaussian PSF of 0.16 arcsec'
    """
    if psf is None:
        return "no PSF"
    if isinstance(psf, GaussianPSF):
        return f"Gaussian PSF of {psf.fwhm:g} arcsec"
    return f"PSF of {sides(psf.pixels.shape)} pixels"
