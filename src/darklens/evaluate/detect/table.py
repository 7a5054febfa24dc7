"""The rows and columns of the table of a search for subhalos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from darklens.detection import Detection
from darklens.evaluate.lenses import image_cells, lens_cells, lens_table
from darklens.naming import visible
from darklens.observations import Observation

__all__ = ["FileDetection", "detection_row", "detection_table"]

_FIRST = (
    "path",
    "verdict",
    "reason",
    "significance",
    "p_value",
    "mass",
    "mass_error",
    "mass_unit",
    "profile",
    "x",
    "x_error",
    "y",
    "y_error",
    "ra",
    "dec",
    "delta_bic",
    "limit_mass",
    "limit_mass_3",
    "expected_subhalos",
    "chi_square",
    "magnification",
    "noise",
)
_TEXT = ("path", "verdict", "reason", "mass_unit", "profile", "noise")


@dataclass(frozen=True)
class FileDetection:
    """The result for one file, or the reason why there is none.

    Attributes:
        path: The file.
        seen: The image as it was searched.
        detection: The answer.
        error: The reason, or empty.
        lens: What the lens is called, or empty.
        others: Its images in further bands, as they were searched.
    """

    path: Path
    seen: Observation | None = None
    detection: Detection | None = None
    error: str = ""
    lens: str = ""
    others: tuple[Observation, ...] = ()


def detection_row(row: FileDetection) -> dict[str, Any]:
    """One row: the answer, the subhalo, the limits, and the smooth lens with its errors.

    Masses are in solar masses, or squared Einstein radii [arcsec^2] without redshifts. The error
    of the mass is that of its logarithm times the mass.
    """
    head: dict[str, Any] = {"path": visible(row.path)}
    if row.lens:
        head["lens"] = visible(row.lens)
    found, seen = row.detection, row.seen
    if found is None or seen is None:
        return head | {"error": visible(row.error)}
    known = found.distances.known
    unit = 1.0 if known else found.distances.einstein_radius**2
    head |= {"verdict": found.verdict, "reason": found.reason}
    head |= {"significance": found.significance, "p_value": found.p_value}
    head |= {"mass_unit": "M_sun" if known else "arcsec^2"}
    if found.subhalo is not None:
        subhalo = found.subhalo
        mass = unit * 10**subhalo.log_mass
        ra, dec = seen.sky_position(subhalo.x, subhalo.y) or (np.nan, np.nan)
        head |= {"mass": mass, "mass_error": mass * np.log(10) * subhalo.mass_error}
        head |= {"profile": subhalo.family, "x": subhalo.x, "y": subhalo.y, "ra": ra, "dec": dec}
        head |= {"x_error": subhalo.errors[0], "y_error": subhalo.errors[1]}
    head |= {
        "delta_bic": found.delta_bic,
        "limit_mass": unit * found.limit_mass(5.0),
        "limit_mass_3": unit * found.limit_mass(3.0),
        "expected_subhalos": found.expected(5.0) if known else np.nan,
        "chi_square": found.chi_square,
        "magnification": found.lens.magnification,
    }
    images = image_cells((seen, *row.others), found.smooth, row.lens)
    return head | images | lens_cells(found.lens) | {"error": None}


def detection_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Table of the rows: the answer, the smooth lens, what was done to the image, the error."""
    return lens_table(rows, first=_FIRST, text=_TEXT)
