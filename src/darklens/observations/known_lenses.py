"""Whether a place on the sky is a known lens, by the catalogue in the package lenscat, offline.

Only the table in lenscat is read, so `pip install --no-deps lenscat` is enough.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KnownLens", "catalogue_file", "known_lens"]

_COLUMNS = {"ra": "RA [deg]", "dec": "DEC [deg]"}
_RADIUS = 5.0  # arcsec within which a known lens is the same


@dataclass(frozen=True)
class KnownLens:
    """A lens of the catalogue.

    Attributes:
        name: Its names, as the catalogue gives them.
        separation: Distance from the place [arcsec].
        kind: What the lens is: galaxy, group or cluster.
        grade: How sure it is: confident or probable.
        redshift: Redshift of the lens as the catalogue gives it, or empty.
    """

    name: str
    separation: float
    kind: str
    grade: str
    redshift: str

    def __str__(self) -> str:
        """The lens in words."""
        return f"{self.name} ({self.grade} {self.kind} lens, {self.separation:.1f} arcsec off)"


def catalogue_file() -> Path | None:
    """The catalogue in the installed package lenscat, which is not imported, or None."""
    found = find_spec("lenscat")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "data" / "catalog.csv"
    return path if path.is_file() else None


def known_lens(
    ra: float, dec: float, *, radius: float = _RADIUS, catalogue: Path | None = None
) -> KnownLens | None:
    """The nearest known lens within a radius, or None; None, too, without a catalogue.

    Args:
        ra: Right ascension (ICRS) [deg].
        dec: Declination [deg].
        radius: Largest distance [arcsec].
        catalogue: File of the catalogue; that of lenscat if None.
    """
    path = catalogue or catalogue_file()
    if path is None:
        return None
    table = _read(path)
    x, y = (np.radians(table[name].to_numpy()) for name in ("ra", "dec"))
    x0, y0 = np.radians([ra, dec])
    # eq. of haversines, which is exact for small distances
    half = np.sin(0.5 * (y - y0)) ** 2 + np.cos(y) * np.cos(y0) * np.sin(0.5 * (x - x0)) ** 2
    distance = 3600 * np.degrees(2 * np.arcsin(np.sqrt(np.clip(half, 0, 1))))
    if not distance.size or distance.min() > radius:
        return None
    row = table.iloc[int(distance.argmin())]
    return KnownLens(
        name=_first(row["name"]),
        separation=float(distance.min()),
        kind=str(row["type"]),
        grade=str(row["grading"]),
        redshift="" if row["zlens"] in ("-", "nan") else str(row["zlens"]),
    )


def _first(names: Any) -> str:
    """The first of several names that is one, and not a dash or a number."""
    parts = [part.strip() for part in str(names).split("|")]
    return next((part for part in parts if re.search("[A-Za-z]", part)), parts[0])


@lru_cache(maxsize=4)
def _read(path: Path) -> "pd.DataFrame":
    """The catalogue, with coordinates as numbers."""
    import pandas as pd

    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    for name, heading in _COLUMNS.items():
        table[name] = pd.to_numeric(table[heading], errors="coerce")
    return table.dropna(subset=list(_COLUMNS))
