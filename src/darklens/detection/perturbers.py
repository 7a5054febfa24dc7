r"""Subhalos of a lens as one-parameter families: a mass, and the deflection that it makes.

Masses are in solar masses: for truncated NFW halos M200, with the concentration of field halos of
that mass (Dutton & Maccio 2014, arXiv:1402.7073, eq. 8),

.. math:: \log_{10} c = a + b \log_{10} \frac{M h}{10^{12}}, \quad
          a = 0.520 + 0.385 \, e^{-0.617 z^{1.21}}, \quad b = -0.101 + 0.026 z

and truncated at the radius r200, so that the total mass is close to M200. A compact mass is a point
and stands for halos that are much more concentrated.

The number of subhalos that cold dark matter puts within the lens is that of Gilman et al. 2020,
arXiv:1908.06983, eqs. 3 and 4, for infall masses m at the projected radius of the arcs:

.. math:: \frac{d^2 N}{dm \, dA} = \frac{\Sigma}{m_0} \left(\frac{m}{m_0}\right)^{-1.9}
          10^{0.88 \log_{10}(M_h / 10^{13}) + 1.7 \log_{10}(z + 0.5)}

with :math:`\Sigma = 0.025 / \mathrm{kpc}^2`, :math:`m_0 = 10^8` and a host of
:math:`M_h = 10^{13}` solar masses.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float

from darklens.errors import BadInput
from darklens.lensing.cosmology import Cosmology
from darklens.lensing.profiles import TNFW, MassProfile, PointMass

__all__ = [
    "CompactMass",
    "Distances",
    "PerturberFamily",
    "TruncatedNFW",
    "concentration",
    "expected_subhalos",
]

_NORMALISATION, _PIVOT, _SLOPE = 0.025, 1e8, -1.9  # Gilman et al. 2020
_LARGEST_SUBHALO = 1e11
_ASSUMED = (0.5, 2.0)


@dataclass(frozen=True)
class Distances:
    """Redshifts of lens and source, and the cosmology.

    Args:
        z_lens: Redshift of the lens; None where it is not known.
        z_source: Redshift of the source; None where it is not known.
        cosmology: Distances.

    Raises:
        BadInput: If only one redshift is given, or the source is not behind the lens.
    """

    z_lens: float | None = None
    z_source: float | None = None
    cosmology: Cosmology = field(default_factory=Cosmology)

    def __post_init__(self) -> None:
        if (self.z_lens is None) != (self.z_source is None):
            raise BadInput("give the redshifts of both the lens and the source, or neither")
        lens, source = self.redshifts
        if not 0 < lens < source <= 10:
            raise BadInput(
                f"the lens (redshift {lens:g}) must be in front of the source ({source:g}), "
                "which must be at most at redshift 10"
            )

    @property
    def known(self) -> bool:
        """Whether the redshifts are known; otherwise they are assumed."""
        return self.z_lens is not None

    @property
    def redshifts(self) -> tuple[float, float]:
        """Redshifts of lens and source; 0.5 and 2 where they are not known."""
        if self.z_lens is None or self.z_source is None:
            return _ASSUMED
        return self.z_lens, self.z_source

    @cached_property
    def einstein_radius(self) -> float:
        """Einstein radius of a point of one solar mass [arcsec]."""
        return self.cosmology.einstein_radius(1.0, *self.redshifts)

    def mass_within(self, einstein_radius: float) -> float:
        """Mass within an Einstein radius [M_sun]."""
        return float((einstein_radius / self.einstein_radius) ** 2)


@dataclass(frozen=True)
class PerturberFamily(ABC):
    """Perturbers of any mass.

    Args:
        distances: Redshifts and cosmology.
    """

    distances: Distances

    @property
    @abstractmethod
    def name(self) -> str:
        """One word."""

    @abstractmethod
    def __call__(self, x: float, y: float, log_mass: float) -> MassProfile:
        """The perturber at `x`, `y` [arcsec] with a mass of 10^`log_mass` [M_sun]."""


class TruncatedNFW(PerturberFamily):
    """NFW halos on the mass-concentration relation, truncated at r200."""

    @property
    def name(self) -> str:
        return "nfw"

    def __call__(self, x: float, y: float, log_mass: float) -> TNFW:
        mass = 10.0**log_mass
        lens = self.distances.redshifts[0]
        c = concentration(mass, lens, self.distances.cosmology.H0 / 100)
        one = np.array([mass]), np.array([c])
        radius = float(self.distances.cosmology.scale_radius(*one, lens)[0])
        central = mass / (np.log1p(c) - c / (1 + c))
        theta = self.distances.einstein_radius * float(np.sqrt(central))
        return TNFW(theta, radius, c, x, y)


class CompactMass(PerturberFamily):
    """Point masses."""

    @property
    def name(self) -> str:
        return "point"

    def __call__(self, x: float, y: float, log_mass: float) -> PointMass:
        theta = self.distances.einstein_radius * float(np.sqrt(10.0**log_mass))
        return PointMass(theta, x, y)


def concentration(mass: float, redshift: float, h: float = 0.7) -> float:
    """Concentration c200 of a field halo of `mass` M200 [M_sun].

    >>> round(concentration(1e12, 0.0, 1.0), 2)
    8.04
    """
    a = 0.520 + 0.385 * np.exp(-0.617 * redshift**1.21)
    b = -0.101 + 0.026 * redshift
    return float(10 ** (a + b * np.log10(mass * h / 1e12)))


def expected_subhalos(limits: Float[np.ndarray, " n"], area: float, distances: Distances) -> float:
    """Number of subhalos heavier than a limiting mass that cold dark matter puts into an area.

    Args:
        limits: Limiting mass at places of equal area [M_sun]; infinite where nothing is seen.
        area: Area of each place [arcsec^2].
        distances: Redshifts and cosmology.
    """
    z = distances.redshifts[0]
    per_arcsec = distances.cosmology.kpc_per_arcsec(z)
    host = 10 ** (1.7 * np.log10(z + 0.5))
    low = np.minimum(limits, _LARGEST_SUBHALO) / _PIVOT
    power = _SLOPE + 1
    above = (low**power - (_LARGEST_SUBHALO / _PIVOT) ** power) / -power
    return float(_NORMALISATION * host * area * per_arcsec**2 * above.sum())
