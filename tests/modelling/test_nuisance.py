"""Directions of nuisance: each is what a changed lens, source or telescope does to the image."""

import math
from dataclasses import replace

import numpy as np
import pytest
from jaxtyping import Float
from lenstronomy.LensModel.Profiles.multipole import Multipole
from numpy.polynomial import hermite

from darklens.lensing.instrument import GaussianPSF
from darklens.modelling import NuisancePriors, Parameter, SmoothModel, smooth_model
from darklens.modelling.nuisance import (
    KINDS,
    LENS_LIGHT,
    hermite_functions,
    nuisance_directions,
)
from darklens.simulation import load_preset

NOTHING = NuisancePriors(
    multipole=0.0, shapelets=0.0, psf_width=0.0, psf_ellipticity=0.0, lens_light=0.0
)


@pytest.fixture(scope="module")
def model() -> SmoothModel:
    return smooth_model(load_preset("common-test-1"), draws=20)


@pytest.fixture(scope="module")
def parameters(model: SmoothModel) -> Float[np.ndarray, " p"]:
    return model.draws[0]


def directions(
    model: SmoothModel, parameters: np.ndarray, **priors: float
) -> tuple[np.ndarray, np.ndarray]:
    """Directions that are small changes, and those that are light of the lens."""
    sensitivity = model.deflection_response(parameters)
    found = nuisance_directions(model, parameters, sensitivity, replace(NOTHING, **priors))
    assert tuple(found) == KINDS
    light = found.pop(LENS_LIGHT)
    return np.concatenate(list(found.values())), light


def test_nothing_is_marginalised_without_priors(model: SmoothModel, parameters: np.ndarray) -> None:
    small, light = directions(model, parameters)
    assert len(small) == len(light) == 0


@pytest.mark.parametrize(("order", "first"), [(1, 0), (3, 2), (4, 4)])
def test_multipoles_are_those_of_lenstronomy(
    model: SmoothModel, parameters: np.ndarray, order: int, first: int
) -> None:
    small, _ = directions(model, parameters, multipole=0.01)
    sensitivity = model.deflection_response(parameters)
    theta = parameters[Parameter.EINSTEIN_RADIUS]
    x, y = model.grid.coordinates()
    for k, angle in enumerate((0.0, 0.5 * np.pi / order)):
        ax, ay = Multipole().derivatives(
            x.ravel(), y.ravel(), m=order, a_m=0.01 * theta, phi_m=angle, r_E=theta
        )
        expected = sensitivity[0].ravel() * ax + sensitivity[1].ravel() * ay
        assert small[first + k].ravel() == pytest.approx(expected, abs=1e-6 * abs(expected).max())


def test_a_wider_psf_is_a_direction(model: SmoothModel, parameters: np.ndarray) -> None:
    small, _ = directions(model, parameters, psf_width=0.02)
    psf = model.instrument.psf
    assert isinstance(psf, GaussianPSF)
    wider = replace(psf, fwhm=1.02 * psf.fwhm)
    changed = replace(model, instrument=replace(model.instrument, psf=wider))
    difference = changed.image(parameters) - model.image(parameters)
    left = difference - small[0]
    assert np.linalg.norm(left) < 0.2 * np.linalg.norm(difference)


def test_shapelets_explain_a_clump_of_the_source(
    model: SmoothModel, parameters: np.ndarray
) -> None:
    small, _ = directions(model, parameters, shapelets=0.1)
    clump = parameters.copy()
    clump[Parameter.SOURCE_X] += 0.15
    clump[Parameter.SOURCE_LOG_RADIUS] = np.log(0.2)
    clump[Parameter.SOURCE_SERSIC_INDEX] = 1.0
    shape = Parameter.SOURCE_LOG_RADIUS, Parameter.SOURCE_SERSIC_INDEX
    own = replace(model, free=(*shape, Parameter.SOURCE_LOG_AMPLITUDE)).derivatives(parameters)
    image = model.image(clump).ravel()
    left = []
    for rows in (own, np.concatenate([own, small])):
        flat = rows.reshape(len(rows), -1)
        amplitudes, *_ = np.linalg.lstsq(flat.T, image, rcond=None)
        left.append(np.linalg.norm(image - amplitudes @ flat))
    assert left[1] < 0.1 * left[0]


def test_light_of_the_lens_has_the_flux_of_its_prior(
    model: SmoothModel, parameters: np.ndarray
) -> None:
    _, light = directions(model, parameters, lens_light=0.1)
    fluxes = light.sum(axis=(1, 2))
    assert len(light) == 15
    assert fluxes[::5] == pytest.approx(fluxes[0], rel=0.1)
    assert np.delete(fluxes, [0, 5, 10]) == pytest.approx(0, abs=0.01 * float(fluxes[0]))
    assert np.argmax(light[0]) in {74 * 150 + 74, 74 * 150 + 75, 75 * 150 + 74, 75 * 150 + 75}


def testhermite_functions_are_those_of_numpy() -> None:
    u = np.linspace(-6, 6, 50)[np.newaxis]
    for n, function in enumerate(hermite_functions(u, 12)):
        unit = np.zeros(n + 1)
        unit[n] = 1 / np.sqrt(2.0**n * math.factorial(n))
        assert function == pytest.approx(hermite.hermval(u, unit) * np.exp(-0.5 * u**2), abs=1e-6)
