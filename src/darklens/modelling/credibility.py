"""Whether a fitted lens is one: checks that a wrong source does not pass.

A fit whose source is a companion galaxy, or whose lens is a neighbour, can converge to a small
chi-square. Its source is then not magnified or not seen more than once, as that of a strong lens
is, or its Einstein ring does not lie within the image.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from darklens.lensing.grid import PixelGrid
from darklens.lensing.profiles import sersic_b
from darklens.modelling.derivatives import LightRow, sersic_rays, trace_smooth
from darklens.modelling.fit import SmoothFit
from darklens.modelling.multiple_images import number_of_images, source_grid
from darklens.modelling.parameters import Parameter
from darklens.modelling.smooth_model import SmoothModel

__all__ = ["doubt_of_lens", "first_doubt", "ring_checks", "source_checks"]

Parameters = Float[np.ndarray, " p"]
Check = tuple[bool, str]

_SMALLEST_RADIUS = 2.0  # pixels
_LEAST_MAGNIFICATION = 1.8  # a singly imaged point source behind an isothermal lens has at most 2
_LEAST_MULTIPLE = 0.1  # share of the light of the source with more than one image


def doubt_of_lens(model: SmoothModel, fit: SmoothFit) -> str:
    """Why a fitted smooth lens can be none, in words; empty if it can be one."""
    p = fit.parameters
    return first_doubt(
        [
            *ring_checks(p, [model.grid]),
            *source_checks(model.magnification(p), _seen_twice(model, p)),
        ]
    )


def first_doubt(checks: Iterable[Check]) -> str:
    """The reason of the first check that does not hold, or empty."""
    return next((reason for holds, reason in checks if not holds), "")


def ring_checks(parameters: Parameters, grids: Iterable[PixelGrid]) -> list[Check]:
    """Whether the Einstein ring is resolved, and within each of the images."""
    radius = float(parameters[Parameter.EINSTEIN_RADIUS])
    x, y = (abs(float(parameters[k])) for k in (Parameter.LENS_X, Parameter.LENS_Y))
    grids = list(grids)
    halves = [[0.5 * side * grid.pixel_scale for side in grid.shape] for grid in grids]
    return [
        (
            radius > _SMALLEST_RADIUS * min(grid.pixel_scale for grid in grids),
            f"the Einstein radius, {radius:.2f} arcsec, is not resolved",
        ),
        (
            all(x + radius < columns and y + radius < rows for rows, columns in halves),
            f"the Einstein ring, of radius {radius:.2f} arcsec, reaches beyond the image",
        ),
    ]


def source_checks(magnification: float, multiple: float) -> list[Check]:
    """Whether the source is that of a strong lens.

    Args:
        magnification: Its light with the lens over that without.
        multiple: Share of its light that has more than one image.
    """
    return [
        (
            magnification > _LEAST_MAGNIFICATION,
            f"the source is magnified {magnification:.1f} times only: it may be a companion "
            "in front of the lens or beside it",
        ),
        (
            multiple > _LEAST_MULTIPLE,
            f"only {100 * multiple:.0f} % of the light of the source has more than one image: it "
            "may be a companion in front of the lens or beside it",
        ),
    ]


def _seen_twice(model: SmoothModel, p: Parameters) -> float:
    """Share of the light of the source that has more than one image."""
    x, y = source_grid(p)
    b = sersic_b(float(p[Parameter.SOURCE_SERSIC_INDEX]), model.b_n[0])
    light = sersic_rays(x, y, p, Parameter.SOURCE_X, b, 0.0)[LightRow.BRIGHTNESS]
    there = np.stack(model.grid.coordinates())
    back = np.stack(trace_smooth(model.grid.shape, model.grid.pixel_scale, p))
    centre = p[[Parameter.LENS_X, Parameter.LENS_Y]]
    often = number_of_images((x, y), there, back, [centre]) > 1
    return float(light[often].sum() / max(light.sum(), 1e-300))
