"""Figures of two sets of images side by side: the images, their physics, their distances."""

from collections.abc import Mapping

import matplotlib
import numpy as np
from jaxtyping import Float, Real, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from darklens.display import grid_picture
from darklens.evaluate.figures import COLOURS, STYLE
from darklens.evaluate.generator.comparison import FrechetScores, MemorisationScores
from darklens.evaluate.generator.measurement import Measured
from darklens.evaluate.generator.summary_statistics import SummaryStatistics
from darklens.naming import in_figure

__all__ = ["closest_picture", "frechet_figure", "images_picture", "physics_figure"]

_REAL, _GENERATED = COLOURS[5], COLOURS[1]
_COLUMNS = 4
_SHOWN = 12  # images of each set
_GAP = 24  # pixels between the two grids

_HISTOGRAMS = (
    ("total_flux", 0, "total flux"),
    ("ring_radius", 0, "ring radius [pixel]"),
    ("ellipticity", 0, "ellipticity along the axes"),
    ("ellipticity", 1, "ellipticity along the diagonals"),
)


def images_picture(real: Measured, generated: Measured) -> UInt8[np.ndarray, "H W 3"]:
    """Real images on the left, generated images on the right."""
    grids = [
        grid_picture(part.examples[:_SHOWN, np.newaxis], columns=_COLUMNS)
        for part in (real, generated)
    ]
    height = min(len(grid) for grid in grids)
    gap = np.full((height, _GAP, 3), 255, np.uint8)
    return np.concatenate([grids[0][:height], gap, grids[1][:height]], axis=1)


def closest_picture(
    scores: MemorisationScores, generated: Measured, training: Measured
) -> UInt8[np.ndarray, "H W 3"]:
    """Generated images (above) and their nearest training images (below)."""
    rows = [
        part.thumbnails[list(chosen)]
        for part, chosen in ((generated, scores.closest), (training, scores.closest_training))
    ]
    return grid_picture(np.concatenate(rows)[:, np.newaxis], columns=len(scores.closest))


def physics_figure(real: Measured, generated: Measured, statistics: SummaryStatistics) -> Figure:
    """Spectrum, brightness, flux, radius and shape of both sets."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 6.2), layout="constrained")
        axes = figure.subplots(2, 3)
        _bands(axes[0, 0], statistics.frequencies, real, generated, "power_spectrum")
        axes[0, 0].set(xscale="log", xlabel="frequency [1/pixel]", ylabel="log power")
        bins = np.arange(1, len(statistics.edges))
        _bands(axes[0, 1], bins, real, generated, "pixel_histogram")
        axes[0, 1].set(xlabel="brightness bin", ylabel="fraction of pixels")
        for place, (name, column, label) in zip(axes.flat[2:], _HISTOGRAMS, strict=True):
            rows = [part.physics[name][:, column] for part in (real, generated)]
            _histograms(place, *rows)
            place.set(xlabel=label, ylabel="fraction of images")
        axes[0, 0].legend(frameon=False, fontsize=9)
    return figure


def frechet_figure(kinds: Mapping[str, FrechetScores]) -> Figure:
    """Fréchet distance against the inverse number of images, and its split-half baseline."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.4 * len(kinds), 3.8), layout="constrained")
        panels = np.atleast_1d(figure.subplots(1, len(kinds)))
        for axes, (name, scores) in zip(panels, kinds.items(), strict=True):
            inverse = 1000 / np.array(scores.sizes)
            line = np.array([0, inverse[-1]])
            slope = (np.mean(scores.distances) - scores.limit) / inverse.mean()
            axes.plot(line, scores.limit + slope * line, color=_GENERATED, linewidth=1)
            axes.plot(inverse, scores.distances, "o", color=_GENERATED, label="generated")
            axes.plot(
                1000 / np.array(scores.baseline_sizes),
                scores.baseline_distances,
                "s",
                color=_REAL,
                label="real, split half",
            )
            axes.errorbar(0, scores.limit, scores.limit_error, color=_GENERATED, capsize=3)
            axes.set(xlabel="1000 / images", ylabel="Fréchet distance", title=in_figure(name))
            axes.set_ylim(bottom=min(0, scores.limit))
            axes.legend(frameon=False, fontsize=9)
    return figure


def _bands(
    axes: Axes,
    x: Real[np.ndarray, " k"],
    real: Measured,
    generated: Measured,
    name: str,
) -> None:
    """Median and the middle two thirds of the images, at each x."""
    for part, colour, label in (
        (real, _REAL, "real"),
        (generated, _GENERATED, "generated"),
    ):
        low, middle, high = np.percentile(part.physics[name], (16, 50, 84), axis=0)
        axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(x, middle, color=colour, label=label)


def _histograms(
    axes: Axes, real: Float[np.ndarray, " n"], generated: Float[np.ndarray, " m"]
) -> None:
    values = [x[np.isfinite(x)] for x in (real, generated)]
    edges = np.histogram_bin_edges(np.concatenate(values), 30)
    for x, colour in zip(values, (_REAL, _GENERATED), strict=True):
        share = np.histogram(x, edges)[0] / max(1, len(x))
        axes.stairs(share, edges, color=colour, fill=colour == _REAL, alpha=0.8)
