"""Distances and Einstein radii against astropy."""

import numpy as np
import pytest
from astropy import constants, units
from astropy.cosmology import FlatLambdaCDM

from darklens.errors import BadPreset
from darklens.lensing import Cosmology

ASTROPY = FlatLambdaCDM(H0=70, Om0=0.3, Ob0=0.05)
REDSHIFTS = [(0.5, 1.0), (0.4, 0.8), (0.6, 1.2), (0.05, 3.3), (2.0, 9.9)]


def astropy_radius(mass: float, d_l, d_s, d_ls) -> float:  # type: ignore[no-untyped-def]
    squared = 4 * constants.G * mass * units.Msun / constants.c**2 * d_ls / (d_l * d_s)
    return float((np.sqrt(squared.to_value("")) * units.rad).to_value(units.arcsec))


@pytest.mark.parametrize(("z_lens", "z_source"), REDSHIFTS)
def test_einstein_radius_with_angular_diameter_distances(z_lens: float, z_source: float) -> None:
    d_l, d_s = (ASTROPY.angular_diameter_distance(z) for z in (z_lens, z_source))
    comoving = ASTROPY.comoving_distance(z_source) - ASTROPY.comoving_distance(z_lens)
    truth = astropy_radius(1e12, d_l, d_s, comoving / (1 + z_source))
    assert Cosmology().einstein_radius(1e12, z_lens, z_source) == pytest.approx(truth, rel=1e-8)


@pytest.mark.parametrize(("z_lens", "z_source"), REDSHIFTS)
def test_einstein_radius_with_luminosity_distances(z_lens: float, z_source: float) -> None:
    d_l, d_s = (ASTROPY.luminosity_distance(z) for z in (z_lens, z_source))
    truth = astropy_radius(1e12, d_l, d_s, d_s - d_l)
    found = Cosmology(distances="luminosity").einstein_radius(1e12, z_lens, z_source)
    assert found == pytest.approx(truth, rel=1e-8)


def test_published_figures() -> None:
    assert Cosmology().einstein_radius(1e12, 0.5, 1.0) == pytest.approx(1.66, abs=0.005)
    legacy = Cosmology(distances="luminosity").einstein_radius(1e12, 0.5, 1.0)
    assert legacy == pytest.approx(1.28, abs=0.005)


def test_scale_radius_is_that_of_m200() -> None:
    mass, concentration = np.array([1e8, 1e10]), np.array([15.0, 10.0])
    radius = Cosmology().scale_radius(mass, concentration, 0.5) * units.arcsec
    size = (radius * ASTROPY.angular_diameter_distance(0.5)).to(
        units.Mpc, units.dimensionless_angles()
    )
    volume = 4 / 3 * np.pi * (size * concentration) ** 3
    density = (mass * units.Msun / volume / ASTROPY.critical_density(0.5)).to_value("")
    np.testing.assert_allclose(density, 200, rtol=1e-10)


@pytest.mark.parametrize(
    "redshifts", [(1.0, 0.5), (0.5, 0.5), (0.0, 1.0), (-1.0, 1.0), (1.0, 11.0)]
)
def test_impossible_redshifts_are_refused(redshifts: tuple[float, float]) -> None:
    with pytest.raises(BadPreset, match=r"redshift|must be in front of"):
        Cosmology().einstein_radius(1e12, *redshifts)
