"""The source of a fitted lens in its own plane: its brightness, and how often it is seen.

A point of the source has an image in each triangle of neighbouring rays that surrounds it when it
is traced back to the source plane. Triangles at the centre of an isothermal mass are left out.
"""

import numpy as np
from jaxtyping import Float

from darklens.detection.band_fit import BandFit
from darklens.detection.satellites import SATELLITE_SIZE
from darklens.lensing.profiles import sersic_b
from darklens.modelling.derivatives import LightRow, sersic_rays
from darklens.modelling.parameters import Parameter

__all__ = ["multiply_imaged", "source_brightness"]

Rays = Float[np.ndarray, " n"]
Triangles = Float[np.ndarray, "2 3 t"]

_HALF, _POINTS = 2.0, 11  # radii of the source, and points across
_CENTRE = 1.5  # pixels around a mass in which rays part


def source_brightness(view: BandFit, x: Rays, y: Rays) -> Rays:
    """Brightness of the source of a band, structure beyond its profile included.

    Args:
        view: The fit of the band.
        x: Places in the source plane [arcsec].
        y: Places in the source plane [arcsec].

    Returns:
        The brightness [flux / arcsec^2].
    """
    p, source = view.state.parameters, view.lens.source
    b = sersic_b(float(p[Parameter.SOURCE_SERSIC_INDEX]), view.lens.model.b_n[0])
    profile = sersic_rays(x, y, p, Parameter.SOURCE_X, b, 0.0)[LightRow.BRIGHTNESS]
    if not view.state.source.any():
        return np.asarray(profile)
    return np.asarray(profile + source.field(view.state.source, *source.frame(p, x, y))[0])


def multiply_imaged(view: BandFit) -> float:
    """Share of the light of the source that has more than one image.

    It is all of it, or most, behind a strong lens, and hardly any of the light of a companion
    galaxy that is taken for the source.
    """
    p = view.state.parameters
    half = _HALF * float(np.exp(p[Parameter.SOURCE_LOG_RADIUS]))
    side = half * np.linspace(-1, 1, _POINTS)
    grid = np.meshgrid(p[Parameter.SOURCE_X] + side, p[Parameter.SOURCE_Y] + side)
    x, y = (place.ravel() for place in grid)
    light = np.maximum(source_brightness(view, x, y), 0)
    triangles = _traced_triangles(view)
    often = np.array([_surrounded(triangles, *place) > 1 for place in zip(x, y, strict=True)])
    return float(light[often].sum() / max(light.sum(), 1e-300))


def _traced_triangles(view: BandFit) -> Triangles:
    """Triangles of neighbouring rays in the source plane, but for those at the centre of a mass."""
    there, back = (_triangles(places) for places in view.lens.traced_pixels(view.state))
    x, y = there.mean(axis=1)
    kept = np.ones(x.size, dtype=bool)
    p, satellites = view.state.parameters, view.state.satellites.reshape(-1, SATELLITE_SIZE)
    centres = [p[[Parameter.LENS_X, Parameter.LENS_Y]], *satellites[:, :2]]
    for x0, y0 in centres:
        kept &= np.hypot(x - x0, y - y0) > _CENTRE * view.lens.model.grid.pixel_scale
    return back[..., kept]


def _triangles(places: Float[np.ndarray, "2 h w"]) -> Triangles:
    """The two triangles of each square of neighbouring places."""
    a, b = places[:, :-1, :-1], places[:, :-1, 1:]
    c, d = places[:, 1:, :-1], places[:, 1:, 1:]
    both = [np.stack(corners, axis=1).reshape(2, 3, -1) for corners in ((a, b, c), (d, c, b))]
    return np.concatenate(both, axis=-1)


def _surrounded(triangles: Triangles, x: float, y: float) -> int:
    """How many of the triangles are around a place."""
    u, v = triangles[0] - x, triangles[1] - y
    sides = u * np.roll(v, -1, axis=0) - np.roll(u, -1, axis=0) * v
    return int(((sides >= 0).all(axis=0) | (sides < 0).all(axis=0)).sum())
