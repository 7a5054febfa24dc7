"""The maps of a search for subhalos as one FITS file, with the WCS of the image."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from darklens.cutouts import central_cutout
from darklens.detection import Detection
from darklens.observations import Observation

__all__ = ["write_maps"]

_COMMENTS = {
    "model": "image of the smooth lens",
    "residual": "image less model, in units of the noise",
    "no_lens_light": "image less the light of the lens",
    "source": "light of the lensed source",
    "significance": "significance of a subhalo at each place",
    "limit_mass_3": "smallest mass seen at 3 sigma [M_sun]",
    "limit_mass_5": "smallest mass seen at 5 sigma [M_sun]",
}


def write_maps(path: Path, images: Sequence[Observation], found: Detection) -> None:
    """Write the images of a lens and their maps, one extension each.

    Of a large image only the part around the lens is searched: the maps are NaN elsewhere. Limits
    are infinite where no mass of the scan would be seen, and NaN where nothing was scanned. The
    extensions of the second band end in `_2`, beginning with its image, and so on; significance and
    limits are those of all bands, on the pixels of the first.

    Args:
        path: The file.
        images: The image of each band as it was searched.
        found: The answer.
    """
    header = _header(images[0])
    primary = fits.PrimaryHDU(images[0].image.astype(np.float32), header)
    primary.header["VERDICT"] = found.verdict
    items = [primary, *_map_items(images[0], found.maps(), found)]
    for k, seen in enumerate(images[1:], 1):
        image = fits.ImageHDU(seen.image.astype(np.float32), _header(seen), name=f"image_{k + 1}")
        items += [image, *_map_items(seen, found.maps(k), found, ending=f"_{k + 1}")]
    fits.HDUList(items).writeto(path, overwrite=True)


def _header(seen: Observation) -> fits.Header:
    """World coordinates and pixel scale of an image."""
    header = fits.Header() if seen.wcs is None else seen.wcs.to_header()
    header["PIXSCALE"] = (seen.pixel_scale, "[arcsec]")
    return header


def _map_items(
    seen: Observation,
    maps: Mapping[str, Float[np.ndarray, "_ _"]],
    found: Detection,
    *,
    ending: str = "",
) -> list[fits.ImageHDU]:
    """The maps of one band."""
    header = _header(seen)
    unit = 1.0 if found.distances.known else found.distances.einstein_radius**2
    items = []
    for name, image in maps.items():
        limit = name.startswith("limit")
        values = _embedded(image * unit if limit else image, seen.image)
        item = fits.ImageHDU(values.astype(np.float32), header, name=f"{name}{ending}")
        comment = _COMMENTS[name]
        if limit and not found.distances.known:
            comment = comment.replace("mass", "Einstein radius^2").replace("M_sun", "arcsec^2")
        item.header["COMMENT"] = comment
        items.append(item)
    return items


def _embedded(
    part: Float[np.ndarray, "i j"], whole: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """The central part as an image of the size of the whole, NaN around it."""
    image = np.full(whole.shape, np.nan)
    central_cutout(image, *part.shape)[:] = part
    return image
