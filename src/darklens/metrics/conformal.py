r"""Prediction sets: sets of classes that hold the true class with a chosen probability.

Let :math:`E_y` be the total probability of the classes that are more probable than :math:`y`, so
that :math:`E_y = 0` for the most probable class. The set of an image holds every class with

.. math:: E_y \le \max(1 - \alpha, q_y)

where :math:`1 - \alpha` is the coverage asked for, and :math:`q_y` the conformal quantile of
:math:`E_y` among calibration images of class :math:`y`. The first term gives the smallest set that
holds the true class with probability :math:`1 - \alpha` where the probabilities are right, image
by image. The second enlarges it where they are overconfident: for new images like the calibration
images, the set holds the true class with probability :math:`1 - \alpha` or more, for each class
separately and whatever the share of the classes. No set is empty.

References:
    Romano, Sesia & Candes 2020, arXiv:2006.02544 (adaptive sets); Sadinle, Lei & Wasserman 2019,
    arXiv:1609.00451 (coverage of each class); Angelopoulos & Bates 2021, arXiv:2107.07511.
"""

import math

import numpy as np
from jaxtyping import Bool, Float, Int

from darklens.metrics.classification import weighted_mean

__all__ = [
    "conformal_quantile",
    "mean_set_size",
    "prediction_sets",
    "probability_above",
    "set_coverage",
]

_ROUNDING = 1e-9  # of coverage times the number of images


def probability_above(probabilities: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    r"""Total probability :math:`E_y` of the classes that are more probable than each class.

    >>> probability_above(np.array([[0.2, 0.7, 0.1]])).round(3).tolist()
    [[0.7, 0.0, 0.9]]
    """
    above = probabilities[:, None, :] > probabilities[:, :, None]
    return np.asarray(np.where(above, probabilities[:, None, :], 0).sum(axis=-1))


def conformal_quantile(scores: Float[np.ndarray, " n"], coverage: float) -> float:
    """The score that a new image does not exceed with this probability.

    It is the one of rank ceil((n + 1) coverage) among n calibration scores, and infinite where
    there are too few of them.

    >>> conformal_quantile(np.arange(19.0), 0.95), conformal_quantile(np.arange(18.0), 0.95)
    (18.0, inf)
    """
    rank = math.ceil((len(scores) + 1) * coverage - _ROUNDING)
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf


def prediction_sets(
    probabilities: Float[np.ndarray, "n k"],
    *,
    scores: Float[np.ndarray, " m"],
    labels: Int[np.ndarray, " m"],
    coverage: float,
) -> Bool[np.ndarray, "n k"]:
    """Whether each class is in the set of each image.

    Args:
        probabilities: Class probabilities of the images.
        scores: `probability_above` of the true class of the calibration images.
        labels: True classes of the calibration images. A class with too few of them is in
            every set.
        coverage: Probability with which a set is to hold the true class, above 0 and below 1.
    """
    classes = range(probabilities.shape[1])
    quantiles = [conformal_quantile(scores[labels == index], coverage) for index in classes]
    return np.asarray(probability_above(probabilities) <= np.maximum(coverage, quantiles))


def set_coverage(
    labels: Int[np.ndarray, " n"],
    sets: Bool[np.ndarray, "n k"],
    weights: Float[np.ndarray, "*b n"] | None = None,
) -> Float[np.ndarray, "*b"]:
    """Fraction of the images whose set holds the true class.

    >>> sets = np.array([[True, True], [True, False]])
    >>> float(set_coverage(np.array([1, 1]), sets))
    0.5
    """
    held = sets[np.arange(len(labels)), labels].astype(np.float64)
    return weighted_mean(held, weights)


def mean_set_size(
    sets: Bool[np.ndarray, "n k"], weights: Float[np.ndarray, "*b n"] | None = None
) -> Float[np.ndarray, "*b"]:
    """Mean number of classes in a set.

    >>> float(mean_set_size(np.array([[True, True], [True, False]])))
    1.5
    """
    sizes = sets.sum(axis=1).astype(np.float64)
    return weighted_mean(sizes, weights)
