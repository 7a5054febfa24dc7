"""The source in its plane is that which the image is made of."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from darklens.detection.band_fit import BandFit
from darklens.detection.bands import Band, Target
from darklens.detection.source_plane import multiply_imaged, source_brightness
from darklens.modelling import Parameter


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


@pytest.mark.parametrize(
    ("place", "least", "most"), [(0.0, 0.99, 1.0), (1.0, 0.05, 0.95), (2.2, 0.0, 0.01)]
)
def test_light_within_the_einstein_radius_has_several_images(
    flexible: Any, lens: Any, place: float, least: float, most: float
) -> None:
    """The cut of an isothermal sphere is a circle of its Einstein radius, here 1 arcsec."""
    parameters = lens.parameters.copy()
    parameters[:8] = 1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0
    parameters[[Parameter.SOURCE_X, Parameter.SOURCE_Y]] = place, 0.0
    bare = flexible.with_perturbation(None)
    state = bare.state(parameters)
    image = bare.source_only(state)
    band = Band(bare, Target(image, np.ones_like(image)))
    view = BandFit(band, state, image, np.zeros((2, *image.shape)), 0 * image)
    assert least <= multiply_imaged(view) <= most
