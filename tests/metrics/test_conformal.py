"""Prediction sets hold the true class as often as they say."""

import numpy as np
import pytest

from darklens.metrics import (
    conformal_quantile,
    mean_set_size,
    prediction_sets,
    probability_above,
    set_coverage,
)


def softened(count: int, seed: int, *, sharper: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from probabilities, which are then overstated by a power."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet([0.3, 0.3, 0.3], count)
    edges = probabilities.cumsum(axis=1)
    labels = (generator.random((count, 1)) > edges[:, :2]).sum(axis=1)
    stated = (probabilities + 1e-12) ** sharper
    return stated / stated.sum(axis=1, keepdims=True), labels


def sets_after(
    calibration: tuple[np.ndarray, np.ndarray], probabilities: np.ndarray, coverage: float
) -> np.ndarray:
    stated, labels = calibration
    scores = probability_above(stated)[np.arange(len(labels)), labels]
    return prediction_sets(probabilities, scores=scores, labels=labels, coverage=coverage)


@pytest.mark.parametrize("coverage", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("sharper", [0.5, 1.0, 3.0])
def test_each_class_is_covered_whatever_the_probabilities_say(
    coverage: float, sharper: float
) -> None:
    calibration = softened(3000, 0, sharper=sharper)
    probabilities, labels = softened(20_000, 1, sharper=sharper)
    sets = sets_after(calibration, probabilities, coverage)
    for label in range(3):
        chosen = labels == label
        assert set_coverage(labels[chosen], sets[chosen]) > coverage - 0.02
    assert sets.any(axis=1).all()


def test_overconfidence_makes_the_sets_larger_and_no_more_than_is_needed() -> None:
    calibration = softened(3000, 0, sharper=4.0)
    probabilities, labels = softened(20_000, 1, sharper=4.0)
    sets = sets_after(calibration, probabilities, 0.9)
    naive = probability_above(probabilities) <= 0.9
    assert set_coverage(labels, naive) < 0.87
    assert set_coverage(labels, sets) == pytest.approx(0.9, abs=0.02)
    assert mean_set_size(naive) < mean_set_size(sets) < 2.5


def test_coverage_does_not_depend_on_the_share_of_the_classes() -> None:
    probabilities, labels = softened(20_000, 1, sharper=4.0)
    sets = sets_after(softened(3000, 0, sharper=4.0), probabilities, 0.9)
    weights = np.where(labels == 2, 20.0, 1.0)
    assert set_coverage(labels, sets, weights) > 0.88


def test_the_finite_sample_quantile_holds_on_average() -> None:
    """Of 19 scores, the largest is what a twentieth new one exceeds once in twenty times."""
    draws = np.random.default_rng(0).random((4000, 20))
    kept = [row[-1] <= conformal_quantile(row[:-1], 0.95) for row in draws]
    assert np.mean(kept) == pytest.approx(0.95, abs=0.01)


def test_a_class_with_too_few_calibration_images_is_in_every_set() -> None:
    scores, labels = np.zeros(40), np.repeat([0, 1], [30, 10])
    certain = np.array([[1.0, 0.0]])
    sets = prediction_sets(certain, scores=scores, labels=labels, coverage=0.95)
    assert sets.tolist() == [[True, True]]
    assert prediction_sets(certain, scores=scores, labels=labels, coverage=0.9).sum() == 1


def test_two_equally_probable_classes_are_in_together() -> None:
    sets = prediction_sets(
        np.array([[0.4, 0.4, 0.2]]), scores=np.zeros(99), labels=np.arange(99) % 3, coverage=0.7
    )
    assert sets.tolist() == [[True, True, False]]
