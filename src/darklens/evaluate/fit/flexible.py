"""The flexible lens in image files: the bands of a lens together, one row for each lens."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from astropy.io import fits

from darklens.detection import Distances, LensFit, LensFitter, lens_covariance, lens_estimates
from darklens.detection.trust import arcs_chi_square, arcs_chi_squares, distrust
from darklens.evaluate.figures import save_figure
from darklens.evaluate.fit.flexible_figure import flexible_figure
from darklens.evaluate.image_files import attempt
from darklens.evaluate.lenses import (
    LensImages,
    image_cells,
    lens_cells,
    lens_table,
    title_of,
    view_maps,
    write_coolest,
    write_maps,
)
from darklens.files.atomic import atomic_file
from darklens.naming import visible
from darklens.observations import Observation

__all__ = ["FlexibleFit", "fit_flexible", "flexible_row", "flexible_table", "write_flexible"]

_FIRST = (
    "path",
    "chi_square",
    "converged",
    "reason",
    "log_evidence",
    "magnification",
    "noise",
)
_TEXT = ("path", "reason", "noise")


@dataclass(frozen=True)
class FlexibleFit:
    """The result for one lens: a fit, or the reason why there is none.

    Attributes:
        path: The first image.
        images: The images as they were fitted.
        fit: The fit, or None if there was an error.
        chi_square: Reduced chi-square of the arcs, in all bands.
        reason: Why the fit is not trusted, in words; empty if it is.
        error: Why there is no fit, or empty.
        lens: What the lens is called, or empty.
    """

    path: Path
    images: tuple[Observation, ...] = ()
    fit: LensFit | None = None
    chi_square: float = np.nan
    reason: str = ""
    error: str = ""
    lens: str = ""

    def __repr__(self) -> str:
        told = visible(self.error) or visible(self.reason) or "trusted"
        return f"FlexibleFit({visible(self.path)!r}: {told})"


def fit_flexible(lens: LensImages, *, fitter: LensFitter, lens_light: bool = True) -> FlexibleFit:
    """Read, prepare and fit all images of one lens together; errors are in the result.

    Args:
        lens: The images.
        fitter: The fitter.
        lens_light: Whether the lens galaxy is visible.
    """

    def work(lens: LensImages) -> FlexibleFit:
        images = tuple(lens.read())
        fit = fitter.fit(images, lens_light=lens_light)
        basis = fit.basis()
        chi_square = arcs_chi_square(fit, basis)
        reason = distrust(fit, *arcs_chi_squares(fit, basis))
        return FlexibleFit(lens.path, images, fit, chi_square, reason, lens=lens.name)

    def failed(path: Path, reason: str) -> FlexibleFit:
        return FlexibleFit(path, error=reason, lens=lens.name)

    return attempt(work, lens, failed)


def flexible_row(row: FlexibleFit) -> dict[str, Any]:
    """One row: quality of the fit, and everything that is free with its marginal error.

    `converged` is true only if the fit can be trusted; `reason` tells why it cannot.
    """
    head: dict[str, Any] = {"path": visible(row.path)}
    if row.lens:
        head["lens"] = visible(row.lens)
    if row.fit is None:
        return head | {"converged": None, "error": visible(row.error)}
    head |= {"chi_square": row.chi_square, "converged": not row.reason}
    head |= {"reason": row.reason or None, "log_evidence": row.fit.log_evidence}
    head |= {"magnification": row.fit.magnification}
    images = image_cells(row.images, row.fit, row.lens)
    return head | images | lens_cells(row.fit, light=True) | {"error": None}


def flexible_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Table of the rows from `flexible_row`: quality of the fit, the lens, the error."""
    table = lens_table(rows, first=_FIRST, text=_TEXT)
    table["converged"] = table["converged"].astype("boolean")
    return table


def write_flexible(
    row: FlexibleFit, picture: str, *, maps: Path | None, figures: Path | None
) -> None:
    """Write the maps, the lens as COOLEST JSON and the picture of one fit, if there is one.

    The redshifts in the COOLEST file are assumed. The FITS file has the covariance of the mass, of
    multipoles and of satellites, all else marginalised, whose header names the parameters.

    Args:
        row: The fit.
        picture: Name of its picture.
        maps: Folder for maps and COOLEST JSON, if any.
        figures: Folder for the picture, if any.
    """
    fit = row.fit
    if fit is None:
        return
    stem = Path(picture).stem
    if maps is not None:
        cards = {"CONVERGE": not row.reason, "LOGEVID": fit.log_evidence}
        views = [view_maps(fit, k) for k in range(len(row.images))]
        with atomic_file(maps / f"{stem}.fits") as temporary:
            write_maps(temporary, row.images, views, cards=cards, more=[_covariance(fit)])
        meta = {"converged": not row.reason, "reason": row.reason, "log_evidence": fit.log_evidence}
        with atomic_file(maps / f"{stem}.coolest.json") as temporary:
            write_coolest(temporary, row.images[0], fit, Distances(), meta)
    if figures is not None:
        figure = flexible_figure(fit, row.chi_square, row.reason, title=title_of(row.path))
        with atomic_file(figures / picture) as temporary:
            save_figure(figure, temporary)


def _covariance(fit: LensFit) -> fits.ImageHDU:
    """The covariance, with name and value of each parameter in the header."""
    names, matrix = lens_covariance(fit)
    estimates = lens_estimates(fit, light=False)
    item = fits.ImageHDU(matrix, name="covariance")
    for k, name in enumerate(names, 1):
        item.header[f"PAR{k}"], item.header[f"VAL{k}"] = name, estimates[name].value
    item.header["COMMENT"] = "covariance of the parameters PAR1, PAR2, ...; all else marginalised"
    return item
