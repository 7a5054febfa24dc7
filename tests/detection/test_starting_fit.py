"""What is set up about the parametric fit of a lens."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from darklens.detection.starting_fit import band_of, starting_fit
from darklens.lensing import EPL, GaussianPSF, Perturbers, PixelGrid, Scene, Sersic, Shear, render
from darklens.modelling import Parameter
from darklens.observations import observation_of

PSF = GaussianPSF(0.12, 4)


def rays(lens: Any, source: Sersic, signal: float) -> int:
    """Rays a side of a pixel that a lens with another source gets."""
    scene = replace(lens.scene, sources=(source,))
    flux = PSF.convolve(render(scene, lens.model.grid, 4), 0.08)
    noise = np.full(flux.shape, flux.max() / signal)
    data = flux + noise * np.random.default_rng(0).normal(size=flux.shape)
    seen = observation_of(data, noise, 0.08, PSF)
    start = starting_fit(seen, lens_light=True)
    band = band_of(seen, start, lens_light=True, satellites=np.zeros(0))
    return int(band.lens.model.instrument.supersampling)


def test_a_bright_centre_gets_more_rays(lens: Any) -> None:
    assert rays(lens, Sersic(4.0, 0.25, 0.6, 0.8, 0.6, 0.08, -0.05), 40.0) == 2
    assert rays(lens, Sersic(4.0, 0.25, 4.0, 0.8, 0.6, 0.08, -0.05), 300.0) == 4


@pytest.mark.parametrize(("light", "x"), [(2.0, 0.0), (5.0, 0.3)])
def test_arcs_may_be_brighter_than_the_lens(light: float, x: float) -> None:
    """Four images of the source, each some times as bright as the centre of the lens."""
    lens = EPL(1.35, 2.07, 0.6, 0.55, x, -0.02)
    source = Sersic(60.0, 0.15, 1.7, 0.8, 0.4, x + 0.12, -0.13)
    galaxy = Sersic(light, 1.0, 2.5, 0.6, 0.55, x, -0.02)
    scene = Scene(lens, Shear(-0.04, -0.014), Perturbers(), (source,), (galaxy,))
    psf = GaussianPSF(0.1, 4)
    flux = psf.convolve(render(scene, PixelGrid((100, 100), 0.05), 4), 0.05)
    noise = np.sqrt(0.02 * flux.max() + flux)
    noise *= flux.max() / 150 / np.median(noise)
    data = flux + noise * np.random.default_rng(1).normal(size=flux.shape)
    assert data.max() > 3 * data[45:55, 45:60].max() or light > 2
    start = starting_fit(observation_of(data, noise, 0.05, psf), lens_light=True)
    assert start.chi_square < 1.1
    assert abs(start.parameters[Parameter.EINSTEIN_RADIUS] - 1.35) < 0.01
