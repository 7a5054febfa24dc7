"""Figures that objects show of themselves in a notebook."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Num
from matplotlib.figure import Figure

from darklens.display.pictures import lens_picture
from darklens.naming import in_figure

__all__ = ["lenses_figure", "panels_figure"]


class _ShownFigure(Figure):
    """A Matplotlib figure that a notebook shows, with and without `%matplotlib inline`."""

    def _repr_png_(self) -> bytes:
        memory = io.BytesIO()
        self.savefig(memory, format="png", dpi=100)
        return memory.getvalue()


def lenses_figure(
    images: Num[np.ndarray, "n c h w"], titles: Sequence[str], *, columns: int
) -> Figure:
    """Lenses in false colour, stretched to show faint arcs; row 0 is at the bottom.

    Args:
        images: The lenses, at least one.
        titles: A title for each.
        columns: Lenses in a row.
    """
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    with matplotlib.rc_context({"text.usetex": False}):
        figure = _ShownFigure(figsize=(1.9 * columns, 2.1 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis in axes:
            axis.set_axis_off()
        for axis, image, title in zip(axes, images, titles, strict=False):
            axis.imshow(lens_picture(image))
            axis.set_title(in_figure(title), fontsize=9)
    return figure


def panels_figure(
    panels: Sequence[tuple[str, Num[np.ndarray, "h w"], float | None]], *, title: str = ""
) -> Figure:
    """Images side by side, each with a colour bar; row 0 is at the bottom.

    Args:
        panels: Title, values, and the limit of a diverging colour map, or None for brightness.
        title: Title of the figure.
    """
    with matplotlib.rc_context({"text.usetex": False}):
        figure = _ShownFigure(figsize=(3.4 * len(panels), 3.0), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False).ravel()
        for axis, (words, values, limit) in zip(axes, panels, strict=True):
            style: dict[str, Any] = {"cmap": "inferno"}
            if limit is not None:
                style = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
            shown = axis.imshow(values, origin="lower", interpolation="nearest", **style)
            axis.set(xticks=[], yticks=[])
            axis.set_title(in_figure(words), fontsize=10)
            bar = figure.colorbar(shown, ax=axis, shrink=0.85, pad=0.02)
            bar.ax.tick_params(labelsize=8)
        figure.suptitle(in_figure(title), fontsize=11)
    return figure
