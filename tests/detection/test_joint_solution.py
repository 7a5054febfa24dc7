"""The linear problems of several bands beside one plain problem of all their pixels."""

from dataclasses import replace

import numpy as np
import pytest

from darklens.detection.joint_solution import JointProblem
from darklens.detection.linear_solution import LinearProblem
from darklens.errors import BadInput

PLACES = (np.arange(7), np.array([7, 8, 1, 9, 3, 10, 4]))
SIZES = (40, 55)
COUNT = 11


@pytest.fixture(scope="module")
def problems() -> tuple[JointProblem, LinearProblem, np.ndarray]:
    """Two bands that share the values 1, 3 and 4; the same as one problem; and deviations."""
    rng = np.random.default_rng(0)
    means, values = rng.normal(size=COUNT), rng.normal(size=COUNT)
    deviations = rng.uniform(0.1, 2.0, COUNT)
    whole = np.zeros((COUNT, sum(SIZES)), dtype=np.float32)
    parts, residuals, start = [], [], 0
    for places, size in zip(PLACES, SIZES, strict=True):
        rows = rng.normal(size=(len(places), size)).astype(np.float32)
        residuals.append(2 * rng.normal(size=size))
        whole[places, start : start + size] = rows
        start += size
        parts.append(
            LinearProblem.of(rows, residuals[-1], values[places], means[places], len(places))
        )
    one = LinearProblem.of(whole, np.concatenate(residuals), values, means, COUNT)
    return JointProblem(tuple(parts), PLACES), one, deviations


def test_values_evidence_and_covariance_are_those_of_all_pixels(problems: tuple) -> None:
    joint, one, deviations = problems
    assert np.array_equal(joint.values, one.values)
    assert np.array_equal(joint.residual, one.residual)
    expected = one.solve(deviations)
    assert np.allclose(joint.best(deviations), expected.values, rtol=1e-9, atol=1e-9)
    assert joint.log_evidence(deviations) == pytest.approx(expected.log_evidence, rel=1e-9)
    signs = np.linalg.slogdet(np.eye(COUNT) + deviations[:, None] * one.products * deviations)
    for problem in (joint, JointProblem((one,), (np.arange(COUNT),))):
        assert problem.log_determinant(deviations) == pytest.approx(signs[1], rel=1e-9)
    covariance = joint.covariance(deviations, 9)
    assert np.allclose(covariance, one.covariance(deviations, 9), atol=1e-9)


def test_priors_of_one_band_are_tried_with_the_others_kept(problems: tuple) -> None:
    joint, one, deviations = problems
    for band, own in ((0, [0, 2, 5, 6]), (1, [7, 8, 9, 10])):
        trials = [deviations.copy() for _ in range(2)]
        trials[1][own] *= 3
        expected = [one.solve(trial).log_evidence for trial in trials]
        assert joint.log_evidences(band, trials) == pytest.approx(expected, rel=1e-9)


def test_the_projection_is_that_of_all_pixels(problems: tuple) -> None:
    joint, one, deviations = problems
    found, expected = joint.basis(deviations), one.basis(deviations)
    assert found.shape == expected.shape
    assert np.allclose(found.T @ found, expected.T @ expected, atol=1e-4)


def test_values_can_be_held(problems: tuple) -> None:
    joint, one, deviations = problems
    dropped = np.array([2, 3, 8])
    kept = np.setdiff1d(np.arange(COUNT), dropped)
    some, expected = joint.without(dropped), one.of_some(kept).solve(deviations[kept])
    assert np.allclose(some.best(deviations[kept]), expected.values, atol=1e-9)
    assert some.log_evidence(deviations[kept]) == pytest.approx(expected.log_evidence, rel=1e-9)


def test_one_band_is_solved_as_it_is(problems: tuple) -> None:
    _, one, deviations = problems
    alone = JointProblem((one,), (np.arange(COUNT),))
    assert np.array_equal(alone.best(deviations), one.solve(deviations).values)
    assert alone.log_evidence(deviations) == one.solve(deviations).log_evidence
    assert np.array_equal(alone.covariance(deviations, 4), one.covariance(deviations, 4))
    assert np.array_equal(alone.basis(deviations), one.basis(deviations))


def test_a_band_without_weight_changes_nothing(problems: tuple) -> None:
    """Through the elimination, not the way of a single band."""
    joint, _, deviations = problems
    first, second = joint.parts
    blind = LinearProblem.of(
        0 * second.derivatives, 0 * second.residual, second.values, second.means, 7
    )
    both = JointProblem((first, blind), PLACES)
    alone = first.solve(deviations[:7])
    assert np.allclose(both.best(deviations)[:7], alone.values, rtol=1e-9)
    assert np.allclose(both.best(deviations)[7:], second.means[[0, 1, 3, 5]], rtol=1e-9)
    assert both.log_evidence(deviations) == pytest.approx(alone.log_evidence, rel=1e-9)
    expected = first.covariance(deviations[:7], 7)
    assert np.allclose(both.covariance(deviations, 7), expected, atol=1e-9)
    taken = both.basis(deviations)
    assert not taken[:, SIZES[0] :].any()


def test_what_diverged_is_said(problems: tuple) -> None:
    joint, _, deviations = problems
    first, second = joint.parts
    wrong = JointProblem((first, replace(second, products=-second.products)), PLACES)
    with pytest.raises(BadInput, match="diverged"):
        wrong.best(deviations)
