"""Picture of the fit of a flexible lens: one row of panels for each band."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from darklens.detection import LensFit, lens_estimates
from darklens.detection.band_fit import BandFit
from darklens.detection.satellites import SATELLITE_SIZE
from darklens.detection.source_plane import source_brightness
from darklens.evaluate.figures import STYLE
from darklens.evaluate.fit.figures import draw_image, draw_residual, frame, stretch_of
from darklens.modelling import Parameter
from darklens.naming import in_figure

__all__ = ["flexible_figure"]

_SOURCE_SIDE, _SOURCE_RADII = 160, 4.0
_MARK = "#7fd1ff"
_WIDTH, _HEIGHT, _HEAD = 3.5, 3.4, 0.6  # of a panel, and of the title [inch]


def flexible_figure(
    fit: LensFit, chi_square: float, reason: str = "", *, title: str = ""
) -> Figure:
    """Data, model, residual, arcs and source of each band.

    Satellites are marked; the arcs are the image without the lens light, if the lens shines.

    Args:
        fit: The fit.
        chi_square: Reduced chi-square of the arcs.
        reason: Why the fit is not trusted, or empty.
        title: Title, such as the file name.
    """
    columns = 5 if fit.lens.model.lens_light else 4
    size = _WIDTH * columns, _HEIGHT * len(fit.views) + _HEAD
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(fit.views), columns, squeeze=False)
        for view, row in zip(fit.views, panels, strict=True):
            _draw_band(view, list(row), name=view.band.name if len(fit.views) > 1 else "")
    figure.suptitle(_headline(fit, chi_square, reason, title), fontsize=11, color="#2b3440")
    return figure


def _draw_band(view: BandFit, panels: list[Axes], *, name: str) -> None:
    """The panels of one band."""
    grid, weight = view.lens.model.grid, view.weight
    noise = np.where(weight > 0, 1 / np.where(weight > 0, weight, 1), np.inf)
    stretch = stretch_of(view.image, noise)
    named = f"data, {in_figure(Path(name).name)}" if name else "data"
    data = np.where(weight > 0, view.band.target.data, np.nan)
    draw_image(panels[0], data, grid, stretch, named)
    draw_image(panels[1], view.image, grid, stretch, "flexible model")
    draw_residual(panels[2], view.residual, noise, grid)
    if len(panels) > 4:
        arcs = stretch_of(view.source_image, noise)
        seen = view.no_lens_light - view.state.parameters[Parameter.BACKGROUND]
        draw_image(panels[3], seen, grid, arcs, "data without the lens light")
    for x, y, _ in view.state.satellites.reshape(-1, SATELLITE_SIZE):
        panels[1].plot(x, y, "+", color=_MARK, markersize=10)
    _draw_source(view, panels[-1])


def _draw_source(view: BandFit, axes: Axes) -> None:
    """The source plane, structure beyond the profile included."""
    p = view.state.parameters
    half = _SOURCE_RADII * float(np.exp(p[Parameter.SOURCE_LOG_RADIUS]))
    side = half * np.linspace(-1, 1, _SOURCE_SIDE)
    x, y = np.meshgrid(p[Parameter.SOURCE_X] + side, p[Parameter.SOURCE_Y] + side)
    light = _brightness(view, x, y)
    extent = (x[0, 0], x[0, -1], y[0, 0], y[-1, 0])
    top = float(np.percentile(light, 99.9))
    style: dict[str, Any] = {"origin": "lower", "cmap": "inferno", "extent": extent}
    axes.imshow(light, vmin=0, vmax=max(top, 1e-12), **style)
    frame(axes, "source plane (square root)")


def _brightness(
    view: BandFit, x: Float[np.ndarray, "n n"], y: Float[np.ndarray, "n n"]
) -> Float[np.ndarray, "n n"]:
    """Root of the brightness of the source."""
    light = source_brightness(view, x.ravel(), y.ravel())
    return np.asarray(np.sqrt(np.maximum(light, 0)).reshape(x.shape))


def _headline(fit: LensFit, chi_square: float, reason: str, title: str) -> str:
    theta = lens_estimates(fit, light=False)["einstein_radius"]
    words = [in_figure(title)] if title else []
    words.append(f"reduced $\\chi^2$ of the arcs {chi_square:.3f}")
    words.append(f"Einstein radius {theta.value:.4f} ± {theta.error:.4f} arcsec")
    head = "   ".join(words)
    return f"{head}\nnot trusted: {in_figure(reason)}" if reason else head
