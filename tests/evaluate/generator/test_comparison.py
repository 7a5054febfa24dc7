"""Scores of generated features: against the metrics, their baselines, and what bad sets get."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from darklens.errors import BadData
from darklens.evaluate.generator.comparison import (
    score_features,
    score_frechet,
    score_memorisation,
    stratified_halves,
)
from darklens.metrics import frechet_distance, kernel_distance_interval

SIZE = 6


def sample(count: int, *, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Features of three classes that differ, and their labels."""
    labels = np.arange(count) % 3
    features = np.random.default_rng(seed).normal(size=(count, SIZE)) + shift
    features[:, 0] += 2 * labels
    return features, labels


def test_equal_distributions_score_as_the_baseline() -> None:
    (real, a), (made, b) = sample(600, seed=0), sample(600, seed=1)
    scores = score_features(real, made, a, b)
    assert scores.frechet.value == pytest.approx(frechet_distance(real, made))
    assert scores.frechet.ratio == pytest.approx(scores.frechet.halves / scores.frechet.baseline)
    assert 0.6 < scores.frechet.ratio < 1.6
    assert abs(scores.frechet.limit) < 0.1
    assert scores.frechet.sizes == (600, 300, 200, 150, 120)
    assert scores.frechet.baseline_sizes == (300, 150, 100, 75, 60)
    expected = kernel_distance_interval(real, made, resamples=1).value
    assert scores.kernel.value == pytest.approx(float(expected))
    assert scores.kernel.low < 0 < scores.kernel.high
    for auc in scores.two_sample.values():
        assert auc.value == pytest.approx(0.5, abs=0.06)
        assert auc.baseline == pytest.approx(0.5, abs=0.09)
    assert scores.coverage.precision == pytest.approx(scores.coverage_baseline.precision, abs=0.06)
    assert scores.transfer is not None
    assert scores.transfer.value == pytest.approx(scores.transfer.baseline, abs=0.05)
    assert scores.transfer.low < scores.transfer.value < scores.transfer.high


def test_a_shifted_set_is_told_apart() -> None:
    (real, a), (made, b) = sample(300, seed=2), sample(300, seed=3, shift=1.0)
    scores = score_features(real, made, a, b, splits=2)
    assert scores.frechet.limit == pytest.approx(SIZE, abs=1.5)
    assert scores.frechet.ratio > 5
    assert scores.kernel.low > scores.kernel.baseline_high
    assert min(auc.low for auc in scores.two_sample.values()) > 0.9
    assert scores.coverage.coverage < scores.coverage_baseline.coverage


def test_a_set_without_classes_teaches_nothing_of_them() -> None:
    (real, a), (made, b) = sample(300, seed=4), sample(300, seed=5)
    shuffled = np.random.default_rng(0).permutation(b)
    confused = score_features(real, made, a, shuffled, splits=1).transfer
    assert confused is not None
    assert confused.value < 0.5 < confused.baseline
    unknown = score_features(real, made, a, np.full(300, -1), splits=1)
    assert unknown.transfer is None
    assert np.isnan(unknown.frechet.baseline_spread), "one random split has no spread"
    single = score_features(real, made, np.zeros(300, int), b, splits=1)
    assert single.transfer is None


def test_sets_of_different_sizes_are_compared_in_halves_of_the_smaller() -> None:
    (real, a), (made, b) = sample(400, seed=6), sample(200, seed=7)
    scores = score_frechet(real, made, a, b)
    equal = score_frechet(real[:200], made, a[:200], b)
    assert scores.sizes[0] == 200
    assert scores.baseline == pytest.approx(equal.baseline, rel=0.4)


def test_same_seed_same_scores() -> None:
    sets = (
        *(x for pair in zip(sample(60, seed=8), sample(60, seed=9), strict=True) for x in pair),
    )
    first, second, a, b = sets
    scores = [score_features(first, second, a, b, splits=2, seed=seed) for seed in (0, 0, 1)]
    assert scores[0] == scores[1] != scores[2]


def test_too_few_images() -> None:
    features, labels = sample(19, seed=10)
    with pytest.raises(BadData, match="19 real and 19 generated images: scores need at least 20"):
        score_frechet(features, features, labels, labels)


def test_halves_keep_the_shares_of_the_classes_and_share_no_image() -> None:
    labels = np.repeat([0, 1, 2], [10, 20, 31])
    first, second = stratified_halves(labels, np.random.default_rng(0))
    assert len(first) == len(second) == 30
    assert not set(first.tolist()) & set(second.tolist())
    assert np.bincount(labels[first]).tolist() == [5, 10, 15]


def test_copies_of_training_images_are_found() -> None:
    generator = np.random.default_rng(11)
    training, real, made = (generator.normal(size=(n, 5, 5)) for n in (300, 200, 200))
    honest = score_memorisation(made, real, training)
    assert honest.p_value > 0.01
    assert honest.median_generated == pytest.approx(honest.median_real, rel=0.1)
    made[20:24] = training[100:104]
    found = score_memorisation(made, real, training)
    assert found.share_close >= 0.02
    assert found.closest[:4] == (20, 21, 22, 23)
    assert found.closest_training[:4] == (100, 101, 102, 103)
    assert_allclose(found.closest_distances[:4], 0, atol=1e-12)
