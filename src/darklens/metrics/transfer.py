"""Train on generated images, test on real ones: a classification score for generators."""

import numpy as np
from jaxtyping import Int, Real

from darklens.metrics.two_sample import Scorer, logistic_scores

__all__ = ["transfer_accuracy"]


def transfer_accuracy(
    train: Real[np.ndarray, "n d"],
    train_labels: Int[np.ndarray, " n"],
    test: Real[np.ndarray, "m d"],
    test_labels: Int[np.ndarray, " m"],
    *,
    scorer: Scorer = logistic_scores,
) -> float:
    """Accuracy on one set of a classifier trained on another, with fixed features.

    Each class is scored against the rest, and the highest score decides. Training on generated
    images and testing on real ones measures how well the generator reproduces the classes. Compare
    with training on as many real images.

    Args:
        train: Training features, of at least two classes.
        train_labels: Class of each training image.
        test: Features to classify.
        test_labels: True classes. An image of a class absent from the training set counts as wrong.
        scorer: Binary classifier, of one class against the rest.

    Raises:
        ValueError: If the training set has only one class.

    References:
        Ravuri & Vinyals 2019, arXiv:1905.10887, section 2.
    """
    classes = np.unique(train_labels)
    if len(classes) < 2:
        raise ValueError("the training set needs at least two classes")
    scores = [scorer(train, (train_labels == label).astype(np.int64), test) for label in classes]
    return float((classes[np.argmax(scores, axis=0)] == test_labels).mean())
