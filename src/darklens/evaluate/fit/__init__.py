"""Smooth fits of image files, parametric and flexible: tables, maps and figures."""

from darklens.evaluate.fit.figures import fit_figure
from darklens.evaluate.fit.file_fits import fit
from darklens.evaluate.fit.files import FileFit, FileFitter, fit_row, fit_table
from darklens.evaluate.fit.flexible import (
    FlexibleFit,
    fit_flexible,
    flexible_row,
    flexible_table,
    write_flexible,
)
from darklens.evaluate.fit.flexible_figure import flexible_figure

__all__ = [
    "FileFit",
    "FileFitter",
    "FlexibleFit",
    "fit",
    "fit_figure",
    "fit_flexible",
    "fit_row",
    "fit_table",
    "flexible_figure",
    "flexible_row",
    "flexible_table",
    "write_flexible",
]
