"""Picture of an image before and after its preparation, with its noise and its PSF.

Row 0 is at the bottom, as in FITS viewers. Masked pixels are grey. The image as read has pixels
along its axes, from 0; all that is prepared has arcsec from the centre.
"""

from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from darklens.evaluate.figures import STYLE
from darklens.lensing import GaussianPSF
from darklens.naming import in_figure, visible
from darklens.observations import Observation

__all__ = ["inspection_figure"]

_LINE = "#7fd1ff"
_MASKED = "#c4cad2"
_PSF_SIDE = 25  # pixels of a Gaussian PSF that are shown
_FAINTEST = 1e-4  # of the peak of a PSF
_TITLE, _UNIT = 90, 30  # characters


def inspection_figure(
    found: Observation, prepared: Observation | None = None, *, title: str = ""
) -> Figure:
    """Panels: the image as read, and as prepared, its noise, and its PSF.

    Args:
        found: The observation as read.
        prepared: The observation as prepared; None where that is impossible.
        title: Title, such as the file name.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.8, 7.4), layout="constrained")
        panels = figure.subplots(2, 2).ravel()
        _image(panels[0], found, f"as read: {_size(found)}")
        _compass(panels[0], found)
        if prepared is None:
            for panel in panels[1:]:
                panel.axis("off")
        else:
            _box(panels[0], found, prepared)
            _image(panels[1], prepared, f"prepared: {_size(prepared)}")
            _in_arcsec(panels[1], prepared.image.shape, prepared.pixel_scale)
            _noise(panels[2], prepared)
            _psf(panels[3], prepared)
    figure.suptitle(in_figure(title[-_TITLE:]), fontsize=11, color="#2b3440")
    return figure


def _size(observation: Observation) -> str:
    """Columns and rows, and the size on the sky."""
    rows, columns = observation.image.shape
    scale = observation.pixel_scale
    sky = "" if scale is None else f", {columns * scale:.3g} x {rows * scale:.3g} arcsec"
    return f"{columns} x {rows}{sky}"


def _image(axes: Axes, observation: Observation, title: str) -> None:
    """An image, stretched so that the sky noise is just visible."""
    values = observation.image[~observation.mask]
    sky = observation.sky
    level, rms = (sky.level, sky.rms) if sky else (float(values.min()), float(np.ptp(values)) / 50)
    high = max(float(values.max()), level + 5 * rms)
    norm = AsinhNorm(linear_width=4 * rms, vmin=level - 3 * rms, vmax=high)
    _draw(axes, np.where(observation.mask, np.nan, observation.image), norm, title)


def _draw(
    axes: Axes, image: Float[np.ndarray, "h w"], norm: Normalize, title: str, bar: str | None = None
) -> None:
    """An image with pixels along its axes, and with a colour bar if that has a label."""
    style: dict[str, Any] = {"origin": "lower", "interpolation": "nearest", "cmap": "inferno"}
    axes.set_facecolor(_MASKED)
    drawn = axes.imshow(image, norm=norm, **style)
    axes.set_title(title, fontsize=10)
    axes.tick_params(labelsize=8)
    axes.set_xlabel("column [pixel]", fontsize=8, labelpad=1)
    axes.set_ylabel("row [pixel]", fontsize=8, labelpad=1)
    axes.spines[:].set_visible(False)
    if bar is not None:
        beyond = "min" if isinstance(norm, LogNorm) else "both"
        colours = axes.figure.colorbar(drawn, ax=axes, shrink=0.82, pad=0.02, extend=beyond)
        colours.set_label(bar, fontsize=8)
        colours.ax.tick_params(labelsize=8, which="both")
        colours.outline.set_visible(False)


def _in_arcsec(axes: Axes, shape: tuple[int, int], scale: float | None) -> None:
    """Arcsec from the centre along the axes of an image."""
    if scale is None:
        return
    rows, columns = (0.5 * side * scale for side in shape)
    for drawn in axes.images:
        drawn.set_extent((-columns, columns, -rows, rows))
    axes.set_xlabel("x [arcsec]", fontsize=8, labelpad=1)
    axes.set_ylabel("y [arcsec]", fontsize=8, labelpad=1)


def _box(axes: Axes, found: Observation, prepared: Observation) -> None:
    """The outline of the cutout and the place of its centre."""
    if found.pixel_scale is None or prepared.pixel_scale is None:
        return
    rows, columns = (
        side * prepared.pixel_scale / found.pixel_scale for side in prepared.image.shape
    )
    x, y = prepared.centre
    corner = (x - 0.5 * columns, y - 0.5 * rows)
    axes.add_patch(Rectangle(corner, columns, rows, fill=False, color=_LINE, linewidth=1.0))
    axes.plot([x], [y], "+", color=_LINE, markersize=8)


def _compass(axes: Axes, observation: Observation) -> None:
    """Arrows to North and East in the corner of the image."""
    orientation = observation.orientation
    if orientation is None:
        return
    rows, columns = observation.image.shape
    length, start = 0.12 * min(rows, columns), (0.86 * columns, 0.12 * rows)
    turn = -90.0 if orientation.mirrored else 90.0
    for name, angle in (("N", orientation.north), ("E", orientation.north + turn)):
        way = np.array([-np.sin(np.radians(angle)), np.cos(np.radians(angle))])
        end = np.array(start) + length * way
        arrow = {"arrowstyle": "->", "color": _LINE}
        axes.annotate("", xy=tuple(end), xytext=start, arrowprops=arrow)
        place = np.array(start) + 1.25 * length * way
        axes.text(
            float(place[0]),
            float(place[1]),
            name,
            color=_LINE,
            fontsize=8,
            ha="center",
            va="center",
        )


def _noise(axes: Axes, observation: Observation) -> None:
    """The noise map, grey where it is infinite."""
    noise = observation.noise
    if noise is None:
        axes.axis("off")
        return
    known = noise[np.isfinite(noise)]
    low, high = float(np.percentile(known, 1)), float(np.percentile(known, 99))
    norm = Normalize(low, max(high, low * (1 + 1e-6)))
    kind = "estimated" if observation.noise_is_estimated else "map"
    shown, unit = np.where(np.isfinite(noise), noise, np.nan), visible(observation.unit)[:_UNIT]
    _draw(axes, shown, norm, f"noise: {kind}", in_figure(unit))
    _in_arcsec(axes, noise.shape, observation.pixel_scale)


def _psf(axes: Axes, observation: Observation) -> None:
    """The PSF on a logarithmic scale."""
    psf, scale = observation.psf, observation.pixel_scale
    if psf is None or scale is None:
        axes.axis("off")
        axes.text(
            0.5, 0.5, "no PSF: give --psf", ha="center", va="center", transform=axes.transAxes
        )
        return
    if isinstance(psf, GaussianPSF):
        kernel = psf.kernel(scale)
        middle = len(kernel) // 2
        reach = min(middle, _PSF_SIDE // 2)
        line = kernel[middle - reach : middle + reach + 1]
        pixels = np.outer(line, line)
    else:
        pixels = psf.pixels
    peak = float(pixels.max())
    shown = np.maximum(pixels, _FAINTEST * peak)
    norm = LogNorm(_FAINTEST, 1.0)
    _draw(axes, shown / peak, norm, f"PSF: {len(pixels)} pixels", "share of the peak")
    _in_arcsec(axes, pixels.shape, scale)
