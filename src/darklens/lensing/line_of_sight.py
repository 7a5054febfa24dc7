r"""Light through many planes: halos between observer and source, as well as in the lens.

In a flat universe a ray has a transverse comoving position :math:`x(\chi)` at the comoving distance
:math:`\chi`. It starts from the observer in the direction :math:`\theta`, and each plane turns it:

.. math:: \theta_{k+1} = \theta_k - \frac{\chi_s}{\chi_s - \chi_k} \, \alpha_k(x_k / \chi_k), \qquad
          x_{k+1} = x_k + (\chi_{k+1} - \chi_k) \, \theta_{k+1}

with the reduced deflections :math:`\alpha_k`, which are those of a single plane in front of the
source. The ray meets the source at :math:`\beta = x_s / \chi_s` (Schneider, Ehlers & Falco 1992,
section 9.1). The light of the lens galaxy itself is not deflected.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numba import njit

from darklens.lensing.kernels import add_tnfw
from darklens.lensing.special_functions import FASTMATH

__all__ = ["CircularMasses", "HaloPlane", "LineOfSight"]

Rays = Float[np.ndarray, " n"]
Deflect = Callable[[Rays, Rays], tuple[Rays, Rays]]
"""Reduced deflection of rays at `x`, `y`, both components [arcsec]."""

_kernel: Any = njit(fastmath=FASTMATH, error_model="numpy", nogil=True, cache=True)


@dataclass(frozen=True)
class CircularMasses:
    r"""Round masses of any profile, each by a table of its enclosed mass.

    The table holds :math:`r \, \alpha(r)` at radii evenly spaced in the logarithm. Between them it
    is interpolated by a cubic; inside the first it grows as :math:`r^2`, beyond the last it is
    constant.

    Args:
        places: Centre of each, x and y [arcsec].
        smallest: First radius [arcsec].
        largest: Last radius [arcsec].
        enclosed: Radius times deflection at each radius, one row a mass [arcsec^2].
    """

    places: Float[np.ndarray, "m 2"]
    smallest: float
    largest: float
    enclosed: Float[np.ndarray, "m t"]

    @staticmethod
    def radii(smallest: float, largest: float, count: int) -> Float[np.ndarray, " t"]:
        """Radii of a table [arcsec]."""
        return np.geomspace(smallest, largest, count)

    def add(self, x: Rays, y: Rays, ax: Rays, ay: Rays) -> None:
        """Add the deflection of rays at `x`, `y` to `ax`, `ay`."""
        first = np.log(self.smallest)
        step = (np.log(self.largest) - first) / (self.enclosed.shape[1] - 1)
        _add_circular(x, y, ax, ay, self.places, self.enclosed, first, step)


@dataclass(frozen=True)
class HaloPlane:
    """What lies at one distance. All deflections are reduced.

    Args:
        distance: Comoving distance [Mpc].
        halos: Truncated NFW halos, rows `x, y, scale_radius, truncation, einstein_radius` as in
            `Perturbers`.
        circular: Masses of other profiles, or None.
        sheet: Convergence of a uniform sheet: negative where it makes up for the mean density that
            the halos are part of.
    """

    distance: float
    halos: Float[np.ndarray, "k 5"]
    circular: CircularMasses | None = None
    sheet: float = 0.0

    def deflection(self, x: Rays, y: Rays) -> tuple[Rays, Rays]:
        """Reduced deflection of rays, both components [arcsec]."""
        ax, ay = self.sheet * x, self.sheet * y
        _add_halos(x, y, ax, ay, np.ascontiguousarray(self.halos))
        if self.circular is not None:
            self.circular.add(x, y, ax, ay)
        return ax, ay


@dataclass(frozen=True)
class LineOfSight:
    """The planes between observer and source.

    Args:
        planes: Halos, nearest plane first; those of the lens itself are at its distance.
        lens: Comoving distance of the lens [Mpc].
        source: Comoving distance of the source [Mpc].
    """

    planes: tuple[HaloPlane, ...]
    lens: float
    source: float

    def trace(self, x: Rays, y: Rays, lens: Deflect) -> tuple[Rays, Rays]:
        """Where rays seen at `x`, `y` meet the source plane [arcsec].

        Args:
            x: Image-plane coordinates [arcsec].
            y: Image-plane coordinates [arcsec].
            lens: Deflection of the lens galaxy.
        """
        screens: list[tuple[float, Deflect]] = [(p.distance, p.deflection) for p in self.planes]
        screens.append((self.lens, lens))
        screens.sort(key=lambda screen: screen[0])
        along, across = x.copy(), y.copy()
        px, py = np.zeros_like(x), np.zeros_like(y)
        here = 0.0
        for distance, deflect in screens:
            px, py = px + (distance - here) * along, py + (distance - here) * across
            ax, ay = deflect(px / distance, py / distance)
            factor = self.source / (self.source - distance)
            along, across = along - factor * ax, across - factor * ay
            here = distance
        px, py = px + (self.source - here) * along, py + (self.source - here) * across
        return px / self.source, py / self.source


@_kernel
def _add_halos(x, y, ax, ay, halos):  # type: ignore[no-untyped-def]
    for k in range(halos.shape[0]):
        x0, y0, radius, truncation, theta = halos[k]
        add_tnfw(x, y, ax, ay, theta, radius, truncation, x0, y0)


@_kernel
def _add_circular(x, y, ax, ay, places, enclosed, first, step):  # type: ignore[no-untyped-def]
    """Add round masses; the cubic is that of Catmull and Rom."""
    last = enclosed.shape[1] - 1
    smallest = np.exp(2.0 * first)
    for m in range(places.shape[0]):
        table = enclosed[m]
        for j in range(x.size):
            dx, dy = x[j] - places[m, 0], y[j] - places[m, 1]
            r2 = dx * dx + dy * dy + 1e-20
            t = (0.5 * np.log(r2) - first) / step
            if t <= 0.0:
                mass = table[0] * r2 / smallest
            elif t >= last:
                mass = table[last]
            else:
                k = min(int(t), last - 1)
                u = t - k
                b, c = table[k], table[k + 1]
                a = table[k - 1] if k > 0 else 2.0 * b - c
                d = table[k + 2] if k + 2 <= last else 2.0 * c - b
                mass = b + 0.5 * u * (
                    c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a))
                )
            factor = mass / r2
            ax[j] += factor * dx
            ay[j] += factor * dy
