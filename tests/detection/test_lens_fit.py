"""The fit of a flexible lens whose source has clumps."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from darklens.detection import LensFit
from darklens.detection.gauss_newton import linearise, optimise_flexible
from darklens.detection.lens_fit import LensFitter
from darklens.detection.trust import arcs_chi_square
from darklens.lensing import GaussianPSF, Sersic, render
from darklens.modelling import Parameter
from darklens.observations import observation_of

PSF = GaussianPSF(0.12, 4)
CLUMPS = ((0.22, 0.03), (-0.02, 0.1), (0.06, -0.25))


@pytest.fixture(scope="module")
def clumpy(lens: Any) -> LensFit:
    """The fit to the small lens with three clumps in its source."""
    clumps = tuple(Sersic(6.0, 0.06, 1.0, 1.0, 0.0, x, y) for x, y in CLUMPS)
    scene = replace(lens.scene, sources=(*lens.scene.sources, *clumps))
    flux = PSF.convolve(render(scene, lens.model.grid, 4), 0.08)
    noise = np.sqrt(1.0 + flux / flux.max()) * flux.max() / 80.0
    data = flux + noise * np.random.default_rng(5).normal(size=flux.shape)
    return LensFitter().fit(observation_of(data, noise, 0.08, PSF))


def test_clumps_do_not_pull_the_lens(clumpy: LensFit, lens: Any) -> None:
    errors = dict(zip(clumpy.lens.free, clumpy.errors(), strict=False))
    for k in (Parameter.EINSTEIN_RADIUS, Parameter.LENS_SLOPE, Parameter.GAMMA1, Parameter.GAMMA2):
        assert abs(clumpy.state.parameters[k] - lens.parameters[k]) < 3 * errors[k]
    assert errors[Parameter.LENS_SLOPE] < 0.1
    assert clumpy.here.converged
    assert arcs_chi_square(clumpy, clumpy.basis()) < 1.2


def test_the_prior_of_the_source_follows_its_clumps(clumpy: LensFit) -> None:
    assert clumpy.lens.source.envelope_map is not None
    assert clumpy.views[0].departure > 0.1
    x, y = (np.array(places) for places in zip(*CLUMPS, strict=True))
    places = clumpy.lens.source.frame(clumpy.state.parameters, x, y)
    between = clumpy.lens.source.frame(clumpy.state.parameters, -x, y)
    level, other = (clumpy.lens.source.envelope(*there)[0] for there in (places, between))
    assert level[0] > 2 * other[0]


def test_the_slope_is_that_of_the_largest_evidence(clumpy: LensFit) -> None:
    k = clumpy.lens.free.index(Parameter.LENS_SLOPE)
    covariance = clumpy.here.problem.covariance(clumpy.deviations, len(clumpy.deviations))
    along, error = covariance[:, k] / covariance[k, k], float(np.sqrt(covariance[k, k]))
    values = clumpy.bands.vector(clumpy.here.states)
    evidences = []
    for shift in (-2 * error, 0.0, 2 * error):
        means, deviations = clumpy.means.copy(), clumpy.deviations.copy()
        means[k], deviations[k] = values[k] + shift, 1e-4
        start = clumpy.bands.moved(clumpy.here.states, values + shift * along)
        begin = linearise(clumpy.bands, start, means, deviations)
        here = optimise_flexible(clumpy.bands, begin, means, deviations)
        evidences.append(here.problem.log_evidence(deviations))
    assert evidences[1] > max(evidences[0], evidences[2])
