"""Several images of one lens: what is shared, offsets, errors, and mocks by lenstronomy."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from darklens.detection import Distances, LensFit, LensFitter, SubhaloDetector
from darklens.detection.bands import Band, Bands, Target
from darklens.detection.flexible_lens import FlexibleLens
from darklens.detection.gauss_newton import linearise
from darklens.detection.lens_state import LensState
from darklens.detection.priors import FlexibilityPriors, prior_of
from darklens.detection.scan import LOG_MASSES, scan_positions, scan_subhalos
from darklens.detection.trust import arcs_chi_squares, distrust
from darklens.errors import BadInput
from darklens.lensing import GaussianPSF
from darklens.modelling import Parameter
from darklens.observations import Observation, observation_of

PSF = GaussianPSF(0.12, 4)
MASSES = (Parameter.EINSTEIN_RADIUS, Parameter.LENS_SLOPE, Parameter.GAMMA1, Parameter.LENS_E1)
OFFSET = (0.11, -0.07)


def observed(lens: Any, seed: int, *, noise: float = 1.0) -> Observation:
    """The lens with `noise` times its noise."""
    deviation = noise * lens.noise
    image = lens.flux + deviation * np.random.default_rng(seed).normal(size=deviation.shape)
    return observation_of(image, deviation, 0.08, PSF)


def errors_of(fit: LensFit) -> Any:
    errors = fit.errors()
    return np.array([errors[fit.lens.free.index(k)] for k in MASSES])


@pytest.fixture(scope="module")
def pair(flexible: FlexibleLens, lens: Any) -> Bands:
    """Two bands of a lens with a satellite, the second with its centre elsewhere."""
    both = replace(flexible, satellites=np.array([1.5, -1.2, 0.15]))
    target = Target(lens.observed(), 1 / lens.noise)
    return Bands((Band(both, target), Band(both, target, OFFSET)))


@pytest.fixture(scope="module")
def states(pair: Bands, state: LensState) -> tuple[LensState, ...]:
    """Values that agree in what is shared."""
    first = replace(state, satellites=np.array([1.4, -1.1, 0.2]))
    parameters = first.parameters.copy()
    parameters[[Parameter.LENS_X, Parameter.LENS_Y]] -= OFFSET
    other = replace(first, parameters=parameters, source=0.5 * first.source, psf=-first.psf)
    both = (first, other)
    return pair.moved(both, pair.vector(both))


def test_the_mass_is_at_one_place_of_the_sky(pair: Bands, states: tuple[LensState, ...]) -> None:
    vector = pair.vector(states)
    rows = pair.rows(states)
    assert len(vector) == len(rows[0]) + len(rows[1]) - len(pair.bands[1].shared(states[1]))
    registration = rows[1][:2]
    vector[registration] = 0.02, -0.03
    vector[pair.first.lens.free.index(Parameter.LENS_X)] += 0.04
    first, other = moved = pair.moved(states, vector)
    assert np.allclose(pair.vector(moved), vector, atol=1e-12)
    shift = np.array([0.02, -0.03]) - OFFSET
    centre = [Parameter.LENS_X, Parameter.LENS_Y]
    assert np.allclose(other.parameters[centre], first.parameters[centre] + shift)
    assert np.allclose(other.satellites, first.satellites + np.array([*shift, 0]))
    assert np.allclose(other.perturber, first.perturber + np.array([*shift, 0]))
    assert np.allclose(pair.registered(moved)[1], [0.02, -0.03])
    kept = [Parameter.EINSTEIN_RADIUS, Parameter.LENS_SLOPE, Parameter.GAMMA1, Parameter.GAMMA2]
    assert np.array_equal(other.parameters[kept], first.parameters[kept])
    assert np.array_equal(other.multipoles, first.multipoles)
    assert not np.allclose(other.source, first.source)


def test_derivatives_of_what_is_shared_are_those_of_the_images(
    pair: Bands, states: tuple[LensState, ...]
) -> None:
    vector = pair.vector(states)
    here = linearise(pair, states, vector, np.ones_like(vector))
    part, rows = here.problem.parts[1], pair.rows(states)[1]
    shape = here.images[1].shape
    weight = pair.bands[1].target.weight
    first = len(pair.first.lens.free) + len(states[0].multipoles)
    shared = [pair.first.lens.free.index(Parameter.EINSTEIN_RADIUS), first, first + 3, first + 5]
    for place in (*rows[:2], *shared):
        ends = []
        for sign in (1, -1):
            moved = vector.copy()
            moved[place] += sign * 1e-4
            ends.append(pair.bands[1].lens.image(pair.moved(states, moved)[1]))
        numerical = (((ends[0] - ends[1]) / 2e-4) * weight)[6:-6, 6:-6]
        row = int(np.flatnonzero(rows == place)[0])
        found = part.derivatives[row].reshape(shape)[6:-6, 6:-6]
        assert np.abs(found - numerical).max() < 0.04 * np.abs(numerical).max()


def test_a_perturber_comes_and_goes_in_all_bands(
    pair: Bands, states: tuple[LensState, ...]
) -> None:
    first, other = pair.with_perturber(states, np.array([0.3, 0.4, 9.0]))
    assert np.allclose(first.perturber, [0.3, 0.4, 9.0])
    assert np.allclose(other.perturber, [0.3 - OFFSET[0], 0.4 - OFFSET[1], 9.0])
    assert all(len(state.perturber) == 0 for state in pair.with_perturber(states, np.zeros(0)))
    assert len(pair.vector(pair.with_perturber(states, np.zeros(0)))) == len(
        pair.vector(states)
    ) - len(other.perturber)


@pytest.fixture(scope="module")
def fits(lens: Any) -> dict[str, LensFit]:
    """One image, one of twice the exposure, and two images."""
    fitter = LensFitter()
    one, two = observed(lens, 0), observed(lens, 1)
    return {
        "one": fitter.fit(one),
        "list": fitter.fit([one]),
        "deep": fitter.fit(observed(lens, 0, noise=2**-0.5)),
        "two": fitter.fit([one, two]),
    }


def test_one_image_in_a_list_is_that_image(fits: dict[str, LensFit]) -> None:
    one, alone = fits["one"], fits["list"]
    assert one.log_evidence == pytest.approx(alone.log_evidence, rel=1e-6)
    assert np.allclose(one.state.parameters, alone.state.parameters, rtol=1e-6, atol=1e-6)
    assert np.allclose(one.errors(), alone.errors(), rtol=1e-4)


def test_two_images_are_worth_one_of_twice_the_exposure(
    fits: dict[str, LensFit], lens: Any
) -> None:
    one, deep, two = (errors_of(fits[name]) for name in ("one", "deep", "two"))
    assert np.allclose(two, deep, rtol=0.15)
    assert np.allclose(one / two, np.sqrt(2), rtol=0.2)
    fit = fits["two"]
    for k, error in zip(MASSES, two, strict=True):
        assert abs(fit.state.parameters[k] - lens.parameters[k]) < 4 * error
    assert np.allclose(fit.views[1].registration, 0, atol=0.01)
    assert fit.here.converged
    chi_squares = arcs_chi_squares(fit, fit.basis())
    assert len(chi_squares) == 2
    assert all(0.75 < value < 1.25 for value in chi_squares)
    assert distrust(fit, *chi_squares) == ""
    assert "residual within the arcs of image is" in distrust(fit, 1.0, 2.5)


def test_a_subhalo_is_sqrt_two_times_as_significant_in_two_images(
    fits: dict[str, LensFit],
) -> None:
    families = SubhaloDetector(Distances(0.3, 1.0)).families
    depths = {}
    for name in ("one", "deep", "two"):
        fit = fits[name]
        rows, columns = scan_positions(fits["one"].arcs, 0.08)
        few = slice(None, None, 12)
        scan = scan_subhalos(
            fit.views,
            fit.settled_residual(),
            fit.basis(),
            families,
            (rows[few], columns[few]),
            draws=30,
            rng=np.random.default_rng(0),
        )
        depths[name] = scan.depths[0, LOG_MASSES.index(9.5)]
        assert np.isfinite(scan.gains).all()  # a perturber lies on no ray of any band
        assert scan.peaks.max() < 5
    assert np.median(depths["two"] / depths["one"]) == pytest.approx(np.sqrt(2), rel=0.1)
    assert np.median(depths["two"] / depths["deep"]) == pytest.approx(1.0, rel=0.1)


def test_a_source_of_another_colour_and_other_pixels_give_the_same_lens(
    two_colours: Callable[[], tuple[list[Observation], dict[Parameter, float]]],
) -> None:
    seen, truth = two_colours()
    both, alone = (
        LensFitter().fit(seen, lens_light=False),
        LensFitter().fit(seen[0], lens_light=False),
    )
    errors, single = both.errors(), alone.errors()
    for k, value in truth.items():
        error = errors[both.lens.free.index(k)]
        assert abs(both.state.parameters[k] - value) < 4 * error
        assert error < single[alone.lens.free.index(k)]
    assert errors[both.lens.free.index(Parameter.EINSTEIN_RADIUS)] < 0.01
    assert [view.weight.shape for view in both.views] == [(62, 62), (41, 41)]
    assert [view.lens.model.grid.pixel_scale for view in both.views] == [0.08, 0.12]
    sizes = [np.exp(view.state.parameters[Parameter.SOURCE_LOG_RADIUS]) for view in both.views]
    assert sizes[1] > 1.2 * sizes[0]


@pytest.fixture
def two_colours() -> Callable[[], tuple[list[Observation], dict[Parameter, float]]]:
    """Makes a lens by lenstronomy in two bands that differ in pixels, PSF and source."""
    lens_model = pytest.importorskip("lenstronomy.LensModel.lens_model")
    light_model = pytest.importorskip("lenstronomy.LightModel.light_model")

    def make() -> tuple[list[Observation], dict[Parameter, float]]:
        rng = np.random.default_rng(4)
        lens = lens_model.LensModel(["EPL", "SHEAR"])
        masses = [
            {"theta_E": 1.15, "gamma": 2.1, "e1": 0.1, "e2": -0.05, "center_x": 0, "center_y": 0},
            {"gamma1": 0.03, "gamma2": -0.02},
        ]
        seen = []
        for scale, side, width, radius, index, x in (
            (0.08, 62, 0.12, 0.18, 1.0, 0.1),
            (0.12, 41, 0.2, 0.3, 1.8, 0.13),
        ):
            n = 4
            row = (np.arange(n * side) - 0.5 * (n * side - 1)) * scale / n
            beta = lens.ray_shooting(*(c.ravel() for c in np.meshgrid(row, row)), masses)
            source = {"amp": 1.0, "R_sersic": radius, "n_sersic": index, "e1": 0.1, "e2": 0.05}
            source |= {"center_x": x, "center_y": -0.06}
            light = light_model.LightModel(["SERSIC_ELLIPSE"]).surface_brightness(*beta, [source])
            psf = GaussianPSF(width, 4)
            fine = psf.convolve(light.reshape(n * side, n * side), scale / n)
            flux = fine.reshape(side, n, side, n).mean(axis=(1, 3)) * scale**2
            noise = np.full(flux.shape, flux.max() / 80)
            image = flux + noise * rng.normal(size=flux.shape)
            seen.append(observation_of(image, noise, scale, psf))
        truth = {Parameter.EINSTEIN_RADIUS: 1.15, Parameter.LENS_SLOPE: 2.1}
        return seen, truth | {Parameter.GAMMA1: 0.03, Parameter.GAMMA2: -0.02}

    return make


@pytest.mark.slow
def test_a_search_of_two_images(make_lens: Callable[..., Any]) -> None:
    """The whole search, beside that of one image of twice the exposure."""
    lens = make_lens(10.0, signal=150.0)
    detector = SubhaloDetector(Distances(0.3, 1.0), draws=60)
    deep = detector.detect(observed(lens, 0, noise=2**-0.5))
    both = detector.detect([observed(lens, 0), observed(lens, 1)])
    assert both.verdict == "subhalo"
    assert both.p_value < 1e-3
    assert both.significance == pytest.approx(deep.significance, abs=2.0)
    assert both.limit_mass() == pytest.approx(deep.limit_mass(), rel=0.2)
    subhalo = both.subhalo
    assert subhalo is not None
    assert np.hypot(subhalo.x - 1.0, subhalo.y - 0.5) < 0.2
    assert abs(subhalo.log_mass - 10.0) < max(0.3, 3 * subhalo.mass_error)
    assert set(both.maps(1)) == {"model", "residual", "no_lens_light", "source"}
    assert "significance" in both.maps()


def test_no_image_is_refused() -> None:
    with pytest.raises(BadInput, match="no image"):
        LensFitter().fit([])


def test_the_registration_is_held_by_its_prior(flexible: FlexibleLens, lens: Any) -> None:
    """Two bands without data: all values stay at their prior, with its width."""
    bare = flexible.with_perturbation(None)
    state = bare.state(lens.parameters)
    dark = Target(lens.flux, np.zeros_like(lens.flux))
    bands = Bands((Band(bare, dark), Band(bare, dark, OFFSET)))
    shifted = state.parameters.copy()
    shifted[[Parameter.LENS_X, Parameter.LENS_Y]] -= OFFSET
    states = (state, replace(state, parameters=shifted))
    priors = FlexibilityPriors(registration=0.031)
    field = bare.source.deviations(0.05, 0.1)
    parts = [prior_of(bare, one, field, 1.0, priors) for one in states]
    none, free = [np.zeros(2)] * 2, [np.full(2, priors.registration)] * 2
    means = bands.joined(states, [mean for mean, _ in parts], none)
    deviations = bands.joined(states, [deviation for _, deviation in parts], free)
    here = linearise(bands, states, means, deviations)
    assert np.allclose(here.problem.best(deviations), means)
    covariance = here.problem.covariance(deviations, len(means))
    assert np.allclose(np.sqrt(np.diag(covariance)), deviations)
    assert (deviations == 0.031).sum() == 2
