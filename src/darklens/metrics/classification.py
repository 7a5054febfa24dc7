r"""Performance of a classifier: accuracy, AUC, confusion matrix, ROC curves.

Symbols: :math:`n` images, :math:`k` classes, probabilities :math:`p` of shape (n, k), labels
:math:`y` of shape (n,). The optional weights :math:`w` have shape (..., n), and the results
have the leading axes of the weights. Without weights every image counts once.
"""

import numpy as np
from jaxtyping import Float, Int, Real

__all__ = [
    "accuracy",
    "auc_per_class",
    "confusion_matrix",
    "macro_auc",
    "roc_curve",
    "weighted_mean",
]

Labels = Int[np.ndarray, " n"]
Probabilities = Float[np.ndarray, "n k"]
Weights = Float[np.ndarray, "*b n"]


def accuracy(
    labels: Labels, probabilities: Probabilities, weights: Weights | None = None
) -> Float[np.ndarray, "*b"]:
    """Fraction of the images whose most probable class is the true one.

    >>> p = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    >>> float(accuracy(np.array([0, 1, 1]), p).round(3))
    0.667
    """
    return weighted_mean((probabilities.argmax(axis=1) == labels).astype(np.float64), weights)


def weighted_mean(
    values: Real[np.ndarray, " n"], weights: Weights | None = None
) -> Float[np.ndarray, "*b"]:
    """Mean of one value for each image; NaN where the weights are all zero.

    >>> float(weighted_mean(np.array([1, 0, 0]), np.array([1.0, 1.0, 0.0])))
    0.5
    """
    weights = _weights(values, weights)
    with np.errstate(invalid="ignore"):
        return np.asarray(weights @ values / weights.sum(axis=-1))


def auc_per_class(
    labels: Labels, probabilities: Probabilities, weights: Weights | None = None
) -> Float[np.ndarray, "*b k"]:
    r"""Area under the ROC curve of each class against the rest.

    The probability that an image of the class scores higher than an image of another class,
    with ties counted as one half. With :math:`N_i` the weight of the negatives that score below
    image :math:`i` and :math:`t_i` the weight of those tied with it:

    .. math:: A = \frac{\sum_{i \in +} w_i (N_i + t_i / 2)}{\sum_{i \in +} w_i \sum_{j \in -} w_j}

    The value is NaN for a class without positives or without negatives.

    >>> p = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    >>> auc_per_class(np.array([0, 1, 1]), p).tolist()
    [1.0, 1.0]
    """
    weights = _weights(labels, weights)
    columns = [
        _auc(labels == index, probabilities[:, index], weights)
        for index in range(probabilities.shape[1])
    ]
    return np.stack(columns, axis=-1)


def macro_auc(
    labels: Labels, probabilities: Probabilities, weights: Weights | None = None
) -> Float[np.ndarray, "*b"]:
    """Mean over the classes of the area under the one-against-rest ROC curve."""
    return np.asarray(auc_per_class(labels, probabilities, weights).mean(axis=-1))


def confusion_matrix(
    labels: Labels, probabilities: Probabilities, weights: Weights | None = None
) -> Float[np.ndarray, "*b k k"]:
    """Weight of the images by true class (row) and predicted class (column).

    >>> p = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    >>> confusion_matrix(np.array([0, 1, 1]), p).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    weights = _weights(labels, weights)
    classes = probabilities.shape[1]
    cells = np.eye(classes**2)[labels * classes + probabilities.argmax(axis=1)]
    return np.asarray((weights @ cells).reshape(*weights.shape[:-1], classes, classes))


def roc_curve(
    labels: Labels, probabilities: Probabilities, index: int
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """False- and true-positive rates of one class against the rest, from (0, 0) to (1, 1).

    Args:
        labels: True classes.
        probabilities: Predicted probabilities.
        index: The class.

    Returns:
        The two rates at each distinct threshold, from the highest threshold to the lowest.
    """
    order = np.argsort(-probabilities[:, index], kind="stable")
    scores = probabilities[order, index]
    positive = (labels[order] == index).astype(np.float64)
    last_of_tie = np.append(np.diff(scores) != 0, True)
    hits = np.cumsum(positive)[last_of_tie]
    misses = np.cumsum(1 - positive)[last_of_tie]
    with np.errstate(invalid="ignore"):  # NaN for a class without images
        return np.append(0.0, misses / misses[-1]), np.append(0.0, hits / hits[-1])


def _auc(
    positive: np.ndarray, scores: Float[np.ndarray, " n"], weights: Weights
) -> Float[np.ndarray, "*b"]:
    order = np.argsort(scores, kind="stable")
    tie = np.unique(scores[order], return_inverse=True)[1]
    starts = np.flatnonzero(np.diff(tie, prepend=-1))
    sorted_weights = weights[..., order]
    sign = positive[order]
    plus = np.add.reduceat(sorted_weights * sign, starts, axis=-1)
    minus = np.add.reduceat(sorted_weights * ~sign, starts, axis=-1)
    below = np.cumsum(minus, axis=-1) - minus / 2
    with np.errstate(invalid="ignore"):  # NaN for a class without images
        return np.asarray((plus * below).sum(axis=-1) / (plus.sum(axis=-1) * minus.sum(axis=-1)))


def _weights(images: Real[np.ndarray, " n"], weights: Weights | None) -> Weights:
    return np.ones(len(images)) if weights is None else weights
