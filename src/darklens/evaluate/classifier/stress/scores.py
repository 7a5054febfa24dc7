r"""Scores for one kind of images: accuracy, refusals, false alarms, calibration.

A false alarm is an image without substructure that is given another class. An image is refused if
it gets no class, or the label `unknown`. Intervals are Wilson's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import binomtest

from darklens.classes import CLASSES, canonical_class
from darklens.classify import UNFAMILIAR
from darklens.evaluate.classifier.stress.answers import Answers
from darklens.metrics import expected_calibration_error, macro_auc

__all__ = ["StressScores", "familiarity_auc", "score_answers"]

CONFIDENT = 0.95

NAN = float("nan")


@dataclass(frozen=True)
class StressScores:
    """Scores for one kind of images; NaN if a score is not defined.

    Attributes:
        images: Number of images.
        accuracy: Share of images whose most probable class is the true one, refused or not.
        accuracy_low: Lower end of its 95 % interval.
        accuracy_high: Upper end.
        accuracy_answered: The same among images that are not refused.
        macro_auc: Mean area under the curve of each class against the rest.
        false_alarms: Share of other classes among the answers to lenses of the class `no`.
        false_alarms_low: Lower end of its 95 % interval.
        false_alarms_high: Upper end.
        detections: Share of all other lenses that are given a class other than `no`.
        refused: Share without an answer.
        unfamiliar: Share with familiarity below 0.05.
        coverage: Share of the answered images whose prediction set holds the true class.
        set_size: Mean number of classes in their prediction sets.
        confident_mistakes: Share answered wrongly with a probability of 0.95 or more; for images
            of no class any answer is wrong.
        calibration_error: Expected calibration error.
        familiarity_auc: AUC with which familiarity separates these images from those of the
            preset: 0.5 if they look alike, 1 if all of these are less familiar.
    """

    images: int
    accuracy: float = NAN
    accuracy_low: float = NAN
    accuracy_high: float = NAN
    accuracy_answered: float = NAN
    macro_auc: float = NAN
    false_alarms: float = NAN
    false_alarms_low: float = NAN
    false_alarms_high: float = NAN
    detections: float = NAN
    refused: float = NAN
    unfamiliar: float = NAN
    coverage: float = NAN
    set_size: float = NAN
    confident_mistakes: float = NAN
    calibration_error: float = NAN
    familiarity_auc: float = NAN


def score_answers(
    answers: Answers, classes: Sequence[str], own: Float[np.ndarray, " m"] | None = None
) -> StressScores:
    """Scores for one kind of images.

    Args:
        answers: The answers; scores that need true classes are NaN where all labels are -1.
        classes: Names of the classes.
        own: Familiarity of images of the model's own preset, to compare with.
    """
    right, confidence = _judged(answers)
    scores = {
        "refused": _share(~answers.answered),
        "confident_mistakes": _share(answers.answered & ~right & (confidence >= CONFIDENT)),
        "familiarity_auc": familiarity_auc(own, answers.familiarity),
    }
    if answers.familiarity is not None:
        scores["unfamiliar"] = _share(answers.familiarity < UNFAMILIAR)
    if answers.in_set is not None and answers.answered.any():
        scores["set_size"] = float(answers.in_set[answers.answered].sum(axis=1).mean())
    if (answers.labels >= 0).all():
        scores |= _accuracy(answers, right) | _detection(answers, classes)
    return StressScores(len(answers), **scores)


def familiarity_auc(
    own: Float[np.ndarray, " m"] | None, other: Float[np.ndarray, " n"] | None
) -> float:
    """Probability that an image of the preset is more familiar than another; ties count half.

    >>> familiarity_auc(np.array([0.5, 0.9]), np.array([0.0, 0.5]))
    0.875
    """
    if own is None or other is None:
        return NAN
    higher = (own[:, None] > other).mean()
    return float(higher + 0.5 * (own[:, None] == other).mean())


def _judged(answers: Answers) -> tuple[Bool[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Whether each most probable class is the true one, and its probability; 0 if there is none."""
    probabilities = np.nan_to_num(answers.probabilities)
    confidence = probabilities.max(axis=1)
    return (confidence > 0) & (probabilities.argmax(axis=1) == answers.labels), confidence


def _accuracy(answers: Answers, right: Bool[np.ndarray, " n"]) -> dict[str, float]:
    """Scores of all classes alike."""
    labels, probabilities = answers.labels, answers.probabilities
    scores = {
        **_with_interval("accuracy", right),
        "accuracy_answered": _share(right[answers.answered]),
    }
    usable = np.isfinite(probabilities).all(axis=1)
    if usable.any():
        found = labels[usable], probabilities[usable]
        scores["macro_auc"] = float(macro_auc(*found))
        scores["calibration_error"] = float(expected_calibration_error(*found))
    if answers.in_set is not None:
        with_truth = answers.in_set[np.arange(labels.size), labels]
        scores["coverage"] = _share(with_truth[answers.answered])
    return scores


def _detection(answers: Answers, classes: Sequence[str]) -> dict[str, float]:
    """False alarms and detections, if the model has a class without substructure."""
    names = [canonical_class(name) for name in classes]
    if CLASSES[0] not in names:
        return {}
    smooth = names.index(CLASSES[0])
    without = answers.labels == smooth
    called = np.nan_to_num(answers.probabilities).argmax(axis=1) != smooth
    return {
        **_with_interval("false_alarms", called[without & answers.answered]),
        "detections": _share((called & answers.answered)[~without]),
    }


def _with_interval(name: str, chosen: Bool[np.ndarray, " n"]) -> dict[str, float]:
    """Share of true values with Wilson's 95 % interval; NaN if there are no values."""
    if not chosen.size:
        return {}
    interval = binomtest(int(chosen.sum()), chosen.size).proportion_ci(method="wilson")
    ends = {f"{name}_low": float(interval.low), f"{name}_high": float(interval.high)}
    return {name: _share(chosen), **ends}


def _share(chosen: Bool[np.ndarray, " n"]) -> float:
    """Share of true values; NaN if there are no values."""
    return float(chosen.mean()) if chosen.size else NAN
