"""Pictures of galaxies as light, against SciPy's splines and lenstronomy's image model."""

from dataclasses import replace

import numpy as np
import pytest
from lenstronomy.Data.imaging_data import ImageData
from lenstronomy.Data.psf import PSF
from lenstronomy.ImSim.image_model import ImageModel
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.Util.param_util import phi_q2_ellipticity
from scipy import ndimage
from scipy.interpolate import RectBivariateSpline

from darklens.lensing import (
    SIE,
    GaussianPSF,
    LineOfSight,
    Perturbers,
    PictureLight,
    PixelGrid,
    Scene,
    Sersic,
    Shear,
    render,
)

ROWS, COLUMNS = 36, 44
GRID = PixelGrid((60, 60), 0.08)


def clumpy(rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    """A clumpy galaxy that is dark at the edge; the total is one."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:rows, :columns].astype(float)
    pixels = np.zeros((rows, columns))
    for _ in range(9):
        place = rng.normal((0.5 * rows, 0.5 * columns), 2.5)
        width = rng.uniform(1.2, 2.2)
        pixels += rng.random() * np.exp(-0.5 * np.hypot(y - place[0], x - place[1]) ** 2 / width**2)
    return pixels / pixels.sum()


PIXELS = clumpy()
SPLINE = ndimage.spline_filter(PIXELS, order=3).astype(np.float32)
LIGHT = PictureLight(SPLINE, 7.0, 0.05, 20.5, 17.25, rotation=0.7, x=0.1, y=-0.2)
SCENE = Scene(
    SIE(1.2, 0.7, 0.4, 0.01, -0.02),
    Shear(0.05, -0.03),
    Perturbers(points=np.array([[0.5, -0.7, 0.1], [-1.2, 0.1, 0.05]])),
    pictures=(LIGHT,),
)


def test_the_light_at_the_pixels_is_that_of_the_picture() -> None:
    plain = PictureLight(SPLINE, 1.0, 1.0, 0.0, 0.0)
    y, x = np.mgrid[2 : ROWS - 2, 2 : COLUMNS - 2].astype(float)
    found = plain.brightness(x, y)
    np.testing.assert_allclose(found, PIXELS[2:-2, 2:-2], atol=1e-6 * PIXELS.max())


def test_between_the_pixels_it_is_scipys_cubic_spline_turned_moved_and_scaled() -> None:
    x, y = (0.3 * coordinate for coordinate in GRID.coordinates())
    across, up = x - LIGHT.x, y - LIGHT.y
    cos, sin = np.cos(LIGHT.rotation), np.sin(LIGHT.rotation)
    u = (cos * across + sin * up) / LIGHT.pixel_scale + LIGHT.column
    v = (cos * up - sin * across) / LIGHT.pixel_scale + LIGHT.row
    inside = (u > 2) & (v > 2) & (u < COLUMNS - 4) & (v < ROWS - 4)
    wanted = ndimage.map_coordinates(PIXELS, [v[inside], u[inside]], order=3)
    wanted = np.maximum(wanted, 0) * LIGHT.flux / LIGHT.pixel_scale**2
    assert inside.sum() > 500
    found = LIGHT.brightness(x, y)
    np.testing.assert_allclose(found[inside], wanted, atol=1e-6 * wanted.max())


def test_the_flux_is_that_asked_for_whatever_the_size_and_rotation() -> None:
    fine = PixelGrid((400, 400), 0.02)
    for scale, rotation in ((0.05, 0.0), (0.08, 1.1), (0.11, 4.0)):
        light = replace(LIGHT, pixel_scale=scale, rotation=rotation)
        total = light.brightness(*fine.coordinates()).sum() * fine.pixel_area
        assert total == pytest.approx(7.0, rel=2e-3)  # the rays, and light below zero


def test_it_is_zero_beyond_the_picture_and_negative_nowhere() -> None:
    noise = np.random.default_rng(0).normal(size=(20, 20))
    light = PictureLight(ndimage.spline_filter(noise).astype(np.float32), 1.0, 1.0, 0.0, 0.0)
    y, x = np.mgrid[-40:60, -40:60] + 0.5
    found = light.brightness(x, y)
    outside = (x < 0) | (y < 0) | (x > 19) | (y > 19)
    assert (found[outside] == 0).all()
    assert found.min() == 0
    assert found.max() > 1


def test_pictures_shine_beside_sersic_light_and_behind_planes() -> None:
    sersic = replace(SCENE, pictures=(), sources=(Sersic(3.0, 0.2, 1.0),))
    both = replace(SCENE, sources=sersic.sources)
    together = render(SCENE, GRID, 2) + render(sersic, GRID, 2)
    np.testing.assert_allclose(render(both, GRID, 2), together, rtol=1e-10)
    behind = replace(SCENE, line_of_sight=LineOfSight((), 1300.0, 3300.0))
    np.testing.assert_allclose(
        render(behind, GRID, 2), render(SCENE, GRID, 2), atol=1e-9 * together.max()
    )


def lenstronomy_image(finer: int) -> np.ndarray:
    """The scene by lenstronomy, whose picture is interpolated linearly: on a finer one."""
    fine_row, fine_column = (np.arange((side - 1) * finer + 1) / finer for side in PIXELS.shape)
    spline = RectBivariateSpline(np.arange(ROWS), np.arange(COLUMNS), PIXELS)
    fine = np.maximum(spline(fine_row, fine_column), 0) * LIGHT.flux / LIGHT.pixel_scale**2
    cos, sin = np.cos(LIGHT.rotation), np.sin(LIGHT.rotation)
    across, up = (
        (0.5 * (side - 1) - place) * LIGHT.pixel_scale
        for side, place in ((COLUMNS, LIGHT.column), (ROWS, LIGHT.row))
    )
    light = {
        "image": fine,
        "amp": 1.0,
        "center_x": LIGHT.x + cos * across - sin * up,
        "center_y": LIGHT.y + sin * across + cos * up,
        "phi_G": LIGHT.rotation,
        "scale": LIGHT.pixel_scale / finer,
    }
    e1, e2 = phi_q2_ellipticity(SCENE.lens.position_angle, SCENE.lens.axis_ratio)
    masses = [
        {"theta_E": 1.2, "e1": e1, "e2": e2, "center_x": 0.01, "center_y": -0.02},
        {"gamma1": 0.05, "gamma2": -0.03},
        *({"theta_E": t, "center_x": x, "center_y": y} for x, y, t in SCENE.perturbers.points),
    ]
    rows, columns = GRID.shape
    scale = GRID.pixel_scale
    data = ImageData(
        image_data=np.zeros(GRID.shape),
        ra_at_xy_0=-0.5 * (columns - 1) * scale,
        dec_at_xy_0=-0.5 * (rows - 1) * scale,
        transform_pix2angle=scale * np.eye(2),
    )
    model = ImageModel(
        data,
        PSF("GAUSSIAN", fwhm=0.15, truncation=4, pixel_size=scale),
        LensModel(["SIE", "SHEAR", *["POINT_MASS"] * len(SCENE.perturbers.points)]),
        LightModel(["INTERPOL"]),
        kwargs_numerics={"supersampling_factor": 2, "supersampling_convolution": False},
    )
    return np.asarray(model.image(masses, [light]))


def test_the_lensed_picture_is_that_of_lenstronomy() -> None:
    """Within 5e-5 of the peak; what is left falls as lenstronomy's picture is made finer."""
    found = GaussianPSF(0.15, 4).convolve(render(SCENE, GRID, 2), GRID.pixel_scale)
    apart = {n: abs(lenstronomy_image(n) - found).max() / found.max() for n in (8, 32)}
    assert apart[32] < 5e-5
    assert apart[32] < 0.1 * apart[8]
