r"""Calibration of class probabilities, and temperature scaling.

The confidence of an image is the probability of its most probable class. A classifier is
calibrated if a fraction :math:`c` of the images with confidence :math:`c` is classified
correctly. Weights are as in `darklens.metrics.classification`.
"""

import numpy as np
import scipy  # its parts are imported on first use, which saves a second at the start
from jaxtyping import Float, Int
from scipy.special import logsumexp

__all__ = ["expected_calibration_error", "fit_temperature", "reliability_curve"]

BINS = 15
_LOG_TEMPERATURE_BOUNDS = (-4.0, 4.0)


def expected_calibration_error(
    labels: Int[np.ndarray, " n"],
    probabilities: Float[np.ndarray, "n k"],
    weights: Float[np.ndarray, "*b n"] | None = None,
    *,
    bins: int = BINS,
) -> Float[np.ndarray, "*b"]:
    r"""Expected calibration error: mean gap between confidence and accuracy, in equal-width bins.

    .. math:: \mathrm{ECE} = \sum_b \frac{n_b}{n} \, | \mathrm{acc}_b - \mathrm{conf}_b |

    >>> p = np.array([[0.9, 0.1], [0.9, 0.1]])
    >>> float(expected_calibration_error(np.array([0, 1]), p).round(3))
    0.4

    References:
        Guo et al. 2017, arXiv:1706.04599, eq. 3.
    """
    confidence, correct, member = _binned(labels, probabilities, bins)
    weights = np.ones(len(labels)) if weights is None else weights
    gaps = weights @ (member * (correct - confidence)[:, None])
    return np.asarray(np.abs(gaps).sum(axis=-1) / weights.sum(axis=-1))


def reliability_curve(
    labels: Int[np.ndarray, " n"],
    probabilities: Float[np.ndarray, "n k"],
    weights: Float[np.ndarray, "*b n"] | None = None,
    *,
    bins: int = BINS,
) -> tuple[
    Float[np.ndarray, "*b {bins}"], Float[np.ndarray, "*b {bins}"], Float[np.ndarray, "*b {bins}"]
]:
    """Mean confidence, accuracy and total weight in each confidence bin.

    The first two are NaN in an empty bin.
    """
    confidence, correct, member = _binned(labels, probabilities, bins)
    weights = np.ones(len(labels)) if weights is None else weights
    count = weights @ member
    with np.errstate(invalid="ignore"):  # empty bins: NaN
        mean_confidence = weights @ (member * confidence[:, None]) / count
        bin_accuracy = weights @ (member * correct[:, None]) / count
    return mean_confidence, bin_accuracy, count


def fit_temperature(logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"]) -> float:
    r"""Maximum-likelihood temperature :math:`T` of softmax(logits / T).

    The negative log-likelihood is convex in :math:`1 / T`, so the minimum is unique.

    Args:
        logits: Network outputs before the softmax, on images not used for training.
        labels: True classes.

    References:
        Guo et al. 2017, arXiv:1706.04599, section 4.2.
    """
    logits = logits.astype(np.float64)
    true_logits = logits[np.arange(len(labels)), labels]

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float(np.mean(logsumexp(logits * scale, axis=1) - true_logits * scale))

    best = scipy.optimize.minimize_scalar(
        loss, bounds=_LOG_TEMPERATURE_BOUNDS, method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(best.x))


def _binned(
    labels: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n k"], bins: int
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"], Float[np.ndarray, "n {bins}"]]:
    """Confidence, correctness and one-hot bin membership of each image."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    member = np.eye(bins)[np.clip((confidence * bins).astype(np.int64), 0, bins - 1)]
    return confidence, correct, member
