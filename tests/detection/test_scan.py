"""The scan beside brute force, and its false alarms."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from darklens.detection import CompactMass, Distances, Scan, TruncatedNFW, false_alarm
from darklens.detection.band_fit import BandFit
from darklens.detection.bands import Band, Bands, Target
from darklens.detection.flexible_lens import FlexibleLens
from darklens.detection.gauss_newton import linearise
from darklens.detection.priors import FlexibilityPriors, prior_of
from darklens.detection.scan import LOG_MASSES, scan_positions, scan_subhalos

DISTANCES = Distances(0.3, 1.0)
FAMILIES = (TruncatedNFW(DISTANCES), CompactMass(DISTANCES))


@pytest.fixture(scope="module")
def scanned(flexible: FlexibleLens, lens: Any) -> tuple[Scan, Any, Any, Any]:
    """A scan about the truth, with the problem and the residual."""
    bare = flexible.with_perturbation(None)
    state = bare.state(lens.parameters)
    target = Target(lens.observed(), 1 / lens.noise)
    source = bare.source.deviations(0.05, 0.1)
    means, deviations = prior_of(bare, state, source, 1.0, FlexibilityPriors())
    band = Band(bare, target)
    here = linearise(Bands((band,)), (state,), means, deviations)
    basis = here.problem.basis(deviations)
    taken = (basis @ here.problem.residual.astype(np.float32)) @ basis
    residual = (here.problem.residual - taken).reshape(lens.flux.shape)
    places = np.zeros(lens.flux.shape, dtype=bool)
    places[30, 36] = places[20, 12] = True
    rows, columns = (c.astype(float) for c in np.nonzero(places))
    scan = scan_subhalos(
        [BandFit(band, state, here.images[0], here.gradients[0], residual)],
        residual.ravel(),
        basis,
        FAMILIES,
        (rows, columns),
        draws=300,
        rng=np.random.default_rng(0),
    )
    return scan, here, basis, residual


def test_depth_and_gain_are_those_of_the_change_of_the_image(scanned: Any, lens: Any) -> None:
    """The change computed anew, with the deflection at the centres of the pixels."""
    scan, here, basis, residual = scanned
    k = int(np.flatnonzero(scan.rows == 30)[0])
    x, y = float(scan.x[k]), float(scan.y[k])
    halo = FAMILIES[0](x + 1e-4, y + 1e-4, 9.0)  # on no ray
    ax, ay = halo.deflection(*lens.model.grid.coordinates())
    gx, gy = here.gradients[0]
    change = -lens.model.instrument.observe(gx * ax + gy * ay, 0.08) / lens.noise
    power = np.square(change).sum() - np.square(basis @ change.ravel().astype(np.float32)).sum()
    j = LOG_MASSES.index(9.0)
    assert scan.depths[0, j, k] == pytest.approx(np.sqrt(power), rel=0.06)
    pull = float((change * residual).sum())
    factor = np.clip(pull / power, 10**-0.25, 10**0.25)
    assert scan.gains[0, j, k] == pytest.approx(2 * factor * pull - factor**2 * power, abs=0.4)


def test_limits_are_where_the_depth_crosses(scanned: Any) -> None:
    scan = scanned[0]
    depth = np.maximum.accumulate(scan.depths[0, :, 0])
    assert depth[-1] > depth[0] > 0
    sigma = float(np.sqrt(depth[3] * depth[4]))
    limits = scan.limits(sigma)
    assert LOG_MASSES[3] <= np.log10(limits[0]) <= LOG_MASSES[4]
    assert (scan.limits(0.6 * sigma) <= limits).all()
    assert np.isinf(scan.limits(1e6)).all()


def test_draws_have_the_scatter_of_the_filters(scanned: Any) -> None:
    """Over two places, two families and eight masses the peaks are a few sigma at most."""
    peaks = scanned[0].peaks
    assert len(peaks) == 300
    assert 0.2 < np.median(peaks) < 2.5
    assert np.max(peaks) < 5


def test_chance_is_counted_and_then_extrapolated() -> None:
    rng = np.random.default_rng(0)
    peaks = rng.normal(size=(2000, 50)).max(axis=1)
    assert false_alarm(2.0, peaks) == pytest.approx((peaks >= 2).mean())
    assert false_alarm(5.0, peaks) == pytest.approx(50 * norm.sf(5.0), rel=0.5)
    assert false_alarm(0.0, peaks) == 1.0
    assert 0 < false_alarm(9.0, peaks) < 1e-15


def test_candidates_are_apart_and_sorted(scanned: Any) -> None:
    scan = scanned[0]
    found = scan.candidates(2, apart=0.1)
    assert len(found) == 4
    assert [c.significance for c in found] == sorted((c.significance for c in found), reverse=True)
    assert len(scan.candidates(2, apart=9.0)) == 2


def test_positions_surround_the_arcs() -> None:
    arcs = np.zeros((60, 60), dtype=bool)
    arcs[30, 40] = True
    rows, columns = scan_positions(arcs, 0.05)
    distance = 0.05 * np.hypot(rows - 30, columns - 40)
    assert distance.max() <= 0.3
    assert 20 < len(rows) < 60


@pytest.mark.parametrize("pixel_scale", [0.08, 0.05, 0.03])
def test_maps_have_no_holes_between_the_positions(pixel_scale: float) -> None:
    arcs = np.zeros((60, 60), dtype=bool)
    arcs[30:33, 20:40] = True
    rows, columns = scan_positions(arcs, pixel_scale)
    empty = np.zeros((1, 1, len(rows)))
    scan = Scan(rows, columns, empty, empty, empty, np.zeros(1), columns, rows)
    assert scan.step == max(1, round(0.08 / pixel_scale))
    image = scan.map_of(np.ones(len(rows)), arcs.shape)
    inside = slice(int(rows.min()), int(rows.max()) + 1), slice(20, 40)
    assert np.isfinite(image[inside]).all()
    assert np.isfinite(image).sum() < 2 * len(rows) * scan.step**2


def test_maps_fill_the_positions_and_nothing_else(scanned: Any, lens: Any) -> None:
    scan = scanned[0]
    image = scan.map_of(np.array([1.0, 2.0]), lens.flux.shape)
    assert set(np.unique(image[np.isfinite(image)])) == {1.0, 2.0}
    assert np.isnan(image[0, 0])
