"""What a generated set teaches: trained on it, how many genuine images are classified rightly."""

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
    """Accuracy on one set of a classifier that was trained on another, on fixed features.

    Each class is scored against the rest and the highest score decides. Trained on generated and
    tested on genuine images it measures what the generated ones hold of the classes, beside the
    same trained on as many genuine ones.

    Args:
        train: Features to learn from, at least two classes of them.
        train_labels: Their classes.
        test: Features to classify.
        test_labels: Their classes; an image of a class that was not learned from is always wrong.
        scorer: The classifier of one class against the rest.

    Raises:
        ValueError: If there is only one class to learn from.

    References:
        Ravuri & Vinyals 2019, arXiv:1905.10887, section 2.
    """
    classes = np.unique(train_labels)
    if len(classes) < 2:
        raise ValueError("to learn from one class is not enough")
    scores = [scorer(train, (train_labels == label).astype(np.int64), test) for label in classes]
    return float((classes[np.argmax(scores, axis=0)] == test_labels).mean())
