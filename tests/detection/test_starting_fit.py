"""What is set up about the parametric fit of a lens."""

from dataclasses import replace
from typing import Any

import numpy as np

from darklens.detection.starting_fit import band_of, starting_fit
from darklens.lensing import GaussianPSF, Sersic, render
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
