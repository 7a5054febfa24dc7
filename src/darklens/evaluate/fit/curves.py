"""Critical curves and caustics of a scene, for figures."""

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from scipy.ndimage import map_coordinates

from darklens.lensing import PixelGrid, Scene, source_plane

__all__ = ["critical_curves"]

Curve = Float[np.ndarray, "n 2"]

_FINE = 400  # side of the grid used to find critical curves [pixel]
_SHORTEST = 8  # points of a curve that is kept


def critical_curves(scene: Scene, grid: PixelGrid) -> tuple[list[Curve], list[Curve]]:
    """Critical curves in the image plane, and the caustics in the source plane.

    Critical curves are zero contours of the determinant of the Jacobian of the lens mapping.

    Args:
        scene: The lens, with its perturbers.
        grid: The image, of which at most 2.5 Einstein radii are searched.

    Returns:
        Points of each curve, and of the caustic that belongs to it [arcsec].
    """
    half = min(2.5 * scene.lens.einstein_radius, 0.5 * max(grid.shape) * grid.pixel_scale)
    fine = PixelGrid((_FINE, _FINE), 2 * half / _FINE)
    beta_x, beta_y = source_plane(scene, fine)
    (xy, xx), (yy, yx) = (np.gradient(b, fine.pixel_scale) for b in (beta_x, beta_y))
    determinant = xx * yy - xy * yx
    x, y = fine.coordinates()
    centre = np.hypot(x - scene.lens.x, y - scene.lens.y)
    determinant[centre < 3 * fine.pixel_scale] = -1.0  # the singular centre is not a critical curve
    lines = Figure().subplots().contour(x[0], y[:, 0], determinant, [0.0])
    critical = [np.asarray(line) for line in lines.allsegs[0] if len(line) > _SHORTEST]
    caustics = []
    for line in critical:
        place = (line / fine.pixel_scale + 0.5 * (_FINE - 1)).T[::-1]
        traced = [map_coordinates(b, place, order=1, mode="nearest") for b in (beta_x, beta_y)]
        caustics.append(np.stack(traced, axis=1))
    return critical, caustics
