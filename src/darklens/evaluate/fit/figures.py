"""Figure of a fit: data, model, residual, and the source plane with the caustics.

If the lens galaxy is visible, two further panels show the arcs with its light subtracted.
Row 0 is at the bottom, as in FITS viewers.
"""

from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm, Normalize
from matplotlib.figure import Figure

from darklens.evaluate.figures import STYLE
from darklens.evaluate.fit.curves import critical_curves
from darklens.lensing import PixelGrid, Scene
from darklens.modelling import PARAMETERS, SmoothFit, SmoothModel, fit_estimates, fitted_scene
from darklens.naming import in_figure

__all__ = ["draw_image", "draw_residual", "fit_figure", "frame", "stretch_of"]

Image = Float[np.ndarray, "h w"]
Curve = Float[np.ndarray, "_ 2"]

_DARK = -700.0
_LIMIT = 5.0
_LINE = "#7fd1ff"
_GREY = "#5c6773"
_SOURCE_SIDE = 200


def fit_figure(image: Image, fit: SmoothFit, model: SmoothModel, *, title: str = "") -> Figure:
    """Panels of one fit.

    Args:
        image: The fitted pixels.
        fit: The fit.
        model: The fitted model.
        title: Title, such as the file name.
    """
    rows = 2 if model.lens_light else 1
    with matplotlib.rc_context(STYLE):
        size = (10.8, 6.9) if model.lens_light else (14.2, 3.9)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(rows, 3 if model.lens_light else 4).ravel()
        scene = fitted_scene(fit.parameters)
        critical, caustics = critical_curves(scene, model.grid)
        stretch = stretch_of(fit.model, fit.noise)
        draw_image(panels[0], image, model.grid, stretch, "data")
        draw_image(panels[1], fit.model, model.grid, stretch, "smooth model")
        draw_residual(panels[2], fit.residual, fit.noise, model.grid)
        if model.lens_light:
            light = fit.model - _arcs(fit, model)
            arcs = stretch_of(fit.model - light, fit.noise)
            draw_image(panels[3], image - light, model.grid, arcs, "data without the lens light")
            draw_image(
                panels[4], fit.model - light, model.grid, arcs, "model without the lens light"
            )
        for panel in panels[[1, 4]] if model.lens_light else panels[1:2]:
            _curves(panel, critical, "critical curve")
        _source(panels[-1], scene, caustics)
    figure.suptitle(_headline(fit, title), fontsize=11, color="#2b3440")
    return figure


def _headline(fit: SmoothFit, title: str) -> str:
    theta, error = fit_estimates(fit).get("einstein_radius", (float(fit.parameters[0]), 0.0))
    spread = f" ± {error:.4f}" if error else ""
    words = [in_figure(title)] if title else []
    words.append(f"reduced $\\chi^2$ {fit.chi_square:.3f}")
    words.append(f"Einstein radius {theta:.4f}{spread} arcsec")
    return "   ".join(words + ([] if fit.converged else ["not converged"]))


def _arcs(fit: SmoothFit, model: SmoothModel) -> Image:
    """The model without lens light."""
    parameters = fit.parameters.copy()
    parameters[PARAMETERS.index("lens_light_log_amplitude")] = _DARK
    exposure = model.exposure(parameters)
    return np.asarray(model.likelihood.moments(model.image(parameters), exposure).mean)


def stretch_of(model: Image, noise: Image) -> Normalize:
    """A stretch linear at the level of the sky noise and logarithmic far above it.

    Args:
        model: The image.
        noise: Noise of each pixel, infinite for masked ones.
    """
    level = float(np.median(noise[np.isfinite(noise)]))
    low, high = float(np.percentile(model, 1)) - 2 * level, float(model.max())
    return AsinhNorm(linear_width=4 * level, vmin=low, vmax=max(high, low + 4 * level))


def _ticks(norm: AsinhNorm) -> list[float]:
    """Round values that are well separated on the colour bar."""
    low, high = float(norm.vmin or 0), float(norm.vmax or 0)
    top = int(np.floor(np.log10(max(high, 1e-300))))
    wanted = [m * 10.0**k for k in range(top, top - 6, -1) for m in (5, 2, 1)]
    ticks = list[float]()
    for value in [*wanted, 0.0]:
        apart = all(abs(float(norm(value)) - float(norm(tick))) > 0.09 for tick in ticks)
        if low <= value <= high and apart:
            ticks.append(value)
    return ticks


def _extent(grid: PixelGrid) -> tuple[float, float, float, float]:
    rows, columns = (0.5 * side * grid.pixel_scale for side in grid.shape)
    return (-columns, columns, -rows, rows)


def draw_image(axes: Axes, image: Image, grid: PixelGrid, norm: Normalize, title: str) -> None:
    """One image with its colour bar."""
    style: dict[str, Any] = {"origin": "lower", "interpolation": "nearest"}
    colours = "RdBu_r" if title.startswith("residual") else "inferno"
    picture = axes.imshow(image, extent=_extent(grid), norm=norm, cmap=colours, **style)
    bar = axes.figure.colorbar(picture, ax=axes, shrink=0.85, pad=0.02)
    if isinstance(norm, AsinhNorm):
        ticks = _ticks(norm)
        bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        bar.minorticks_off()
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    frame(axes, title)


def draw_residual(axes: Axes, residual: Image, noise: Image, grid: PixelGrid) -> None:
    """The residual in units of the noise; masked pixels are grey."""
    shown = np.where(np.isfinite(noise), residual, np.nan)
    axes.set_facecolor("#c4cad2")
    draw_image(axes, shown, grid, Normalize(-_LIMIT, _LIMIT), "residual [noise]")


def _source(axes: Axes, scene: Scene, caustics: list[Curve]) -> None:
    """The source plane, with the caustics if they are near."""
    source = scene.sources[0]
    reach = max((float(np.abs(c - [source.x, source.y]).max()) for c in caustics), default=0.0)
    half = 1.1 * min(max(3 * source.radius, reach), 5 * scene.lens.einstein_radius)
    axis = half * np.linspace(-1, 1, _SOURCE_SIDE)
    x, y = np.meshgrid(source.x + axis, source.y + axis)
    light = np.sqrt(source.brightness(x, y) / source.amplitude)
    extent = (x[0, 0], x[0, -1], y[0, 0], y[-1, 0])
    largest = float(np.percentile(light, 99.9))
    axes.imshow(light, origin="lower", extent=extent, cmap="inferno", vmin=0, vmax=largest)
    _curves(axes, caustics, "caustic")
    axes.set(xlim=extent[:2], ylim=extent[2:])
    frame(axes, "source plane (square root)")


def _curves(axes: Axes, curves: list[Curve], label: str) -> None:
    for k, curve in enumerate(curves):
        axes.plot(*curve.T, color=_LINE, linewidth=0.9, label=None if k else label)
    if curves:
        axes.legend(loc="upper right", frameon=False, fontsize=8, labelcolor=_LINE)


def frame(axes: Axes, title: str) -> None:
    """Title and axes in arcsec of one panel."""
    axes.set_title(title, fontsize=10)
    axes.tick_params(labelsize=8)
    axes.set_xlabel("x [arcsec]", fontsize=8, labelpad=1)
    axes.set_ylabel("y [arcsec]", fontsize=8, labelpad=1)
    axes.spines[:].set_visible(False)
