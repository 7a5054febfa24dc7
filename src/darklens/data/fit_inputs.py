"""Inputs of a fit, read from files: image, noise map or PSF, with the pixel scale.

`FILE[NAME]` or `FILE[NUMBER]` selects an extension of a FITS file, in the notation of CFITSIO and
DS9.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Num

from darklens.data.decoding import recorded_warnings
from darklens.data.readers import read_pixels
from darklens.data.world_coordinates import pixel_scale_of
from darklens.errors import UnreadableImage
from darklens.naming import sides

__all__ = ["Plane", "read_plane"]


@dataclass(frozen=True)
class Plane:
    """A two-dimensional array and its pixel scale.

    Attributes:
        image: The pixels, in the type of the file.
        pixel_scale: Pixel scale [arcsec/pixel], or None if the file does not give it.
    """

    image: Num[np.ndarray, "h w"]
    pixel_scale: float | None = None

    def __repr__(self) -> str:
        scale = "unknown scale" if self.pixel_scale is None else f"{self.pixel_scale:g} arcsec"
        return f"Plane({sides(self.image.shape)} pixels of {scale}, {self.image.dtype})"


def read_plane(name: str | Path, extension: str | None = None) -> Plane:
    """Read one plane. Pixel values are not checked and may be infinite or NaN.

    Args:
        name: A file, or `FILE[EXTENSION]`.
        extension: Name or number of an extension of a FITS file; by default the first with a
            two-dimensional image.

    Raises:
        UnreadableImage: If there is no such plane; the message gives the reason.
    """
    image, header = read_pixels(name, extension)
    if len(image) != 1:
        raise UnreadableImage(
            f"wrong shape {image.shape}: a fit needs one plane; FILE[EXTENSION:BAND] selects a band"
            " of a FITS file"
        )
    with recorded_warnings():
        return Plane(image[0], None if header is None else pixel_scale_of(header))
