"""Steps of the fit of a flexible lens."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from darklens.detection.bands import Band, Bands, Target
from darklens.detection.flexible_lens import FlexibleLens
from darklens.detection.gauss_newton import Linearised, linearise, optimise_flexible
from darklens.detection.priors import FlexibilityPriors, prior_of

PERTURBER = np.array([1.35, 0.15, 9.0])


@pytest.fixture(scope="module")
def start(flexible: FlexibleLens, make_lens: Any) -> tuple[Bands, Linearised, Any, Any]:
    """A lens with a subhalo of 10^10 solar masses at (1, 0.5), about one that is elsewhere."""
    lens = make_lens(10.0)
    bands = Bands((Band(flexible, Target(lens.observed(), 1 / lens.noise)),))
    state = replace(flexible.state(lens.parameters), perturber=PERTURBER)
    source = flexible.source.deviations(0.03, 0.1)
    means, deviations = prior_of(flexible, state, source, 1.0, FlexibilityPriors())
    return bands, linearise(bands, (state,), means, deviations), means, deviations


def test_one_step_moves_a_perturber_by_little(start: Any) -> None:
    bands, here, means, deviations = start
    free = bands.moved(here.states, here.problem.best(deviations))[0].perturber
    assert (np.abs(free - PERTURBER) > (0.15, 0.15, 0.5)).any()
    one = optimise_flexible(bands, here, means, deviations, steps=1)
    moved = np.abs(one.states[0].perturber - PERTURBER)
    assert (moved <= np.array([0.15, 0.15, 0.5]) + 1e-9).all()
    end = optimise_flexible(bands, here, means, deviations)
    assert end.objective < one.objective < here.objective
    assert end.converged
    assert np.hypot(*(end.states[0].perturber[:2] - (1.0, 0.5))) < 0.15


def test_a_fit_that_runs_out_of_steps_did_not_converge(start: Any) -> None:
    assert not optimise_flexible(*start, steps=1).converged
