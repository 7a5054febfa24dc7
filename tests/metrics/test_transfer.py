"""Accuracy after training on another set, against scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from darklens.metrics import transfer_accuracy

CENTRES = np.array([[0.0, 0, 0], [1.5, 0, 0], [0, 1.5, 0]])


def classes(count: int, *, seed: int, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Three overlapping classes of three features."""
    labels = np.arange(count) % 3
    noise = np.random.default_rng(seed).normal(size=(count, 3))
    return CENTRES[labels] * (1 - offset) + noise, labels


def test_accuracy_is_that_of_scikit_learn() -> None:
    train, test = classes(120, seed=0), classes(200, seed=1)
    model = make_pipeline(
        StandardScaler(), OneVsRestClassifier(LogisticRegression(C=0.1, tol=1e-8))
    ).fit(*train)
    assert transfer_accuracy(*train, *test) == pytest.approx(model.score(*test), abs=0.011)


def test_a_set_without_classes_teaches_nothing() -> None:
    real, other, test = (
        classes(300, seed=2),
        classes(300, seed=3, offset=1.0),
        classes(600, seed=4),
    )
    assert transfer_accuracy(*real, *test) > 0.55
    assert transfer_accuracy(*other, *test) < 0.45


def test_a_class_that_was_not_learned_from_is_wrong() -> None:
    features, labels = classes(90, seed=5)
    known = labels > 0
    accuracy = transfer_accuracy(features[known], labels[known], features[~known], labels[~known])
    assert accuracy == 0


def test_one_class_is_not_enough() -> None:
    with pytest.raises(ValueError, match="two classes"):
        transfer_accuracy(
            np.zeros((4, 2)), np.ones(4, dtype=int), np.zeros((4, 2)), np.ones(4, int)
        )
