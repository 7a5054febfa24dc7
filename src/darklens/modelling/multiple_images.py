"""How often the source of a lens is seen.

A point of the source has an image in each triangle of neighbouring rays that surrounds it when it
is traced back to the source plane. Triangles at the centre of an isothermal mass are left out.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int

from darklens.modelling.parameters import Parameter

__all__ = ["number_of_images", "source_grid"]

Rays = Float[np.ndarray, " n"]
Places = Float[np.ndarray, "2 h w"]
Triangles = Float[np.ndarray, "2 3 t"]

_HALF, _POINTS = 2.0, 11  # radii of the source, and points across
_CENTRE = 1.5  # pixels around a mass in which rays part


def source_grid(parameters: Float[np.ndarray, " p"]) -> tuple[Rays, Rays]:
    """Places that cover a source in its plane, x and y [arcsec]."""
    half = _HALF * float(np.exp(parameters[Parameter.SOURCE_LOG_RADIUS]))
    side = half * np.linspace(-1, 1, _POINTS)
    x, y = np.meshgrid(parameters[Parameter.SOURCE_X] + side, parameters[Parameter.SOURCE_Y] + side)
    return x.ravel(), y.ravel()


def number_of_images(
    places: tuple[Rays, Rays],
    there: Places,
    back: Places,
    masses: Iterable[Float[np.ndarray, " 2"]],
) -> Int[np.ndarray, " n"]:
    """Number of images of each place in the source plane.

    Args:
        places: The places, x and y [arcsec].
        there: Where a ray of each pixel is in the image [arcsec].
        back: Where it meets the source plane [arcsec].
        masses: Centres of isothermal masses in the image [arcsec].
    """
    triangles = _triangles(back)
    x, y = _triangles(there).mean(axis=1)
    pixel = float(there[0, 0, 1] - there[0, 0, 0])
    kept = np.ones(x.size, dtype=bool)
    for x0, y0 in masses:
        kept &= np.hypot(x - x0, y - y0) > _CENTRE * pixel
    triangles = triangles[..., kept]
    return np.array([_surrounding(triangles, *place) for place in zip(*places, strict=True)])


def _triangles(places: Float[np.ndarray, "2 h w"]) -> Triangles:
    """The two triangles of each square of neighbouring places."""
    a, b = places[:, :-1, :-1], places[:, :-1, 1:]
    c, d = places[:, 1:, :-1], places[:, 1:, 1:]
    both = [np.stack(corners, axis=1).reshape(2, 3, -1) for corners in ((a, b, c), (d, c, b))]
    return np.concatenate(both, axis=-1)


def _surrounding(triangles: Triangles, x: float, y: float) -> int:
    """How many of the triangles are around a place."""
    u, v = triangles[0] - x, triangles[1] - y
    sides = u * np.roll(v, -1, axis=0) - np.roll(u, -1, axis=0) * v
    return int(((sides >= 0).all(axis=0) | (sides < 0).all(axis=0)).sum())
