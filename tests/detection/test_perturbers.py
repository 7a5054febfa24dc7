"""Subhalos beside lenstronomy and the papers."""

import numpy as np
import pytest
from lenstronomy.Cosmo.lens_cosmo import LensCosmo
from lenstronomy.LensModel.lens_model import LensModel
from scipy.integrate import quad

from darklens.detection import (
    CompactMass,
    Distances,
    TruncatedNFW,
    concentration,
    expected_subhalos,
)
from darklens.errors import BadInput

DISTANCES = Distances(0.3, 1.0)


def test_halo_is_that_of_lenstronomy() -> None:
    from astropy.cosmology import FlatLambdaCDM

    mass = 3e9
    c = concentration(mass, 0.3)
    cosmology = LensCosmo(0.3, 1.0, cosmo=FlatLambdaCDM(H0=70, Om0=0.3, Ob0=0.05))
    radius, alpha = cosmology.nfw_physical2angle(mass, c)
    x, y = np.array([0.02, 0.1, 0.5, 2.0]), np.array([0.01, -0.2, 0.3, 1.0])
    expected = LensModel(["TNFW"]).alpha(
        x, y, [{"Rs": radius, "alpha_Rs": alpha, "r_trunc": c * radius}]
    )
    found = TruncatedNFW(DISTANCES)(0.0, 0.0, np.log10(mass)).deflection(x, y)
    assert np.allclose(found, expected, rtol=2e-3)


def test_total_mass_is_near_m200() -> None:
    far = 50.0
    halo = TruncatedNFW(DISTANCES)(0.0, 0.0, 9.0).deflection(np.array([far]), np.array([0.0]))
    point = CompactMass(DISTANCES)(0.0, 0.0, 9.0).deflection(np.array([far]), np.array([0.0]))
    assert halo[0][0] == pytest.approx(point[0][0], rel=0.1)


def test_concentration_of_the_paper() -> None:
    """Dutton & Maccio 2014, table 3: at z = 0, log c = 0.905 - 0.101 log(M h / 10^12)."""
    assert concentration(1e12, 0.0, 1.0) == pytest.approx(10**0.905)
    assert concentration(1e10, 0.0, 1.0) == pytest.approx(10 ** (0.905 + 0.202))
    assert concentration(1e10, 1.0, 1.0) < concentration(1e10, 0.0, 1.0)


def test_expected_number_is_the_integral_of_the_mass_function() -> None:
    limits = np.array([1e9, 1e10, np.inf])
    kpc = DISTANCES.cosmology.kpc_per_arcsec(0.3)

    def density(m: float) -> float:
        return 0.025 / 1e8 * (m / 1e8) ** -1.9 * 0.8**1.7

    whole = sum(quad(density, low, 1e11, limit=500)[0] for low in (1e9, 1e10)) * kpc**2 * 0.04
    assert expected_subhalos(limits, 0.04, DISTANCES) == pytest.approx(whole, rel=1e-4)
    assert expected_subhalos(np.array([np.inf]), 1.0, DISTANCES) == 0.0


def test_masses_and_einstein_radii() -> None:
    theta = DISTANCES.einstein_radius * np.sqrt(1e9)
    assert DISTANCES.mass_within(theta) == pytest.approx(1e9)
    assert DISTANCES.known
    assert not Distances().known
    assert Distances().redshifts == (0.5, 2.0)


@pytest.mark.parametrize(("lens", "source"), [(0.5, None), (None, 1.0), (1.0, 0.5), (0.5, 11.0)])
def test_bad_redshifts_are_refused(lens: float | None, source: float | None) -> None:
    with pytest.raises(BadInput, match="redshift"):
        Distances(lens, source)
