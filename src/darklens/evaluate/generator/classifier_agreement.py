"""Predictions of a trained classifier for generated images, compared with real ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from darklens.evaluate.generator.embedding import Embedding
from darklens.metrics import kolmogorov_smirnov

__all__ = ["ChiSquares", "ClassifierAgreement", "measure_agreement"]

_SMOOTH = "no"  # the class that the smooth fit should reproduce
_COLUMN = "chi_square"


@dataclass(frozen=True)
class ChiSquares:
    """Reduced chi-square of the smooth fit to images without substructure.

    Attributes:
        generated: Percentiles 16, 50 and 84 for the generated images.
        real: The same for the real images.
        images: Number of images in the smaller set.
        statistic: Kolmogorov-Smirnov statistic of the two sets.
        p_value: Probability of at least this statistic for sets from one distribution.
    """

    generated: tuple[float, ...]
    real: tuple[float, ...]
    images: int
    statistic: float
    p_value: float


@dataclass(frozen=True)
class ClassifierAgreement:
    """Fractions of the images that a classifier assigns to their true class.

    Attributes:
        generated: Fraction of the generated images of each class.
        real: The same for the real images.
        chi_square: Quality of the smooth fit to images without substructure, if there is a fit.
        images: Number of generated images of each class.
    """

    generated: dict[str, float]
    real: dict[str, float]
    chi_square: ChiSquares | None
    images: dict[str, int] = field(default_factory=dict)


def measure_agreement(
    real: Embedding,
    generated: Embedding,
    real_labels: Int[np.ndarray, " n"],
    generated_labels: Int[np.ndarray, " m"],
    *,
    classes: Sequence[str],
    known: Sequence[str],
) -> ClassifierAgreement:
    """Compare the predictions of a classifier for two sets.

    Args:
        real: Its output for the real images.
        generated: Its output for the generated images.
        real_labels: Class of each real image, an index into `classes`.
        generated_labels: Class of each generated image; -1 if unknown.
        classes: Classes of the sets.
        known: Classes of the classifier, in the order of its probabilities.
    """
    shares: list[dict[str, float]] = [{}, {}]
    for side, (seen, labels) in enumerate(((generated, generated_labels), (real, real_labels))):
        called = seen.probabilities.argmax(axis=1)
        for index, name in enumerate(classes):
            chosen = labels == index
            if name in known and chosen.any():
                right = called[chosen] == list(known).index(name)
                shares[side][name] = float(right.mean())
    return ClassifierAgreement(
        shares[0],
        shares[1],
        _chi_squares(
            _values(real, real_labels, classes), _values(generated, generated_labels, classes)
        ),
        {name: int((generated_labels == classes.index(name)).sum()) for name in shares[0]},
    )


def _values(
    seen: Embedding, labels: Int[np.ndarray, " n"], classes: Sequence[str]
) -> Float[np.ndarray, " m"]:
    """Chi-squares of the images without substructure."""
    if _COLUMN not in seen.columns or _SMOOTH not in classes:
        return np.empty(0)
    values = np.asarray(seen.columns[_COLUMN], dtype=np.float64)
    chosen = values[labels == list(classes).index(_SMOOTH)]
    return np.asarray(chosen[np.isfinite(chosen)])


def _chi_squares(
    real: Float[np.ndarray, " n"], generated: Float[np.ndarray, " m"]
) -> ChiSquares | None:
    if min(len(real), len(generated)) < 2:
        return None
    statistics, p_values = kolmogorov_smirnov(real[:, np.newaxis], generated[:, np.newaxis])
    middle, usual = (
        tuple(np.percentile(values, (16, 50, 84)).tolist()) for values in (generated, real)
    )
    images = min(len(real), len(generated))
    return ChiSquares(middle, usual, images, float(statistics[0]), float(p_values[0]))
