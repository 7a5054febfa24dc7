"""What a trained classifier is measured by at the end of its run, once the model is written.

Nothing here can lose the model: scores that are not defined, because the validation or the test
part is small or lacks a class, are left out and said to be.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int64

from darklens.classify import Classifier
from darklens.data import ImageDataset
from darklens.hub import Metric
from darklens.metrics import accuracy, bootstrap_interval, fit_temperature, macro_auc

__all__ = ["absent_classes", "fitted_temperature", "measured_scores"]

_READ_AT_ONCE = 256

Report = Callable[[str], None]


def absent_classes(dataset: ImageDataset) -> list[str]:
    """Classes of which the data set has no images."""
    present = set(np.unique(dataset.labels).tolist())
    return [name for k, name in enumerate(dataset.classes) if k not in present]


def fitted_temperature(classifier: Classifier, val: ImageDataset, report: Report) -> float:
    r"""Temperature that calibrates the classifier on the validation images; 1 where none does.

    The likelihood of the labels is highest at a finite temperature if and only if some image is
    classified wrongly, which limits how sharp the probabilities may be, and the logits of the true
    classes are above the others on average, so that they tell more than equal probabilities do.

    Args:
        classifier: The classifier; its own temperature plays no part.
        val: Validation images.
        report: Takes one line if no temperature can be told.
    """
    logits = _logits(classifier, val)
    if len(logits) and np.isfinite(logits).all():
        true = logits[np.arange(len(logits)), val.labels]
        some_wrong = bool((true < logits.max(axis=1)).any())
        if some_wrong and float((true - logits.mean(axis=1)).mean()) > 0:
            return round(fit_temperature(logits, val.labels), 4)
    report(
        f"the temperature stays 1: {len(val)} validation images, "
        f"{_right(logits, val.labels)} of them right, do not determine it"
    )
    return 1.0


def measured_scores(
    classifier: Classifier, test: ImageDataset, *, command: str, report: Report
) -> tuple[Metric, ...]:
    """Accuracy and macro AUC on the test part, with 95 % bootstrap intervals.

    Args:
        classifier: The trained classifier.
        test: Images that nothing was chosen by.
        command: Command of the run, for the card.
        report: Takes one line for each score that is not defined.
    """
    if len(test) == 0:
        report("no test scores: the test part has no images")
        return ()
    probabilities = torch.from_numpy(_logits(classifier, test)).softmax(dim=1).numpy()
    metrics = []
    for name, function in (("accuracy", accuracy), ("macro_auc", macro_auc)):
        if name == "macro_auc" and (absent := absent_classes(test)):
            report(f"no macro_auc: the test part has no images of {', '.join(absent)}")
            continue
        interval = bootstrap_interval(partial(function, test.labels, probabilities), test.labels)
        where = f"test part of the training data, {len(test)} images"
        low, high = _finite([interval.low, interval.high])
        metrics.append(Metric(name, float(interval.value), low, high, data=where, command=command))
    return tuple(metrics)


def _finite(ends: Sequence[Float[np.ndarray, ""]]) -> list[float | None]:
    return [float(end) if np.isfinite(end) else None for end in ends]


def _right(logits: Float[np.ndarray, "n k"], labels: Int64[np.ndarray, " n"]) -> int:
    return int((logits.argmax(axis=1) == labels).sum()) if len(logits) else 0


def _logits(classifier: Classifier, dataset: ImageDataset) -> Float[np.ndarray, "n k"]:
    """Logits of a whole data set, read in pieces."""
    pieces = [np.empty((0, len(classifier.classes)))]
    for start in range(0, len(dataset), _READ_AT_ONCE):
        pieces.append(classifier.logits(dataset.images(slice(start, start + _READ_AT_ONCE))))
    return np.concatenate(pieces)
