"""The maps of a search for subhalos as one FITS file, and what is said of it beside the lens."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from darklens.detection import Detection
from darklens.evaluate.lenses import LensMap, view_maps, write_maps
from darklens.observations import Observation

__all__ = ["lens_summary", "write_detection"]

_COMMENTS = {
    "significance": "significance of a subhalo at each place",
    "limit_mass_3": "smallest mass seen at 3 sigma [M_sun]",
    "limit_mass_5": "smallest mass seen at 5 sigma [M_sun]",
}


def write_detection(path: Path, images: Sequence[Observation], found: Detection) -> None:
    """Write the images of a lens and their maps, one extension each.

    Limits are infinite where no mass of the scan would be seen, and NaN where nothing was scanned.
    Significance and limits are those of all bands, on the pixels of the first.

    Args:
        path: The file.
        images: The image of each band as it was searched.
        found: The answer.
    """
    first = {
        name: _scan_map(found, name, image)
        for name, image in found.maps().items()
        if name in _COMMENTS
    }
    maps = [view_maps(found.smooth, k) | ({} if k else first) for k in range(len(images))]
    write_maps(path, images, maps, cards={"VERDICT": found.verdict})


def _scan_map(found: Detection, name: str, image: Float[np.ndarray, "h w"]) -> LensMap:
    """A map of the scan, in squared Einstein radii where the redshifts are not known."""
    comment = _COMMENTS[name]
    if name == "significance" or found.distances.known:
        return LensMap(image, comment)
    comment = comment.replace("mass", "Einstein radius^2").replace("M_sun", "arcsec^2")
    return LensMap(image * found.distances.einstein_radius**2, comment)


def lens_summary(found: Detection) -> dict[str, Any]:
    """The answer, and the subhalo if one is seen, for the COOLEST file."""
    meta: dict[str, Any] = {"verdict": found.verdict}
    if found.verdict == "subhalo" and found.subhalo is not None:
        subhalo = found.subhalo
        meta["subhalo"] = {
            "profile": subhalo.family,
            "x": subhalo.x,
            "y": subhalo.y,
            "log10_mass": subhalo.log_mass,
            "significance": found.significance,
        }
    return meta
