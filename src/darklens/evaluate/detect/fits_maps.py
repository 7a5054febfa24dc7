"""The maps of a search for subhalos as one FITS file, with the WCS of the image."""

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


def write_maps(path: Path, seen: Observation, found: Detection) -> None:
    """Write the image and its maps, one extension each.

    Of a large image only the part around the lens is searched: the maps are NaN elsewhere. Limits
    are infinite where no mass of the scan would be seen, and NaN where nothing was scanned.
    """
    header = fits.Header() if seen.wcs is None else seen.wcs.to_header()
    header["PIXSCALE"] = (seen.pixel_scale, "[arcsec]")
    primary = fits.PrimaryHDU(seen.image.astype(np.float32), header)
    primary.header["VERDICT"] = found.verdict
    items = [primary]
    unit = 1.0 if found.distances.known else found.distances.einstein_radius**2
    for name, image in found.maps().items():
        limit = name.startswith("limit")
        values = _embedded(image * unit if limit else image, seen.image)
        item = fits.ImageHDU(values.astype(np.float32), header, name=name)
        comment = _COMMENTS[name]
        if limit and not found.distances.known:
            comment = comment.replace("mass", "Einstein radius^2").replace("M_sun", "arcsec^2")
        item.header["COMMENT"] = comment
        items.append(item)
    fits.HDUList(items).writeto(path, overwrite=True)


def _embedded(
    part: Float[np.ndarray, "i j"], whole: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """The central part as an image of the size of the whole, NaN around it."""
    image = np.full(whole.shape, np.nan)
    central_cutout(image, *part.shape)[:] = part
    return image
