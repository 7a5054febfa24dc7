"""Classifier two-sample test against scikit-learn, DeLong's variance, tests of columns, Holm."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from darklens.metrics import (
    auc_interval,
    classifier_two_sample,
    holm_correction,
    kolmogorov_smirnov,
    logistic_scores,
)


def pair(n: int, m: int, *, shift: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of five features of different size."""
    generator = np.random.default_rng(seed)
    scale = np.array([1.0, 10.0, 0.1, 1.0, 3.0])
    first = generator.normal(size=(n, 5)) * scale + 7
    return first, (generator.normal(size=(m, 5)) + shift) * scale + 7


def test_scores_are_those_of_scikit_learn() -> None:
    x = np.concatenate(pair(60, 45, shift=0.5))
    y = np.repeat([0, 1], [60, 45])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, tol=1e-8)).fit(x, y)
    assert_allclose(logistic_scores(x, y, x), model.decision_function(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("n", "m"), [(60, 60), (83, 47)])
def test_auc_is_that_of_scikit_learn_on_the_same_folds(n: int, m: int) -> None:
    first, second = pair(n, m, shift=0.3)
    y = np.repeat([0, 1], [n, m])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, tol=1e-8))
    folds = StratifiedKFold(5, shuffle=True, random_state=3)
    scores = cross_val_predict(
        model, np.concatenate([first, second]), y, cv=folds, method="decision_function"
    )
    result = classifier_two_sample(first, second, seed=3)
    assert_allclose(result.value, roc_auc_score(y, scores), atol=1e-3)
    assert classifier_two_sample(first, second, seed=4).value != result.value


def test_auc_of_equal_and_of_shifted_samples() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 300, 5))
    result = classifier_two_sample(first, second)
    assert result.low < 0.5 < result.high
    result = classifier_two_sample(first, second + 1.0)
    assert result.low < stats.norm.cdf(np.sqrt(5 / 2)) < result.high


def test_auc_of_equal_samples_scatters_about_one_half_as_documented() -> None:
    results = [classifier_two_sample(*pair(60, 60, shift=0, seed=seed)) for seed in range(80)]
    values = np.array([r.value for r in results])
    deviations = np.array([r.high - r.low for r in results]) / 3.92
    assert abs(values.mean() - 0.5) < 0.03
    assert 1.2 < values.std() / deviations.mean() < 1.7
    assert 0.7 < np.mean([r.low <= 0.5 <= r.high for r in results]) < 0.95


def test_a_constant_feature_says_nothing() -> None:
    first, second = pair(40, 40, shift=0.5)
    plain = classifier_two_sample(first, second)
    widened = [np.column_stack([x, np.full(40, 0.1)]) for x in (first, second)]
    assert_allclose(classifier_two_sample(*widened).value, plain.value, atol=1e-3)


def test_another_classifier_sees_each_row_held_out_once() -> None:
    seen = []

    def first_feature(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
        assert len(train) == len(labels) == 24
        seen.extend(test[:, 1].tolist())
        return test[:, 0]

    table = np.stack([np.arange(30.0) % 15, np.arange(30.0)], axis=1)
    result = classifier_two_sample(table[:15], table[15:], scorer=first_feature)
    assert sorted(seen) == list(range(30))
    assert result.value == 0.5


def test_fewer_images_than_folds() -> None:
    with pytest.raises(ValueError, match="5 folds"):
        classifier_two_sample(np.zeros((4, 2)), np.zeros((40, 2)))


def test_interval_is_that_of_delongs_placements() -> None:
    generator = np.random.default_rng(5)
    negative = generator.normal(size=37).round(1)  # with ties
    positive = (generator.normal(size=52) + 0.8).round(1)
    wins = (positive[:, np.newaxis] > negative) + 0.5 * (positive[:, np.newaxis] == negative)
    variance = wins.mean(axis=1).var(ddof=1) / 52 + wins.mean(axis=0).var(ddof=1) / 37
    result = auc_interval(negative, positive, level=0.9)
    assert_allclose(result.value, wins.mean())
    assert_allclose(result.value - result.low, 1.6448536 * np.sqrt(variance), rtol=1e-6)
    assert_allclose(result.high - result.value, 1.6448536 * np.sqrt(variance), rtol=1e-6)


def test_interval_ends_at_one() -> None:
    result = auc_interval(np.array([0.0, 1.0, 2.0]), np.array([1.5, 3.0, 4.0]))
    assert (result.high, result.low < result.value < 1) == (1, True)


def test_columns_are_tested_as_scipy_does() -> None:
    first, second = pair(50, 70, shift=0.3)
    statistics, p_values = kolmogorov_smirnov(first, second)
    expected = [stats.ks_2samp(first[:, i], second[:, i]) for i in range(5)]
    assert_allclose(statistics, [e.statistic for e in expected])
    assert_allclose(p_values, [e.pvalue for e in expected])


def test_rounding_of_a_p_value_of_one_is_no_warning() -> None:
    column = np.arange(5.0)[:, np.newaxis]
    statistics, p_values = kolmogorov_smirnov(column, column + 1)
    assert statistics[0] == pytest.approx(0.2)
    assert p_values[0] == pytest.approx(1)


def test_holm_is_the_step_down_procedure() -> None:
    p_values = np.array([0.04, 0.01, 0.03, 0.5])
    assert_allclose(holm_correction(p_values), [0.09, 0.04, 0.09, 0.5])
    assert holm_correction(np.array([0.9, 0.6])).tolist() == [1.0, 1.0]
