"""What objects show of themselves in a notebook: small pieces of HTML, and figures.

The pieces hold their own style, in the colours of the notebook, and their pictures; they load
nothing, and all text in them is escaped.
"""

import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Num
from matplotlib.figure import Figure

from darklens.display.pictures import lens_picture, thumbnail_uri
from darklens.naming import in_figure, visible

__all__ = [
    "facts_html",
    "lenses_figure",
    "panels_figure",
    "pictures_html",
    "table_html",
]

_SOFT = "opacity:.7"
_CELL = "text-align:left;padding:.15em .8em .15em 0"
_RIGHT = "text-align:right;padding:.15em .8em .15em 0"


class _ShownFigure(Figure):
    """A Matplotlib figure that a notebook shows, with and without `%matplotlib inline`."""

    def _repr_png_(self) -> bytes:
        memory = io.BytesIO()
        self.savefig(memory, format="png", dpi=100)
        return memory.getvalue()


def facts_html(title: str, facts: Mapping[str, object], *more: str) -> str:
    """A title, a table of names and values, and further pieces of HTML below it.

    >>> facts_html("<i>", {})
    '<div><b>&lt;i&gt;</b></div>'
    """
    rows = "".join(
        f'<tr><th style="{_CELL};{_SOFT}">{_text(name)}</th>'
        f'<td style="{_CELL}">{_text(value)}</td></tr>'
        for name, value in facts.items()
    )
    table = f"<table>{rows}</table>" if rows else ""
    return f"<div><b>{_text(title)}</b>{table}{''.join(more)}</div>"


def table_html(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; all columns but the first are aligned to the right."""

    def line(cells: Sequence[object], tag: str) -> str:
        styles = [_CELL] + [_RIGHT] * (len(cells) - 1)
        words = zip(cells, styles, strict=True)
        inner = "".join(f'<{tag} style="{style}">{_text(cell)}</{tag}>' for cell, style in words)
        return f"<tr>{inner}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{body}</tbody></table>"


def pictures_html(pictures: Sequence[tuple[Num[np.ndarray, "h w 3"], str]]) -> str:
    """Pictures (bytes) in a row, each with its words below."""
    figures = "".join(
        f'<figure style="margin:0 .6em .6em 0"><img src="{thumbnail_uri(picture)}" '
        f'alt="{_text(words)}" style="width:110px;image-rendering:pixelated">'
        f'<figcaption style="font-size:.85em">{_text(words)}</figcaption></figure>'
        for picture, words in pictures
    )
    return f'<div style="display:flex;flex-wrap:wrap;margin-top:.5em">{figures}</div>'


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


def _text(value: object) -> str:
    """Printable text that is not HTML."""
    return escape(visible(value))
