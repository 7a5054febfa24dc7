"""Figures of an evaluation: ROC curves, confusion matrix, reliability. Written as PNG and SVG."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float, Int, Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from darklens.classify import UNKNOWN, Answer
from darklens.data import Panel
from darklens.display import lens_picture
from darklens.evaluate.classifier.scores import ClassifierScores
from darklens.evaluate.figures import COLOURS, STYLE
from darklens.metrics import Interval, bootstrap_interval, reliability_curve, roc_curve
from darklens.naming import in_figure

__all__ = [
    "confusion_figure",
    "prediction_figure",
    "reliability_figure",
    "roc_figure",
]

_ALARM, _SOFT, _PALE = "#d1495b", "#5c6773", "#c4cad2"
_BOOTSTRAP = 500  # resamples for the bars of the reliability figure


def roc_figure(
    labels: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n k"], scores: ClassifierScores
) -> Figure:
    """ROC curve of each class against the rest, with its AUC and interval in the legend."""
    figure, axes = _square_figure()
    axes.plot([0, 1], [0, 1], color=_PALE, linewidth=1, linestyle="--")
    for index, name in enumerate(scores.classes):
        misses, hits = roc_curve(labels, probabilities, index)
        text = f"{in_figure(name)}   AUC {_with_interval(scores.scalars[f'auc_{name}'])}"
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(misses, hits, color=colour, linewidth=1.8, label=text)
    axes.set(xlabel="false-positive rate", ylabel="true-positive rate", aspect="equal")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    return figure


def confusion_figure(scores: ClassifierScores) -> Figure:
    """Confusion matrix: share of each true class with its interval, and the number of images."""
    value, low, high = (
        _shares(end, scores.counts)
        for end in (scores.confusion.value, scores.confusion.low, scores.confusion.high)
    )
    figure, axes = _square_figure()
    axes.imshow(np.nan_to_num(value), cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(*value.shape):
        cell = (row, column)
        interval = f"{low[cell]:.0f} to {high[cell]:.0f} %"
        text = f"{value[cell]:.1f} %\n{interval}\n{int(scores.confusion.value[cell])}"
        text = "-" if np.isnan(value[cell]) else text
        colour = "white" if value[cell] > 50 else "#2b3440"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    ticks = range(len(scores.classes))
    names = [in_figure(name) for name in scores.classes]
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def reliability_figure(
    labels: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n k"], scores: ClassifierScores
) -> Figure:
    """Accuracy against confidence with 95 % bars, over the number of images in each bin."""
    confidence, _, count = reliability_curve(labels, probabilities)
    right = bootstrap_interval(
        lambda weights: reliability_curve(labels, probabilities, weights)[1],
        labels,
        resamples=_BOOTSTRAP,
        seed=scores.seed,
    )
    figure, axes = _square_figure()
    axes.plot([0, 1], [0, 1], color=_PALE, linewidth=1, linestyle="--")
    bars = np.maximum([right.value - right.low, right.high - right.value], 0)
    style: dict[str, Any] = {"color": COLOURS[0], "markersize": 5, "linewidth": 1.2, "capsize": 2}
    axes.errorbar(confidence, right.value, yerr=bars, fmt="o", **style)
    edges = np.linspace(0, 1, len(count) + 1)
    share = count / count.sum()
    axes.bar(
        edges[:-1], 0.25 * share, width=np.diff(edges), align="edge", color="#dfe5ee", zorder=0
    )
    axes.set(xlabel="confidence", ylabel="accuracy", aspect="equal")
    axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02))
    error = _with_interval(scores.scalars["expected_calibration_error"])
    axes.set_title(f"calibration error {error}", fontsize=9)
    return figure


def prediction_figure(
    image: Num[np.ndarray, "c h w"], answer: Answer, classes: Sequence[str], *, title: str = ""
) -> Figure:
    """The image of one lens, or the panels that explain it, next to bars of its probabilities.

    The answer is above them. If it is `unknown`, the bars are grey and without numbers.
    """
    count = max(1, len(answer.panels))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.1 * (count + 1), 2.3), layout="constrained")
        *shown, right = figure.subplots(1, count + 1, width_ratios=(*[1.0] * count, 1.1))
    if answer.panels:
        for axes, panel in zip(shown, answer.panels, strict=True):
            _draw_panel(axes, panel)
    else:
        shown[0].imshow(lens_picture(image))
        shown[0].set_axis_off()
    _draw_bars(right, answer, classes)
    words = f"{title}: {answer.summary}" if title else answer.summary
    colour = _ALARM if answer.label == UNKNOWN else _SOFT
    figure.suptitle(in_figure(words), fontsize=10, color=colour)
    return figure


def _draw_bars(axes: Axes, answer: Answer, classes: Sequence[str]) -> None:
    """Class probabilities as bars."""
    unknown = answer.label == UNKNOWN
    values = np.nan_to_num(answer.probabilities)
    colours = [_PALE if unknown else COLOURS[k % len(COLOURS)] for k in range(len(classes))]
    axes.barh(range(len(classes)), values, color=colours)
    for row, value in enumerate([] if unknown else values):
        axes.text(min(value, 0.72) + 0.02, row, f"{value:.3f}", va="center", fontsize=9)
    axes.set_yticks(range(len(classes)), [in_figure(name) for name in classes])
    axes.set(xlim=(0, 1))
    axes.invert_yaxis()


def _draw_panel(axes: Axes, panel: Panel) -> None:
    """One picture that explains a prediction; row 0 is at the bottom."""
    axes.set_title(panel.title, fontsize=9)
    axes.set_axis_off()
    if panel.limit is None:
        axes.imshow(lens_picture(panel.values[None]))
        return
    shown = axes.imshow(
        panel.values, origin="lower", cmap="RdBu_r", vmin=-panel.limit, vmax=panel.limit
    )
    bar = axes.figure.colorbar(shown, ax=axes, shrink=0.75, pad=0.02)
    bar.ax.tick_params(labelsize=7)


def _square_figure() -> tuple[Figure, Axes]:
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 4.4), layout="constrained")
        return figure, figure.subplots()


def _shares(confusion: Float[np.ndarray, "k k"], counts: Sequence[int]) -> Float[np.ndarray, "k k"]:
    """Per cent of each row; NaN for a class without images."""
    with np.errstate(invalid="ignore"):
        return np.asarray(100 * confusion / np.array(counts)[:, None])


def _with_interval(interval: Interval) -> str:
    """A number with its interval, or a dash when it has no value."""
    if np.isnan(interval.value):
        return "-"
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"
