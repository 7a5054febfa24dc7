"""Smooth fits of image files: tables and figures."""

from darklens.evaluate.fit.figures import fit_figure
from darklens.evaluate.fit.file_fits import fit
from darklens.evaluate.fit.files import FileFit, FileFitter, fit_row, fit_table

__all__ = [
    "FileFit",
    "FileFitter",
    "fit",
    "fit_figure",
    "fit_row",
    "fit_table",
]
