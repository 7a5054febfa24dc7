r"""Mass and light profiles: classes that say what they are, over compiled functions.

Conventions: angles on the sky in arcsec, position angles in radians from the x axis towards the
y axis, deflections reduced (lens equation :math:`\beta = \theta - \alpha`). The axis ratio `q` is
minor over major. Ellipses keep their area when `q` changes: the radius is
:math:`\sqrt{q x'^2 + y'^2 / q}` with `x'` along the major axis.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import gamma as gamma_function
from scipy.special import gammaincinv

from darklens.errors import BadPreset
from darklens.lensing.kernels import (
    add_epl,
    add_line_mass,
    add_multipole,
    add_point_mass,
    add_sersic,
    add_shear,
    add_sie,
    add_tnfw,
)

__all__ = [
    "EPL",
    "SIE",
    "TNFW",
    "LineMass",
    "MassProfile",
    "Multipole",
    "PointMass",
    "Sersic",
    "Shear",
    "sersic_b",
]

ISOTHERMAL = 2.0
"""Slope of the density of an isothermal profile."""

Coordinates = Float[np.ndarray, "..."]
Rays = Float[np.ndarray, " n"]


def sersic_b(sersic_index: float, formula: str = "exact") -> float:
    r"""The constant :math:`b_n` of the Sersic profile.

    Args:
        sersic_index: Sersic index n.
        formula: `exact` (half of the light within the radius), `lenstronomy`
            (1.9992 n - 0.3271) or `prugniel` (2 n - 1/3 + 0.009876 / n).
    """
    if formula == "exact":
        return float(gammaincinv(2 * sersic_index, 0.5))
    if formula == "lenstronomy":
        return max(1.9992 * sersic_index - 0.3271, 1e-5)
    if formula == "prugniel":
        return 2 * sersic_index - 1 / 3 + 0.009876 / sersic_index
    raise BadPreset(f"b_n: '{formula}' is none of exact, lenstronomy, prugniel")


class MassProfile(ABC):
    """Something that deflects light."""

    def deflection(self, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Reduced deflection at the sky coordinates `x`, `y`, both components [arcsec]."""
        flat_x, flat_y = (np.ascontiguousarray(c, dtype=np.float64).ravel() for c in (x, y))
        ax, ay = np.zeros(flat_x.size), np.zeros(flat_x.size)
        self._add(flat_x, flat_y, ax, ay)
        return ax.reshape(np.shape(x)), ay.reshape(np.shape(x))

    @abstractmethod
    def _add(self, x: Rays, y: Rays, ax: Rays, ay: Rays) -> None:
        """Add the deflection of the rays at `x`, `y` to `ax`, `ay`."""


@dataclass(frozen=True)
class SIE(MassProfile):
    """Singular isothermal ellipsoid; `axis_ratio` 1 is the singular isothermal sphere.

    Args:
        einstein_radius: Circularised Einstein radius [arcsec].
        axis_ratio: Minor over major axis.
        position_angle: Direction of the major axis [rad].
        x: Centre [arcsec].
        y: Centre [arcsec].
    """

    einstein_radius: float
    axis_ratio: float = 1.0
    position_angle: float = 0.0
    x: float = 0.0
    y: float = 0.0

    @property
    def slope(self) -> float:
        """Logarithmic slope of the density: that of an isothermal profile."""
        return ISOTHERMAL

    def _add(self, x: Rays, y: Rays, ax: Rays, ay: Rays) -> None:
        c, s = np.cos(self.position_angle), np.sin(self.position_angle)
        add_sie(x, y, ax, ay, self.einstein_radius, self.axis_ratio, c, s, self.x, self.y)


@dataclass(frozen=True)
class EPL(MassProfile):
    r"""Elliptical power law, with the convergence of the mass density :math:`r^{-\gamma}`.

    .. math:: \kappa = \frac{3 - \gamma}{2}
              \left(\frac{\theta_E}{\sqrt{q x'^2 + y'^2 / q}}\right)^{\gamma - 1}

    Args:
        einstein_radius: Circularised Einstein radius :math:`\theta_E` [arcsec].
        slope: Logarithmic slope :math:`\gamma` of the density, between 1 and 3.
        axis_ratio: Minor over major axis.
        position_angle: Direction of the major axis [rad].
        x: Centre [arcsec].
        y: Centre [arcsec].

    Raises:
        BadPreset: If the slope is not between 1 and 3.

    Example:
        >>> x, y = np.array([1.0]), np.array([0.5])
        >>> np.array_equal(
        ...     EPL(1.3, ISOTHERMAL, 0.7).deflection(x, y), SIE(1.3, 0.7).deflection(x, y)
        ... )
        True
    """

    einstein_radius: float
    slope: float = ISOTHERMAL
    axis_ratio: float = 1.0
    position_angle: float = 0.0
    x: float = 0.0
    y: float = 0.0

    def __post_init__(self) -> None:
        if not 1 < self.slope < 3:
            raise BadPreset(f"lens: slope {self.slope:g} is not between 1 and 3")

    def _add(self, x: Rays, y: Rays, ax: Rays, ay: Rays) -> None:
        c, s = np.cos(self.position_angle), np.sin(self.position_angle)
        shape = (self.axis_ratio, c, s, self.x, self.y)
        if self.slope == ISOTHERMAL:
            add_sie(x, y, ax, ay, self.einstein_radius, *shape)
        else:
            add_epl(x, y, ax, ay, self.einstein_radius, self.slope, *shape)


