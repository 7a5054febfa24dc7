"""The columns that tables of flexible lenses have in common."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from darklens.detection import LensFit, lens_estimates
from darklens.naming import visible
from darklens.observations import Observation

__all__ = ["image_cells", "lens_cells", "lens_table"]

_OF_LENS = ("lens", "bands")
_LAST = ("prepared", "error")


def lens_cells(fit: LensFit, *, light: bool = False) -> dict[str, float]:
    """Parameters of the lens, multipoles and satellites, each followed by its marginal error.

    Args:
        fit: The fit.
        light: Whether source, lens light and background of the first band are wanted, too.
    """
    cells: dict[str, float] = {}
    for name, estimate in lens_estimates(fit, light=light).items():
        cells |= {name: estimate.value, f"{name}_error": estimate.error}
    return cells


def image_cells(images: Sequence[Observation], fit: LensFit, name: str) -> dict[str, str | None]:
    """Where the noise is from, what was done to the images, and the bands of a named lens.

    Args:
        images: The images of the lens.
        fit: The fit.
        name: What the lens is called, or empty.
    """
    bands = "; ".join(visible(view.band.name) for view in fit.views)
    cells: dict[str, str | None] = {"noise": _noise(images), "prepared": _prepared(images)}
    return cells | ({"bands": bands} if name else {})


def lens_table(
    rows: Sequence[dict[str, Any]], *, first: Sequence[str], text: Sequence[str]
) -> pd.DataFrame:
    """Table of rows: what comes first, the lens, its bands, what was done to it, the error.

    Args:
        rows: Cells by name.
        first: Columns that are there in any case, in order.
        text: Columns of text among them.
    """
    names = dict.fromkeys((*first, *(name for row in rows for name in row)))
    named = [name for name in _OF_LENS if name in names]
    columns = [*(name for name in names if name not in (*_OF_LENS, *_LAST)), *named, *_LAST]
    table = pd.DataFrame(rows, columns=columns)
    for name in (*text, *_LAST):
        table[name] = table[name].astype("string")
    return table


def _noise(images: Sequence[Observation]) -> str:
    """Where the noise is from: `estimated` if that of any image is."""
    origins = {image.noise_origin for image in images}
    return "estimated" if "estimated" in origins else images[0].noise_origin


def _prepared(images: Sequence[Observation]) -> str | None:
    """What was done to the images, each named where there are several."""
    if len(images) == 1:
        return "; ".join(images[0].notes) or None
    notes = [(visible(image.band or image.name), note) for image in images for note in image.notes]
    return "; ".join(f"{name}: {note}" for name, note in notes) or None
