"""Steps of a fit without the modes that are not seen."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from darklens.detection import LensFit
from darklens.detection.gauss_newton import linearise
from darklens.detection.lens_fit import LensFitter
from darklens.detection.thinning import thinned
from darklens.lensing import GaussianPSF
from darklens.modelling import Parameter
from darklens.observations import observation_of


@pytest.fixture(scope="module")
def smooth(lens: Any) -> LensFit:
    """The fit to the small lens."""
    return LensFitter().fit(observation_of(lens.observed(), lens.noise, 0.08, GaussianPSF(0.12, 4)))


def test_a_smooth_source_needs_few_modes(smooth: LensFit) -> None:
    few = thinned(smooth.bands, smooth.here.states, smooth.here.problem, smooth.deviations)
    assert len(few.bands.first.lens.source) < 0.7 * len(smooth.lens.source)
    back = few.restored(few.states)[0]
    kept = few.kept[0]
    assert np.array_equal(back.source[kept], smooth.state.source[kept])
    assert np.count_nonzero(back.source) <= len(kept)
    image = few.bands.first.lens.image(few.states[0])
    assert np.allclose(image, smooth.lens.image(back), atol=1e-12 * image.max())


def test_the_best_lens_is_the_same_without_them(smooth: LensFit) -> None:
    few = thinned(smooth.bands, smooth.here.states, smooth.here.problem, smooth.deviations)
    means, deviations = smooth.means[few.places], smooth.deviations[few.places]
    here = linearise(few.bands, few.states, means, deviations)
    errors = smooth.errors()
    best = smooth.here.problem.best(smooth.deviations)[: len(errors)]
    assert (np.abs(here.problem.best(deviations)[: len(errors)] - best) < 0.1 * errors).all()


def test_the_residual_for_the_scan_is_that_of_the_optimum(smooth: LensFit) -> None:
    """A step off the optimum that the data hardly notice is no signal of a heavy perturber."""
    k = smooth.lens.free.index(Parameter.EINSTEIN_RADIUS)
    values = smooth.bands.vector(smooth.here.states)
    values[k] += 0.5 * smooth.errors()[k]
    states = smooth.bands.moved(smooth.here.states, values)
    here = linearise(smooth.bands, states, smooth.means, smooth.deviations)
    off = replace(smooth, here=here)
    wrong = np.linalg.norm(here.problem.residual - smooth.settled_residual())
    assert np.linalg.norm(off.settled_residual() - smooth.settled_residual()) < 0.1 * wrong
