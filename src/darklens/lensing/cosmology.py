r"""Distances, and the conversion from mass to angle.

Units: Mpc, M_sun, arcsec. The Einstein radius of a mass `M` is

.. math:: \theta_E = \sqrt{\frac{4 G M}{c^2} \frac{D_{ls}}{D_l D_s}}

with angular-diameter distances. DeepLenseSim and the Common Test I benchmark use luminosity
distances and :math:`D_{ls} = D_s - D_l` instead; `distances="luminosity"` does the same, for the
presets that reproduce them.

astropy is imported with the first distance: its cosmologies take longer to import than all the
rest of the physics, and many lenses are declared by their Einstein radii.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from darklens.errors import BadPreset

__all__ = ["ARCSEC", "Cosmology"]

ARCSEC = float(np.pi / 180 / 3600)
"""One arcsecond [rad]."""


@dataclass(frozen=True)
class Cosmology:
    """A flat universe with cold dark matter and a cosmological constant.

    Args:
        H0: Hubble constant [km/s/Mpc].
        Om0: Matter density today, in units of the critical density.
        Ob0: Baryon density today, in units of the critical density.
        distances: Distances in the conversion from mass to angle, `angular` (correct) or
            `luminosity` (as in the published simulator).
    """

    H0: float = 70.0
    Om0: float = 0.3
    Ob0: float = 0.05
    distances: Literal["angular", "luminosity"] = "angular"

    def __post_init__(self) -> None:
        if not (0 < self.H0 < np.inf and 0 <= self.Ob0 <= self.Om0 <= 1):
            raise BadPreset("cosmology: needs H0 > 0 and 0 <= Ob0 <= Om0 <= 1")

    def distance_ratio(self, z_lens: float, z_source: float) -> float:
        """The factor :math:`D_{ls} / (D_l D_s)` [1/Mpc].

        Raises:
            BadPreset: If the source is not behind the lens, or a redshift is out of range.
        """
        return _distance_ratio(self, z_lens, z_source)

    def comoving_distance(self, z: float) -> float:
        """Comoving distance of redshift `z`, from 0 to 10 [Mpc]."""
        return float(_comoving_distance(self)(z))

    def einstein_radius(self, mass: float, z_lens: float, z_source: float) -> float:
        """Einstein radius of a point mass of `mass` M_sun [arcsec]."""
        squared = _four_g_over_c2() * mass * self.distance_ratio(z_lens, z_source)
        return float(np.sqrt(squared)) / ARCSEC

    def scale_radius(
        self, mass: Float[np.ndarray, " n"], concentration: Float[np.ndarray, " n"], z: float
    ) -> Float[np.ndarray, " n"]:
        """Scale radii of halos of `mass` M200 [M_sun] at redshift `z` [arcsec].

        M200 is the mass within the radius whose mean density is 200 times the critical density.
        """
        from astropy import units

        density = float(self._astropy.critical_density(z).to_value(units.Msun / units.Mpc**3))
        radius_200 = (3 * mass / (4 * np.pi * 200 * density)) ** (1 / 3)
        distance = float(self._astropy.angular_diameter_distance(z).to_value(units.Mpc))
        return np.asarray(radius_200 / concentration / distance / ARCSEC)

    def kpc_per_arcsec(self, z: float) -> float:
        """Length that spans one arcsecond at redshift `z` [kpc]."""
        from astropy import units

        distance = float(self._astropy.angular_diameter_distance(z).to_value(units.kpc))
        return distance * ARCSEC

    @property
    def _astropy(self) -> Any:
        return _flat_lambda_cdm(self.H0, self.Om0, self.Ob0)


@lru_cache(maxsize=64)
def _distance_ratio(cosmology: Cosmology, z_lens: float, z_source: float) -> float:
    if not 0 < z_lens < z_source:
        raise BadPreset(f"the lens (z = {z_lens:g}) must be in front of the source ({z_source:g})")
    if z_source > 10:
        raise BadPreset(f"the source redshift {z_source:g} is above 10")
    lens, source = _comoving_distance(cosmology)((z_lens, z_source))
    if cosmology.distances == "luminosity":
        to_lens, to_source = lens * (1 + z_lens), source * (1 + z_source)
        between = to_source - to_lens
    else:
        to_lens, to_source = lens / (1 + z_lens), source / (1 + z_source)
        between = (source - lens) / (1 + z_source)
    return float(between / (to_lens * to_source))


@cache
def _four_g_over_c2() -> float:
    """The constant 4 G / c^2 [Mpc / M_sun]."""
    from astropy import constants, units

    return float((4 * constants.G / constants.c**2).to_value(units.Mpc / units.Msun))


@lru_cache(maxsize=8)
def _flat_lambda_cdm(H0: float, Om0: float, Ob0: float) -> Any:
    from astropy.cosmology import FlatLambdaCDM

    return FlatLambdaCDM(H0=H0, Om0=Om0, Ob0=Ob0)


@lru_cache(maxsize=8)
def _comoving_distance(cosmology: Cosmology) -> Any:
    """Spline of astropy's comoving distance against redshift [Mpc], accurate to 1e-9."""
    from astropy import units
    from scipy.interpolate import CubicSpline

    z = np.linspace(0, 10, 4001)
    return CubicSpline(z, cosmology._astropy.comoving_distance(z).to_value(units.Mpc))
