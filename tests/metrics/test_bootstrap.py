"""Bootstrap intervals against closed forms, their coverage, their seed and their speed."""

import time

import numpy as np
import pytest

from darklens.metrics import (
    accuracy,
    bootstrap_interval,
    expected_calibration_error,
    macro_auc,
    paired_difference,
    resampling_weights,
)


def random_probabilities(labels: np.ndarray, *, skill: float, seed: int = 0) -> np.ndarray:
    """Probabilities that know something of the labels."""
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(3), len(labels))
    probabilities[np.arange(len(labels)), labels] += skill
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def test_interval_of_a_mean_is_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(size=400)
    result = bootstrap_interval(lambda w: w @ values / w.sum(-1), np.zeros(400, int))
    half = 1.96 * values.std() / np.sqrt(400)
    assert result.value == pytest.approx(values.mean())
    assert result.low == pytest.approx(values.mean() - half, abs=0.01)
    assert result.high == pytest.approx(values.mean() + half, abs=0.01)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        values = (generator.random(150) < 0.7).astype(float)
        result = bootstrap_interval(
            lambda w, v=values: w @ v / w.sum(-1), np.zeros(150, int), resamples=300
        )
        covered += int(result.low <= 0.7 <= result.high)
    assert 178 <= covered <= 199


def test_resamples_keep_the_size_of_each_group() -> None:
    strata = np.array([0] * 5 + [1] * 20)
    for block in resampling_weights(strata, resamples=50, seed=0):
        assert (block[:, :5].sum(axis=1) == 5).all()
        assert (block[:, 5:].sum(axis=1) == 20).all()


def test_same_seed_same_interval() -> None:
    labels = np.arange(60) % 3
    probabilities = random_probabilities(labels, skill=0.3)

    def interval(seed: int) -> tuple[float, float]:
        found = bootstrap_interval(lambda w: macro_auc(labels, probabilities, w), labels, seed=seed)
        return float(found.low), float(found.high)

    assert interval(1) == interval(1) != interval(2)


def test_difference_of_a_model_with_itself_is_zero() -> None:
    labels = np.arange(90) % 3
    probabilities = random_probabilities(labels, skill=0.3)
    result = paired_difference(
        lambda w: accuracy(labels, probabilities, w),
        lambda w: accuracy(labels, probabilities, w),
        labels,
    )
    assert (result.value, result.low, result.high) == (0, 0, 0)


def test_pairing_sees_a_difference_that_separate_intervals_do_not() -> None:
    labels = np.arange(600) % 3
    good = random_probabilities(labels, skill=0.5)
    worse = good.copy()
    worse[:12] = np.roll(np.eye(3)[labels[:12]], 1, axis=1)
    result = paired_difference(
        lambda w: accuracy(labels, good, w), lambda w: accuracy(labels, worse, w), labels
    )
    assert 0 < result.low < result.value < result.high


def test_a_centred_interval_contains_a_biased_statistic() -> None:
    labels = np.arange(3000) % 3
    probabilities = random_probabilities(labels, skill=0.25)
    error = bootstrap_interval(
        lambda w: expected_calibration_error(labels, probabilities, w), labels, centred=True
    )
    assert error.low < error.value < error.high


def test_a_statistic_without_a_value_has_no_interval() -> None:
    result = bootstrap_interval(
        lambda w: np.stack([w[:, 0] * np.nan, w.sum(-1)], axis=-1), np.zeros(3, int)
    )
    assert np.isnan(result.low).tolist() == [True, False]


def test_two_thousand_resamples_of_six_thousand_images_take_seconds() -> None:
    labels = np.arange(6000) % 3
    probabilities = random_probabilities(labels, skill=0.3)
    start = time.perf_counter()
    bootstrap_interval(lambda w: macro_auc(labels, probabilities, w), labels)
    assert time.perf_counter() - start < 15
