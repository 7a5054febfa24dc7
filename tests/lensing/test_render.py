"""The renderer against its own profiles and against lenstronomy's image model."""

from dataclasses import replace

import numpy as np
import pytest
from lenstronomy.Data.imaging_data import ImageData
from lenstronomy.Data.psf import PSF
from lenstronomy.ImSim.image_model import ImageModel
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.Util.param_util import phi_q2_ellipticity

from darklens.lensing import (
    EPL,
    SIE,
    TNFW,
    Multipole,
    Perturbers,
    PixelGrid,
    PointMass,
    Scene,
    Sersic,
    Shear,
    render,
    source_plane,
)
from darklens.simulation import Simulator

GRID = PixelGrid((40, 52), 0.1)
PERTURBERS = Perturbers(
    points=np.array([[0.5, -0.7, 0.1], [-1.2, 0.1, 0.05]]),
    lines=np.array([[0.1, 0.4, 0.3, 0.85, 0.2, 0], [-0.3, 0.0, 2.0, 0.5, 0.2, 7]]),
    halos=np.array([[1.0, 1.0, 0.2, 5.0, 0.1]]),
)
SCENE = Scene(
    SIE(1.2, 0.7, 0.4, 0.01, -0.02),
    Shear(0.05, -0.03),
    PERTURBERS,
    (Sersic(20.0, 0.3, 1.5, 0.6, 1.0, 0.1, -0.2), Sersic(5.0, 0.1, 1.0)),
    (Sersic(3.0, 0.5, 4.0, 0.8),),
)


OTHER = replace(
    SCENE,
    lens=EPL(1.2, 2.1, 0.7, 0.4, 0.01, -0.02),
    multipoles=(Multipole(1, 0.01, 0.3, 1.2, 0.01, -0.02), Multipole(4, 0.02, 1.0)),
)


@pytest.mark.parametrize("scene", [SCENE, OTHER], ids=["isothermal", "power law, multipoles"])
def test_source_plane_is_the_lens_equation_of_all_profiles(scene: Scene) -> None:
    x, y = GRID.coordinates()
    beta_x, beta_y = x.copy(), y.copy()
    for profile in (scene.lens, scene.shear, *scene.multipoles, *PERTURBERS.profiles()):
        ax, ay = profile.deflection(x, y)
        beta_x, beta_y = beta_x - ax, beta_y - ay
    found = source_plane(scene, GRID)
    np.testing.assert_allclose(found[0], beta_x, atol=1e-13)
    np.testing.assert_allclose(found[1], beta_y, atol=1e-13)


def test_the_isothermal_power_law_has_the_bytes_of_the_ellipsoid() -> None:
    power_law = replace(SCENE, lens=EPL(1.2, 2.0, 0.7, 0.4, 0.01, -0.02))
    assert render(power_law, GRID).tobytes() == render(SCENE, GRID).tobytes()


def test_image_is_the_light_where_the_rays_arrive() -> None:
    x, y = GRID.coordinates()
    beta = source_plane(SCENE, GRID)
    light = sum(source.brightness(*beta) for source in SCENE.sources)
    light = light + SCENE.lens_light[0].brightness(x, y)
    np.testing.assert_allclose(render(SCENE, GRID), light * GRID.pixel_area, rtol=1e-11)


def test_supersampling_is_the_mean_of_a_finer_image() -> None:
    fine = PixelGrid((80, 104), 0.05)
    rows, columns = GRID.shape
    blocks = render(SCENE, fine).reshape(rows, 2, columns, 2).sum(axis=(1, 3))
    np.testing.assert_allclose(render(SCENE, GRID, supersampling=2), blocks, rtol=1e-10)


def test_lines_of_points_become_points_and_halos_become_halos() -> None:
    profiles = PERTURBERS.profiles()
    assert sum(isinstance(p, PointMass) for p in profiles) == 2 + 7
    assert sum(isinstance(p, TNFW) for p in profiles) == 1


def lenstronomy_image(scene: Scene, grid: PixelGrid, fwhm: float, truncation: float) -> np.ndarray:
    """The scene by lenstronomy's image model with its Gaussian PSF [counts/s]."""
    lens, points = scene.lens, scene.perturbers.profiles()
    e1, e2 = phi_q2_ellipticity(lens.position_angle, lens.axis_ratio)
    masses = [
        {
            "theta_E": lens.einstein_radius,
            "e1": e1,
            "e2": e2,
            "center_x": lens.x,
            "center_y": lens.y,
        },
        {"gamma1": scene.shear.gamma1, "gamma2": scene.shear.gamma2},
        *({"theta_E": p.einstein_radius, "center_x": p.x, "center_y": p.y} for p in points),
    ]
    (source,) = scene.sources
    e1, e2 = phi_q2_ellipticity(source.position_angle, source.axis_ratio)
    light = {
        "amp": source.amplitude,
        "R_sersic": source.radius,
        "n_sersic": source.sersic_index,
        "e1": e1,
        "e2": e2,
        "center_x": source.x,
        "center_y": source.y,
    }
    rows, columns = grid.shape
    scale = grid.pixel_scale
    data = ImageData(
        image_data=np.zeros(grid.shape),
        ra_at_xy_0=-0.5 * (columns - 1) * scale,
        dec_at_xy_0=-0.5 * (rows - 1) * scale,
        transform_pix2angle=scale * np.eye(2),
    )
    psf = PSF("GAUSSIAN", fwhm=fwhm, truncation=truncation, pixel_size=scale)
    model = ImageModel(
        data,
        psf,
        LensModel(["SIE", "SHEAR", *["POINT_MASS"] * len(points)]),
        LightModel(["SERSIC_ELLIPSE"]),
        kwargs_numerics={"supersampling_factor": 1},
    )
    return np.asarray(model.image(masses, [light]))


@pytest.mark.parametrize("index", range(12))
def test_legacy_image_is_that_of_lenstronomy(index: int) -> None:
    simulator = Simulator("model-1-legacy")
    lens = simulator.lens(index, seed=3)
    assert len(lens.scene.perturbers.profiles()) == (0, 25, 100)[lens.label]
    found = simulator.expected_rate(lens.scene)
    truth = lenstronomy_image(lens.scene, simulator.preset.grid, 0.087, 3)
    assert abs(found - truth).max() < 1e-8 * truth.max()