@dataclass(frozen=True)
class Multipole(MassProfile):
    r"""Isothermal multipole: :math:`\kappa = a_m \cos m(\phi - \phi_m) / (2 r)`.

    For m of 2 or more it moves the critical curve of an isothermal sphere outwards by
    :math:`a_m` in the direction :math:`\phi_m`.

    Args:
        order: Order m, at least 1.
        amplitude: Amplitude :math:`a_m` [arcsec].
        angle: Angle :math:`\phi_m` from the x axis [rad].
        einstein_radius: Radius at which the deflection of order 1 has no logarithmic part
            [arcsec]; the other orders do not depend on it.
        x: Centre [arcsec].
        y: Centre [arcsec].

    Raises:
        BadPreset: If the order is not positive.
    """

    order: int
    amplitude: float
    angle: float = 0.0
    einstein_radius: float = 1.0
    x: float = 0.0
    y: float = 0.0

    def __post_init__(self) -> None:
        if self.order < 1:
            raise BadPreset(f"multipole: order {self.order} must be at least 1")

    def kernel_arguments(self) -> tuple[float, ...]:
        """The arguments of `add_multipole` behind `ay`, in their order."""
        turned = self.order * self.angle
        return (
            self.order,
            self.amplitude,
            float(np.cos(turned)),
            float(np.sin(turned)),
            self.einstein_radius,
            self.x,
            self.y,
        )

    def _add(self, x: Rays, y: Rays, ax: Rays, ay: Rays) -> None:
        add_multipole(x, y, ax, ay, *self.kernel_arguments())


@dataclass(frozen=True)
class Shear(MassProfile):
    r"""External shear around the origin: :math:`\alpha = (g_1 x + g_2 y, g_2 x - g_1 y)`."""

    gamma1: float = 0.0
    gamma2: float = 0.0

    def _add(self, x: Rays, y: Rays, ax: Rays, ay: Rays) -> None:
        add_shear(x, y, ax, ay, self.gamma1, self.gamma2)


@dataclass(frozen=True)
class PointMass(MassProfile):
    """A point mass with its Einstein radius and place [arcsec]."""

    einstein_radius: float
    x: float = 0.0
    y: float = 0.0

    def _add(self, x: Rays, y: Rays, ax: Rays, ay: Rays) -> None:
        add_point_mass(x, y, ax, ay, self.einstein_radius, self.x, self.y)


@dataclass(frozen=True)
class LineMass(MassProfile):
    """A straight line of uniform mass, the community's toy for an axion vortex.

    Args:
        einstein_radius: Einstein radius of the whole mass, were it a point [arcsec].
        half_length: Half the length of the line [arcsec].
        position_angle: Direction of the line [rad].
        x: Centre [arcsec].
        y: Centre [arcsec].
    """

    einstein_radius: float
    half_length: float
    position_angle: float = 0.0
    x: float = 0.0
    y: float = 0.0

    def _add(self, x: Rays, y: Rays, ax: Rays, ay: Rays) -> None:
        c, s = np.cos(self.position_angle), np.sin(self.position_angle)
        add_line_mass(x, y, ax, ay, self.einstein_radius, self.half_length, c, s, self.x, self.y)


@dataclass(frozen=True)
class TNFW(MassProfile):
    """Truncated NFW halo.

    Args:
        einstein_radius: Einstein radius of a point of the mass 4 pi rho_0 r_s^3 [arcsec].
        scale_radius: Scale radius r_s [arcsec].
        truncation: Truncation radius over scale radius.
        x: Centre [arcsec].
        y: Centre [arcsec].
    """

    einstein_radius: float
    scale_radius: float
    truncation: float
    x: float = 0.0
    y: float = 0.0

    def _add(self, x: Rays, y: Rays, ax: Rays, ay: Rays) -> None:
        add_tnfw(
            x, y, ax, ay, self.einstein_radius, self.scale_radius, self.truncation, self.x, self.y
        )


@dataclass(frozen=True)
class Sersic:
    """Elliptical Sersic light.

    Args:
        amplitude: Surface brightness at the radius [flux / arcsec^2].
        radius: Sersic radius of the circularised ellipse [arcsec].
        sersic_index: Sersic index n.
        axis_ratio: Minor over major axis.
        position_angle: Direction of the major axis [rad].
        x: Centre [arcsec].
        y: Centre [arcsec].
        b: The constant b_n, see `sersic_b`; None for the exact one.
    """

    amplitude: float
    radius: float
    sersic_index: float = 1.0
    axis_ratio: float = 1.0
    position_angle: float = 0.0
    x: float = 0.0
    y: float = 0.0
    b: float | None = None

    @property
    def b_n(self) -> float:
        """The constant b_n in use."""
        return sersic_b(self.sersic_index) if self.b is None else self.b

    @property
    def total_flux(self) -> float:
        """Flux of the whole profile, in units of amplitude times arcsec^2."""
        n, b = self.sersic_index, self.b_n
        shape = 2 * np.pi * n * np.exp(b) * float(gamma_function(2 * n)) / b ** (2 * n)
        return float(self.amplitude * self.radius**2 * shape)

    def brightness(self, x: Coordinates, y: Coordinates) -> Coordinates:
        """Surface brightness at the coordinates `x`, `y` [flux / arcsec^2]."""
        flat_x, flat_y = (np.ascontiguousarray(c, dtype=np.float64).ravel() for c in (x, y))
        flux = np.zeros(flat_x.size)
        add_sersic(flat_x, flat_y, flux, *self.kernel_arguments())
        return flux.reshape(np.shape(x))

    def kernel_arguments(self) -> tuple[float, ...]:
        """The arguments of `add_sersic` behind `flux`, in their order."""
        return (
            self.amplitude,
            self.radius,
            1 / self.sersic_index,
            self.axis_ratio,
            float(np.cos(self.position_angle)),
            float(np.sin(self.position_angle)),
            self.x,
            self.y,
            self.b_n,
        )
