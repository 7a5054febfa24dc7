"""The figure of the shifts: accuracy and false alarms of each, in the order of the table."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from darklens.evaluate.classifier.stress.tables import NOT_LENS_GROUPS, StressTable
from darklens.evaluate.figures import COLOURS, STYLE

__all__ = ["stress_figure"]

_PANELS = (("accuracy", "right [%]"), ("false_alarms", "false alarms [%]"))
_ROW = 0.19  # height of a shift [inch]


def stress_figure(table: StressTable) -> Figure:
    """Accuracy and false alarms under each shift that applies, with 95 % intervals.

    The dashed lines are those of the preset's own images.
    """
    rows = table.rows[table.rows["reason"].isna() & ~table.rows["group"].isin(NOT_LENS_GROUPS)]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 1.0 + _ROW * len(rows)), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True, squeeze=False)[0]
    for axes, (name, words), colour in zip(panels, _PANELS, COLOURS, strict=False):
        _draw(axes, rows, name, colour)
        axes.set_xlabel(words)
    panels[0].set_yticks(range(len(rows)), rows["shift"].tolist(), fontsize=8)
    panels[0].set_ylim(len(rows) - 0.3, -0.7)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, name: str, colour: str) -> None:
    """Points with intervals, and the first of them as a dashed line."""
    value, low, high = (
        100 * rows[key].to_numpy(dtype=float) for key in (name, f"{name}_low", f"{name}_high")
    )
    axes.axvline(value[0], color="#c4cad2", linewidth=1, linestyle="--")
    ends = np.maximum([value - low, high - value], 0)
    axes.errorbar(
        value, range(len(rows)), xerr=ends, fmt="o", color=colour, markersize=4, linewidth=1.2
    )
    axes.set_xlim(-3, 103)
    axes.grid(axis="x", color="#eef1f5")
