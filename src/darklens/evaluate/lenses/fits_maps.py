"""The maps of a lens as one FITS file, with the WCS of its images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from darklens.cutouts import central_cutout
from darklens.detection import LensFit
from darklens.observations import Observation

__all__ = ["LensMap", "view_maps", "write_maps"]

_COMMENTS = {
    "model": "image of the smooth lens",
    "residual": "image less model, in units of the noise",
    "no_lens_light": "image less the light of the lens",
    "source": "light of the lensed source",
}


class LensMap(NamedTuple):
    """One map, and what it is, in words."""

    image: Float[np.ndarray, "h w"]
    comment: str


def view_maps(fit: LensFit, band: int = 0) -> dict[str, LensMap]:
    """Model, residual, image without lens light, and lensed source of a band, by name."""
    view = fit.views[band]
    images = view.image, view.residual, view.no_lens_light, view.source_image
    return {
        name: LensMap(image, comment)
        for (name, comment), image in zip(_COMMENTS.items(), images, strict=True)
    }


def write_maps(
    path: Path,
    images: Sequence[Observation],
    maps: Sequence[Mapping[str, LensMap]],
    *,
    cards: Mapping[str, object],
    more: Sequence[fits.ImageHDU] = (),
) -> None:
    """Write the images of a lens and their maps, one extension each.

    Of a large image only the part around the lens is modelled: the maps are NaN elsewhere. The
    extensions of the second band end in `_2`, beginning with its image, and so on.

    Args:
        path: The file.
        images: The image of each band as it was fitted.
        maps: The maps of each band by name.
        cards: Keywords of the first header.
        more: Further extensions.
    """
    primary = fits.PrimaryHDU(images[0].image.astype(np.float32), _header(images[0]))
    primary.header.update(cards)
    items = [primary]
    for k, (seen, named) in enumerate(zip(images, maps, strict=True)):
        ending = f"_{k + 1}" if k else ""
        header = _header(seen)
        if k:
            name = f"image{ending}"
            items.append(fits.ImageHDU(seen.image.astype(np.float32), header, name=name))
        for name, (image, comment) in named.items():
            values = _embedded(image, seen.image).astype(np.float32)
            item = fits.ImageHDU(values, header, name=f"{name}{ending}")
            item.header["COMMENT"] = comment
            items.append(item)
    fits.HDUList([*items, *more]).writeto(path, overwrite=True)


def _header(seen: Observation) -> fits.Header:
    """World coordinates and pixel scale of an image."""
    header = fits.Header() if seen.wcs is None else seen.wcs.to_header()
    header["PIXSCALE"] = (seen.pixel_scale, "[arcsec]")
    return header


def _embedded(
    part: Float[np.ndarray, "i j"], whole: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """The central part as an image of the size of the whole, NaN around it."""
    image = np.full(whole.shape, np.nan)
    central_cutout(image, *part.shape)[:] = part
    return image
