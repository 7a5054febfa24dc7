"""Picture of a search for subhalos: image, residual, significance and sensitivity."""

from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from darklens.detection import Detection
from darklens.evaluate.figures import STYLE
from darklens.naming import in_figure

__all__ = ["detection_figure"]

Image = Float[np.ndarray, "h w"]

_LIMIT, _NOTHING = 5.0, "#c4cad2"
_MARK = "#2a9d76"


def detection_figure(found: Detection, *, title: str = "") -> Figure:
    """Panels of one search.

    Args:
        found: The answer.
        title: Title, such as the file name.
    """
    maps = found.maps()
    grid = found.smooth.lens.model.grid
    rows, columns = (0.5 * side * grid.pixel_scale for side in grid.shape)
    extent = (-columns, columns, -rows, rows)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 7.4), layout="constrained")
        panels = figure.subplots(2, 2).ravel()
        source = maps["source"]
        top = float(np.percentile(source, 99.8))
        arcs = Normalize(-0.1 * top, top)
        _draw(panels[0], maps["no_lens_light"], extent, arcs, "inferno", "lens light subtracted")
        limits = Normalize(-_LIMIT, _LIMIT)
        _draw(panels[1], maps["residual"], extent, limits, "RdBu_r", "residual [noise]")
        if found.scan is not None:
            seen = maps["significance"]
            highest = max(float(np.nanmax(seen)), _LIMIT)
            _draw(panels[2], seen, extent, Normalize(0, highest), "magma", "significance [sigma]")
            _sensitivity(panels[3], found, maps["limit_mass_5"], extent)
        if found.subhalo is not None and found.verdict == "subhalo":
            for panel in panels[:3]:
                place = (found.subhalo.x, found.subhalo.y)
                panel.plot(*place, "o", mfc="none", mec=_MARK, ms=14, mew=1.6)
    figure.suptitle(_headline(found, title), fontsize=11, color="#2b3440")
    return figure


def _sensitivity(axes: Axes, found: Detection, limits: Image, extent: tuple[float, ...]) -> None:
    known = found.distances.known
    unit = 1.0 if known else found.distances.einstein_radius**2
    values = np.where(np.isfinite(limits), limits * unit, np.nan)
    if np.isnan(values).all():
        axes.set_axis_off()
        middle: dict[str, Any] = {"ha": "center", "va": "center", "transform": axes.transAxes}
        axes.text(0.5, 0.5, "no mass would be seen\nat 5 sigma", fontsize=10, **middle)
        return
    norm = LogNorm(float(np.nanmin(values)), float(np.nanmax(values)) * (1 + 1e-6))
    name = "mass seen at 5 sigma [$M_\\odot$]" if known else "seen at 5 sigma [arcsec$^2$]"
    _draw(axes, values, extent, norm, "viridis_r", name)


def _headline(found: Detection, title: str) -> str:
    words = [in_figure(title)] if title else []
    return "   ".join([*words, found.verdict, found.reason])


def _draw(
    axes: Axes,
    image: Image,
    extent: tuple[float, ...],
    norm: Normalize,
    colours: str,
    title: str,
) -> None:
    """One image with its colour bar."""
    style: dict[str, Any] = {"origin": "lower", "interpolation": "nearest", "extent": extent}
    axes.set_facecolor(_NOTHING)
    picture = axes.imshow(image, norm=norm, cmap=colours, **style)
    bar = axes.figure.colorbar(picture, ax=axes, shrink=0.85, pad=0.02)
    bar.ax.tick_params(labelsize=8, which="both")
    bar.outline.set_visible(False)
    axes.set_title(title, fontsize=10)
    axes.tick_params(labelsize=8)
    axes.set_xlabel("x [arcsec]", fontsize=8, labelpad=1)
    axes.set_ylabel("y [arcsec]", fontsize=8, labelpad=1)
    axes.spines[:].set_visible(False)
