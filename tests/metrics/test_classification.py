"""Accuracy, AUC, confusion matrix and ROC curves against scikit-learn, and against repetition."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import metrics as reference

from darklens.metrics import accuracy, auc_per_class, confusion_matrix, macro_auc, roc_curve

Sample = tuple[np.ndarray, np.ndarray]


@pytest.fixture(params=[1, None], ids=["many ties", "no ties"])
def sample(request: pytest.FixtureRequest) -> Sample:
    """Labels and probabilities of 90 images, rounded to one digit or not."""
    generator = np.random.default_rng(1)
    labels = generator.integers(3, size=90)
    probabilities = generator.dirichlet(np.ones(3), 90)
    probabilities[np.arange(90), labels] += 0.3
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return labels, probabilities if request.param is None else probabilities.round(request.param)


def test_accuracy_is_that_of_scikit_learn(sample: Sample) -> None:
    labels, probabilities = sample
    expected = reference.accuracy_score(labels, probabilities.argmax(axis=1))
    assert_allclose(accuracy(labels, probabilities), expected)


def test_auc_is_that_of_scikit_learn(sample: Sample) -> None:
    labels, probabilities = sample
    expected = [reference.roc_auc_score(labels == k, probabilities[:, k]) for k in range(3)]
    assert_allclose(auc_per_class(labels, probabilities), expected, rtol=1e-12)
    assert_allclose(macro_auc(labels, probabilities), np.mean(expected), rtol=1e-12)


def test_confusion_matrix_is_that_of_scikit_learn(sample: Sample) -> None:
    labels, probabilities = sample
    expected = reference.confusion_matrix(labels, probabilities.argmax(axis=1))
    assert_allclose(confusion_matrix(labels, probabilities), expected)


def test_roc_curve_is_that_of_scikit_learn(sample: Sample) -> None:
    labels, probabilities = sample
    expected = reference.roc_curve(labels == 1, probabilities[:, 1], drop_intermediate=False)
    misses, hits = roc_curve(labels, probabilities, 1)
    assert_allclose(misses, expected[0])
    assert_allclose(hits, expected[1])


@pytest.mark.parametrize("statistic", [accuracy, macro_auc, auc_per_class, confusion_matrix])
def test_weights_are_repetitions(sample: Sample, statistic) -> None:
    labels, probabilities = sample
    weights = np.random.default_rng(2).integers(3, size=(4, 90)).astype(float)
    for row, value in zip(weights, statistic(labels, probabilities, weights), strict=True):
        copies = np.repeat(np.arange(90), row.astype(int))
        assert_allclose(value, statistic(labels[copies], probabilities[copies]), rtol=1e-12)


def test_a_class_without_images_has_no_auc_and_no_curve() -> None:
    labels = np.array([0, 1, 0])
    probabilities = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.3, 0.4, 0.3]])
    assert np.isnan(auc_per_class(labels, probabilities)).tolist() == [False, False, True]
    assert np.isnan(roc_curve(labels, probabilities, 2)[1][1:]).all()
