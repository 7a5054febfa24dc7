"""The whole search on small lenses, and what makes a fit untrustworthy."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from darklens.detection import Detection, Distances, LensFit, SubhaloDetector
from darklens.detection.bands import Bands, Target
from darklens.detection.lens_fit import LensFitter
from darklens.detection.linear_solution import FitDiverged
from darklens.detection.refinement import refine
from darklens.detection.scan import LOG_MASSES
from darklens.detection.trust import arcs_chi_square, distrust
from darklens.errors import BadInput
from darklens.lensing import GaussianPSF
from darklens.modelling import Parameter
from darklens.observations import Observation, observation_of

PSF = GaussianPSF(0.12, 4)


@pytest.fixture(scope="module")
def detector() -> SubhaloDetector:
    return SubhaloDetector(Distances(0.3, 1.0), draws=60)


@pytest.fixture(scope="module")
def smooth(detector: SubhaloDetector, lens: Any) -> Detection:
    """The answer for the lens without a subhalo, with two bad columns masked."""
    data, noise = lens.observed(), lens.noise.copy()
    data[:, 3:5], noise[:, 3:5] = np.nan, np.inf
    return detector.detect(observation_of(data, noise, 0.08, PSF))


@pytest.fixture(scope="module")
def heavy(detector: SubhaloDetector, make_lens: Callable[..., Any]) -> Detection:
    """The answer for a lens with a subhalo of 10^10 solar masses."""
    lens = make_lens(10.0, signal=300.0)
    return detector.detect(observation_of(lens.observed(), lens.noise, 0.08, PSF))


def test_a_smooth_lens_has_no_subhalo(smooth: Detection, lens: Any) -> None:
    assert smooth.verdict == "no subhalo seen"
    assert smooth.significance < 5
    fit = smooth.smooth
    names, errors = fit.lens.free, fit.errors()
    for k in (Parameter.EINSTEIN_RADIUS, Parameter.LENS_SLOPE, Parameter.GAMMA1):
        error = errors[names.index(k)]
        assert abs(fit.state.parameters[k] - lens.parameters[k]) < 4 * error
        assert 1e-4 < error < 0.3
    assert 0.8 < smooth.chi_square < 1.2


def test_a_heavy_subhalo_is_found_where_it_is(heavy: Detection) -> None:
    assert heavy.verdict == "subhalo"
    assert heavy.significance > 5
    assert heavy.p_value < 0.01
    assert heavy.delta_bic > 0
    subhalo, scan = heavy.subhalo, heavy.scan
    assert subhalo is not None
    assert scan is not None
    near = int(np.argmin(np.hypot(scan.x - 1.0, scan.y - 0.5)))
    expected = scan.depths[0, LOG_MASSES.index(10.0), near]
    assert abs(heavy.significance - expected) < 3
    assert np.hypot(subhalo.x - 1.0, subhalo.y - 0.5) < 0.2
    assert abs(subhalo.log_mass - 10.0) < max(0.3, 3 * subhalo.mass_error)


class _Diverging(LensFitter):
    """No fit with a subhalo succeeds."""

    def refit(self, *_: Any, **__: Any) -> LensFit:
        raise FitDiverged


def test_candidates_whose_fits_diverge_stay_those_of_the_scan(
    detector: SubhaloDetector, heavy: Detection
) -> None:
    assert heavy.scan is not None
    smooth, best, subhalo = refine(_Diverging(), heavy.smooth, heavy.scan, detector.families)
    assert smooth is heavy.smooth
    assert best is heavy.smooth
    assert subhalo is not None
    assert not subhalo.refined
    assert subhalo.significance > 5
    assert np.isnan(subhalo.mass_error)


def test_maps_and_limits(smooth: Detection) -> None:
    maps = smooth.maps()
    shape = smooth.smooth.target.data.shape
    assert {image.shape for image in maps.values()} == {shape}
    assert np.nanmax(maps["significance"]) >= 0
    assert (maps["limit_mass_3"] <= maps["limit_mass_5"])[np.isfinite(maps["limit_mass_5"])].all()
    assert smooth.limit_mass(3.0) <= smooth.limit_mass(5.0)
    assert 0 <= smooth.expected(5.0) <= smooth.expected(3.0)
    masked = maps["residual"][:, 3:5]
    assert np.array_equal(masked, np.zeros_like(masked))


def test_an_image_that_is_not_deep_enough_is_blind(heavy: Detection) -> None:
    assert heavy.scan is not None
    assert not heavy.is_blind
    shallow = replace(heavy.scan, depths=0.01 * heavy.scan.depths)
    assert replace(heavy, scan=shallow).is_blind


def test_a_blind_search_says_so(detector: SubhaloDetector, make_lens: Callable[..., Any]) -> None:
    faint = make_lens(signal=25.0)
    found = detector.detect(observation_of(faint.observed(), faint.noise, 0.08, PSF))
    assert found.is_blind
    assert found.reason.endswith("even 10^11 solar masses would not be seen")


def _with(fit: LensFit, **values: float) -> LensFit:
    parameters = fit.state.parameters.copy()
    for name, value in values.items():
        parameters[Parameter[name.upper()]] = value
    states = (replace(fit.state, parameters=parameters),)
    return replace(fit, here=replace(fit.here, states=states))


def _fainter(fit: LensFit) -> LensFit:
    target = Target(fit.target.data, 0.01 * fit.target.weight)
    return replace(fit, bands=Bands((replace(fit.bands.first, target=target),)))


def test_a_good_fit_is_trusted_and_others_are_not(smooth: Detection) -> None:
    fit = smooth.smooth
    assert distrust(fit, 1.0) == ""
    cases = {
        "did not converge": replace(fit, here=replace(fit.here, converged=False)),
        "not resolved": _with(fit, einstein_radius=0.1),
        "beyond the image": _with(fit, lens_x=1.2),
        "magnified": _with(fit, source_x=1.0, source_y=0.9, einstein_radius=0.3),
        "not that of a galaxy": _with(fit, lens_slope=1.25),
        "signal-to-noise": _fainter(fit),
    }
    for words, case in cases.items():
        assert words in distrust(case, 1.0)
    assert "times the noise" in distrust(fit, 2.5)


def test_chi_square_of_the_arcs(smooth: Detection) -> None:
    fit = smooth.smooth
    basis = fit.basis()
    once = arcs_chi_square(fit, basis)
    (part,) = fit.here.problem.parts
    problem = replace(fit.here.problem, parts=(replace(part, residual=2 * part.residual),))
    doubled = replace(fit, here=replace(fit.here, problem=problem))
    assert arcs_chi_square(doubled, basis) == pytest.approx(4 * once)


def test_too_few_draws_are_refused() -> None:
    with pytest.raises(BadInput, match="at least 20"):
        SubhaloDetector(draws=5)


def test_an_image_without_its_noise_is_refused(detector: SubhaloDetector) -> None:
    bare = Observation("bare", np.ones((30, 30)), np.zeros((30, 30), dtype=bool), pixel_scale=0.1)
    with pytest.raises(BadInput, match="prepare_observation"):
        detector.detect(bare)
