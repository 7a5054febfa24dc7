"""What is found in one file and what will be done with it, and the table of many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from darklens.errors import reason_of
from darklens.naming import visible
from darklens.observations import (
    KnownLens,
    Observation,
    Target,
    known_lens,
    prepare_observation,
    psf_in_words,
    read_observation,
)

__all__ = ["Inspected", "inspect_target", "inspection_row", "inspection_table"]

_ROLES = {
    "rms": "noise map",
    "variance": "noise map (variance)",
    "weight": "weight map",
    "psf": "PSF",
    "mask": "mask",
    "flags": "quality flags",
    "other": "neither image nor noise map",
}
_TEXT = ("role", "image", "band", "unit", "noise", "psf", "mask", "known_lens", "note", "error")


@dataclass(frozen=True)
class Inspected:
    """What is found in one file.

    Attributes:
        target: The file, and what is said about it.
        found: The observation as read, or None if that fails.
        prepared: The observation as a fit takes it, or None if it cannot be prepared.
        lens: The known lens at its place on the sky, or None.
        error: Why it cannot be used, or empty.
    """

    target: Target
    found: Observation | None = None
    prepared: Observation | None = None
    lens: KnownLens | None = None
    error: str = ""

    def __repr__(self) -> str:
        result = visible(self.error) or repr(self.prepared or self.target.role)
        return f"Inspected({visible(self.target.path)!r}: {result})"


def inspect_target(target: Target) -> Inspected:
    """Read and prepare one image; errors are reported in the result."""
    if target.error or target.role != "image":
        return Inspected(target, error=target.error)
    found: Observation | None = None
    lens: KnownLens | None = None
    try:
        found = read_observation(target.path, target.options)
        prepared = prepare_observation(found, target.options)
        place = prepared.position
        lens = None if place is None else known_lens(*place)
    except Exception as error:  # noqa: BLE001  one bad file must not stop the others
        return Inspected(target, found, error=reason_of(error))
    return Inspected(target, found, prepared, lens)


def inspection_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Table of the rows from `inspection_row`."""
    table = pd.DataFrame(rows)
    for name in ("path", *_TEXT):
        table[name] = table[name].astype("string")
    for name in ("rows", "columns", "prepared_rows", "prepared_columns", "masked"):
        table[name] = table[name].astype("Int64")
    return table


def inspection_row(row: Inspected, owners: Mapping[Path, Path]) -> dict[str, Any]:
    """One row: what was found, what will be done, and why the file cannot be used.

    Args:
        row: The file.
        owners: For each companion that was found by its name, the image it belongs to.
    """
    target, found, prepared = row.target, row.found, row.prepared
    made = prepared or found
    head: dict[str, Any] = {"path": visible(target.path), "role": _role(target, owners)}
    head |= dict.fromkeys(("image", "rows", "columns", "pixel_scale", "band", "unit"))
    head |= {"north": np.nan, "ra": np.nan, "dec": np.nan}
    head |= dict.fromkeys(("noise", "psf", "mask", "masked"))
    head |= {"sky": np.nan, "sky_rms": np.nan, "centre_x": np.nan, "centre_y": np.nan}
    head |= dict.fromkeys(("prepared_rows", "prepared_columns"))
    end = {"known_lens": str(row.lens) if row.lens else None, "note": None}
    end |= {"error": visible(row.error) or None}
    if found is not None and made is not None:
        head |= _facts(found, made)
        end["note"] = "; ".join(made.notes) or None
    if prepared is not None:
        head["prepared_rows"], head["prepared_columns"] = prepared.image.shape
        head["centre_x"], head["centre_y"] = prepared.centre
    return head | end


def _role(target: Target, owners: Mapping[Path, Path]) -> str:
    if target.role == "image":
        return "image"
    owner = owners.get(target.path)
    whose = "of no image here" if owner is None else f"of {visible(owner.name)}"
    return f"{_ROLES[target.role]} {whose}" if target.role != "other" else _ROLES["other"]


def _facts(found: Observation, made: Observation) -> dict[str, Any]:
    """What is known about an image."""
    rows, columns = found.image.shape
    orientation = found.orientation
    ra, dec = made.position or (np.nan, np.nan)
    psf = psf_in_words(made.psf) if made.psf is not None else None
    origin = made.sources.get("psf", "")
    return {
        "image": made.sources.get("image"),
        "rows": rows,
        "columns": columns,
        "pixel_scale": made.pixel_scale,
        "band": visible(made.band) or None,
        "unit": visible(made.unit) or None,
        "north": np.nan if orientation is None else orientation.north,
        "ra": ra,
        "dec": dec,
        "noise": made.sources.get("noise"),
        "psf": f"{psf}, {origin}" if psf and origin != "given" else psf,
        "mask": made.sources.get("mask"),
        "masked": int(made.mask.sum()),
        "sky": np.nan if made.sky is None else made.sky.level,
        "sky_rms": np.nan if made.sky is None else made.sky.rms,
    }
