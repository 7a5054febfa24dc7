r"""Second lens galaxies: isothermal spheres beside the lens, with exact derivatives.

.. math:: \alpha = \theta \, \frac{d}{|d|}, \qquad
    \frac{\partial \alpha_i}{\partial x_j} = \theta
    \left( \frac{d_i d_j}{|d|^3} - \frac{\delta_{ij}}{|d|} \right)

for a sphere of Einstein radius :math:`\theta` at `x`, with `d` the vector from it to the ray.
"""

import numpy as np
from jaxtyping import Float

__all__ = ["SATELLITE_SIZE", "satellite_deflection", "satellite_fields"]

Rays = Float[np.ndarray, " n"]
Values = Float[np.ndarray, " v"]

SATELLITE_SIZE = 3
"""Values of a satellite: place x, y and Einstein radius [arcsec]."""

_TINY = 1e-9  # arcsec


def satellite_deflection(satellites: Values, x: Rays, y: Rays) -> tuple[Rays, Rays]:
    """Deflection by all satellites [arcsec].

    Args:
        satellites: Place x, y and Einstein radius of one after another [arcsec].
        x: Rays [arcsec].
        y: Rays [arcsec].
    """
    ax, ay = np.zeros_like(x), np.zeros_like(y)
    for x0, y0, theta in satellites.reshape(-1, SATELLITE_SIZE):
        along, across, _ = _direction(x - x0, y - y0)
        ax += theta * along
        ay += theta * across
    return ax, ay


def satellite_fields(satellites: Values, x: Rays, y: Rays) -> list[tuple[Rays, Rays]]:
    """Derivative of the deflection by each value of the satellites, in their order."""
    fields = []
    for x0, y0, theta in satellites.reshape(-1, SATELLITE_SIZE):
        along, across, inverse = _direction(x - x0, y - y0)
        mixed = theta * along * across * inverse
        fields += [
            (-theta * across**2 * inverse, mixed),
            (mixed, -theta * along**2 * inverse),
            (along, across),
        ]
    return fields


def _direction(dx: Rays, dy: Rays) -> tuple[Rays, Rays, Rays]:
    """Unit vector, and the reciprocal of the length."""
    inverse = 1 / np.maximum(np.hypot(dx, dy), _TINY)
    return dx * inverse, dy * inverse, inverse
