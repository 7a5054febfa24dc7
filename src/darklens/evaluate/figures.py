"""Settings shared by all figures: colours, style, output as PNG and SVG."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

__all__ = ["COLOURS", "STYLE", "save_figure", "style_without_warnings", "write_figure"]

COLOURS = ("#3b6fb6", "#d1495b", "#2a9d76", "#8d5fb0", "#c98a1b", "#5c6773")
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a93a0",
    "axes.labelcolor": "#2b3440",
    "xtick.color": "#4c5663",
    "ytick.color": "#4c5663",
    "svg.hashsalt": "darklens",  # identical figures give identical files
    "text.usetex": False,  # file and class names are not TeX
}


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure of one image as PNG."""
    with style_without_warnings():
        figure.savefig(path, dpi=110, format="png")


def write_figure(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as `NAME.png` and `NAME.svg`."""
    with style_without_warnings():
        figure.savefig(folder / f"{name}.png", dpi=160)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


@contextmanager
def style_without_warnings() -> Iterator[None]:
    """Apply the style, without warnings about characters that are missing from the font."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
