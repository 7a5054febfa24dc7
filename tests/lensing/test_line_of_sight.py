"""Planes of halos against lenstronomy's multi-plane ray tracing, and their limits."""

import numpy as np
import pytest
from lenstronomy.LensModel.lens_model import LensModel

from darklens.lensing import (
    SIE,
    CircularMasses,
    Cosmology,
    HaloPlane,
    LineOfSight,
    Perturbers,
    PixelGrid,
    Scene,
    Sersic,
    Shear,
    render,
    source_plane,
)

Z_LENS, Z_SOURCE = 0.5, 1.5
COSMOLOGY = Cosmology()
GRID = PixelGrid((24, 20), 0.15)
HALOS = np.array([[0.3, -0.4, 0.2, 5.0, 0.05], [-0.8, 0.5, 0.1, 8.0, 0.04]])


def planes(*redshifts: float, sheet: float = 0.0) -> LineOfSight:
    return LineOfSight(
        tuple(HaloPlane(COSMOLOGY.comoving_distance(z), HALOS, sheet=sheet) for z in redshifts),
        COSMOLOGY.comoving_distance(Z_LENS),
        COSMOLOGY.comoving_distance(Z_SOURCE),
    )


def test_halos_in_the_plane_of_the_lens_are_perturbers_of_the_lens() -> None:
    smooth = {"lens": SIE(1.2, 0.8, 0.3, 0.05, -0.02), "shear": Shear(0.03, -0.02)}
    flat = Scene(**smooth, perturbers=Perturbers(halos=HALOS))
    deep = Scene(**smooth, line_of_sight=planes(Z_LENS))
    np.testing.assert_allclose(source_plane(deep, GRID), source_plane(flat, GRID), atol=1e-12)


@pytest.mark.filterwarnings("ignore:Cosmology is provided")
def test_rays_are_those_of_lenstronomy() -> None:
    scene = Scene(
        SIE(1.2, 1.0), Shear(0.03, -0.02), line_of_sight=planes(0.2, 0.5, 0.9, sheet=-0.01)
    )
    names, redshifts, parameters = ["SIS", "SHEAR"], [Z_LENS] * 2, []
    parameters = [{"theta_E": 1.2}, {"gamma1": 0.03, "gamma2": -0.02}]
    for z in (0.2, 0.5, 0.9):
        for x, y, radius, truncation, theta in HALOS:
            alpha = theta**2 / radius * (1 + np.log(0.5))
            place = {"center_x": x, "center_y": y}
            parameters.append(
                {"alpha_Rs": alpha, "Rs": radius, "r_trunc": truncation * radius, **place}
            )
            names.append("TNFW")
            redshifts.append(z)
        parameters.append({"kappa": -0.01})
        names.append("CONVERGENCE")
        redshifts.append(z)
    model = LensModel(
        names,
        z_source=Z_SOURCE,
        lens_redshift_list=redshifts,
        multi_plane=True,
        cosmo=COSMOLOGY._astropy,
    )
    x, y = GRID.coordinates()
    wanted = model.ray_shooting(x.ravel(), y.ravel(), parameters)
    found = source_plane(scene, GRID)
    np.testing.assert_allclose(np.reshape(found, (2, -1)), wanted, atol=1e-7)


def test_a_plane_in_front_of_the_lens_shifts_what_the_lens_sees() -> None:
    before, behind = (
        source_plane(Scene(SIE(1.2, 0.8), line_of_sight=planes(z)), GRID) for z in (0.3, 0.8)
    )
    assert np.abs(np.subtract(before, behind)).max() > 1e-3


def test_tables_of_round_masses_follow_the_profile() -> None:
    theta, core = 0.2, 0.05
    radii = CircularMasses.radii(1e-4, 30.0, 400)
    table = CircularMasses(
        np.array([[0.2, -0.1]]), 1e-4, 30.0, (theta**2 * radii**2 / (radii**2 + core**2))[None]
    )
    x, y = (c.ravel() for c in PixelGrid((40, 40), 0.013).coordinates())
    ax, ay = np.zeros_like(x), np.zeros_like(y)
    table.add(x, y, ax, ay)
    dx, dy = x - 0.2, y + 0.1
    factor = theta**2 / (dx**2 + dy**2 + core**2)
    np.testing.assert_allclose(ax, factor * dx, rtol=1e-5)
    np.testing.assert_allclose(ay, factor * dy, rtol=1e-5)


def test_beyond_its_table_a_round_mass_is_a_point() -> None:
    table = CircularMasses(np.zeros((1, 2)), 1e-2, 1.0, np.full((1, 50), 0.04))
    ax, ay = np.zeros(1), np.zeros(1)
    table.add(np.array([3.0]), np.array([4.0]), ax, ay)
    assert (ax[0], ay[0]) == pytest.approx((0.04 * 3 / 25, 0.04 * 4 / 25))


@pytest.mark.parametrize("supersampling", [1, 3])
def test_image_with_and_without_planes_agree(supersampling: int) -> None:
    source = Sersic(10.0, 0.2, 1.0, x=0.1)
    lens_light = Sersic(5.0, 0.5, 3.0, axis_ratio=0.8)
    shared = {"sources": (source,), "lens_light": (lens_light,)}
    flat = Scene(SIE(1.0, 0.9), perturbers=Perturbers(halos=HALOS), **shared)
    deep = Scene(SIE(1.0, 0.9), line_of_sight=planes(Z_LENS), **shared)
    wanted = render(flat, GRID, supersampling)
    np.testing.assert_allclose(render(deep, GRID, supersampling), wanted, rtol=1e-9)
