"""The source in its plane is that which the image is made of."""

from dataclasses import replace
from typing import Any

import numpy as np

from darklens.detection.band_fit import BandFit
from darklens.detection.bands import Band, Target
from darklens.detection.source_plane import source_brightness


def test_the_source_is_that_of_the_image(flexible: Any, state: Any, lens: Any) -> None:
    """Through no lens and no PSF, an image shows its source plane."""
    nothing = np.zeros_like(state.perturber[:0])
    bare = replace(flexible.model, instrument=replace(flexible.model.instrument, psf=None))
    plain = replace(flexible, model=bare, perturbation=None)
    parameters = state.parameters.copy()
    parameters[:8] = 0.0
    parameters[5] = 2.0  # the slope; no mass, no shear
    still = np.zeros_like(state.multipoles)
    state = replace(state, parameters=parameters, multipoles=still, perturber=nothing)
    expected = plain.source_only(state)
    band = Band(plain, Target(expected, np.ones_like(expected)))
    zeros = np.zeros((2, *expected.shape))
    view = BandFit(band, state, expected, zeros, zeros[0])
    n, scale = bare.instrument.supersampling, bare.grid.pixel_scale
    x, y = bare.grid.coordinates()
    steps = ((np.arange(n) + 0.5) / n - 0.5) * scale
    rays = [source_brightness(view, (x + u).ravel(), (y + v).ravel()) for u in steps for v in steps]
    found = scale**2 * np.mean(rays, axis=0).reshape(expected.shape)
    assert np.allclose(found, expected, atol=1e-6 * expected.max())
    profile = BandFit(band, replace(state, source=0 * state.source), expected, zeros, zeros[0])
    assert not np.allclose(source_brightness(profile, x[24], y[24]), found[24] / scale**2)
