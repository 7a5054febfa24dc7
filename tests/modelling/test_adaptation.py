"""Families for images of any shape: what may be changed, the noise of the sky, and the fit."""

from dataclasses import replace

import numpy as np
import pytest

from darklens.errors import BadInput
from darklens.lensing import GaussianPSF, PixelGrid, PixelPSF
from darklens.lensing.noise import NoNoise
from darklens.modelling import (
    GaussianLikelihood,
    SmoothFitter,
    adapt_preset,
    fit_estimates,
    sky_noise,
    smooth_model,
)
from darklens.simulation import Simulator, load_preset

GRID = PixelGrid((100, 110), 0.06)
SMALL = PixelGrid((60, 66), 0.1)
FEW = 2000
"""Lenses that a fit begins with, instead of 4000, which take longer than the fit."""


def kernel(sides: int, width: float) -> PixelPSF:
    place = np.arange(sides) - sides // 2
    wing = np.exp(-0.5 * (place / width) ** 2)
    return PixelPSF(np.outer(wing, wing))


def test_the_grid_of_the_image_is_taken_by_general_presets_only() -> None:
    assert adapt_preset(load_preset("galaxy"), grid=GRID).grid == GRID
    preset = load_preset("model-1")
    close = PixelGrid(preset.grid.shape, preset.grid.pixel_scale * (1 + 1e-6))
    assert adapt_preset(preset, grid=close).grid == preset.grid
    with pytest.raises(BadInput, match=r"150 x 150 pixels of 0.05 arcsec, not 100 x 110 of 0.06"):
        adapt_preset(preset, grid=GRID)


@pytest.mark.parametrize(("scale", "rays"), [(0.03, 2), (0.06, 2), (0.1, 3), (0.13, 4), (1.0, 10)])
def test_large_pixels_get_more_rays(scale: float, rays: int) -> None:
    adapted = adapt_preset(load_preset("galaxy"), grid=PixelGrid((40, 40), scale))
    assert adapted.instrument.supersampling == rays


def test_rays_are_dense_enough_for_large_pixels() -> None:
    galaxy = load_preset("galaxy")
    grid = PixelGrid((45, 45), 0.13)
    unit = GaussianLikelihood(np.ones(grid.shape))
    images = []
    for preset, rays in ((galaxy, 2), (adapt_preset(galaxy, grid=grid), None), (galaxy, 12)):
        instrument = preset.instrument
        if rays is not None:
            instrument = replace(instrument, supersampling=rays)
        model = smooth_model(replace(preset, grid=grid, instrument=instrument), unit, draws=10)
        images.append(np.stack([model.image(p) for p in model.draws]))
    errors = [np.sqrt(np.mean(np.square(image - images[2]))) for image in images[:2]]
    assert errors[1] < 0.35 * errors[0]


def test_sphere_ellipsoid_and_light() -> None:
    galaxy = load_preset("galaxy")
    unit = GaussianLikelihood(np.ones(galaxy.grid.shape))
    assert len(smooth_model(galaxy, unit, draws=10).names) == 22
    sphere_alone = adapt_preset(galaxy, mass="sphere", lens_light=False)
    sphere = smooth_model(sphere_alone, unit, draws=10).names
    assert "lens_e1" not in sphere
    assert not any(name.startswith("lens_light") for name in sphere)
    wider = smooth_model(adapt_preset(load_preset("common-test-1"), mass="ellipsoid"), draws=10)
    assert {"lens_e1", "lens_e2"} <= set(wider.names)
    with pytest.raises(BadInput, match="light of the lens"):
        adapt_preset(load_preset("model-1"), lens_light=True)


def test_sky_noise() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(3, 0.5, (80, 90))
    image[30:50, 30:50] += 1000
    assert sky_noise(image) == pytest.approx(np.full((80, 90), 0.5), rel=0.05)
    with pytest.raises(BadInput, match="noise map"):
        sky_noise(np.ones((30, 30)))


def test_sky_noise_within_a_frame_of_nan() -> None:
    image = np.random.default_rng(0).normal(3, 0.5, (80, 90))
    framed = np.full((100, 120), np.nan)
    framed[7:87, 20:110] = image
    framed[9, 25:40] = np.nan
    assert sky_noise(framed)[0, 0] == pytest.approx(0.5, rel=0.05)
    with pytest.raises(BadInput, match="every pixel is NaN"):
        sky_noise(np.full((30, 30), np.nan))


@pytest.mark.parametrize("unit", [1.0, 1e-17])
def test_a_galaxy_with_a_pixelised_psf_is_found(unit: float) -> None:
    """A simulated telescope's image, in any unit: within the errors, reduced chi-square 1."""
    psf = kernel(9, 0.9)
    preset = replace(adapt_preset(load_preset("galaxy"), grid=SMALL, psf=psf), noise=NoNoise())
    lens = Simulator(preset).lens(0, seed=5)
    expected = lens.image[0] / lens.parameters["exposure"]
    sky = 0.004 * float(expected.max())
    noise = np.sqrt(sky**2 + sky * np.maximum(expected, 0) / 10)
    image = unit * (expected + noise * np.random.default_rng(1).normal(size=expected.shape))
    model = smooth_model(preset, GaussianLikelihood(unit * noise), draws=FEW)
    fit = SmoothFitter(model).fit(image)
    assert fit.converged
    assert fit.chi_square == pytest.approx(1, abs=0.06)
    found = fit_estimates(fit)
    for name in ("einstein_radius", "lens_axis_ratio", "shear", "source_x", "lens_light_radius"):
        value, error = found[name]
        assert value == pytest.approx(lens.parameters[name], abs=5 * error)


def test_pixels_of_infinite_noise_are_left_out() -> None:
    preset = adapt_preset(
        load_preset("galaxy"), grid=SMALL, psf=GaussianPSF(0.15), lens_light=False
    )
    lens = Simulator(replace(preset, noise=NoNoise())).lens(1, seed=2)
    image = lens.image[0] / lens.parameters["exposure"]
    noise = np.full(image.shape, 0.01 * float(image.max()))
    image = image + noise * np.random.default_rng(1).normal(size=image.shape)
    image[:15, :15] += 10 * float(image.max())
    noise[:15, :15] = np.inf
    model = smooth_model(preset, GaussianLikelihood(noise), draws=FEW)
    fit = SmoothFitter(model).fit(image)
    assert fit.chi_square == pytest.approx(1, abs=0.06)
    assert fit.values["einstein_radius"] == pytest.approx(
        lens.parameters["einstein_radius"], abs=5 * fit.errors["einstein_radius"]
    )
    assert (fit.residual[:15, :15] == 0).all()
