"""Scores of answers with and without sets, familiarity and refusals."""

import numpy as np
import pandas as pd
import pytest

from darklens.evaluate.classifier.stress.answers import Answers, answers_in, joined
from darklens.evaluate.classifier.stress.scores import familiarity_auc, score_answers

CLASSES = ("no", "sphere", "vort")


def answers(labels: list[int], **columns: object) -> Answers:
    return answers_in(pd.DataFrame(columns), np.array(labels), CLASSES)


SIX = {
    # a false alarm, a right no, a detection, a missed vortex, a refusal, no answer at all
    "label": pd.Series(["sphere", "no", "sphere", "no", "unknown", None], dtype="string"),
    "p_no": [0.01, 0.9, 0.1, 0.6, 0.2, np.nan],
    "p_sphere": [0.97, 0.05, 0.8, 0.2, 0.2, np.nan],
    "p_vort": [0.02, 0.05, 0.1, 0.2, 0.6, np.nan],
    "set": ["no|sphere", "no", "sphere", "no", "no|sphere|vort", None],
    "familiarity": [0.5, 0.04, 0.3, 0.9, 0.0, None],
}
LABELS = [0, 0, 1, 2, 2, 1]


def test_every_score_of_six_images() -> None:
    scores = score_answers(answers(LABELS, **SIX), CLASSES, np.array([0.5, 0.6]))
    assert scores.images == 6
    assert scores.accuracy == pytest.approx(3 / 6)
    assert (scores.accuracy_low, scores.accuracy_high) == pytest.approx((0.188, 0.812), abs=1e-3)
    assert scores.accuracy_answered == pytest.approx(2 / 4)
    assert scores.false_alarms == pytest.approx(1 / 2)
    assert (scores.false_alarms_low, scores.false_alarms_high) == pytest.approx(
        (0.0945, 0.9055), abs=1e-3
    )
    assert scores.detections == pytest.approx(1 / 4)
    assert scores.refused == pytest.approx(2 / 6)
    assert scores.unfamiliar == pytest.approx(3 / 6)
    assert scores.coverage == pytest.approx(3 / 4)
    assert scores.set_size == pytest.approx(5 / 4)
    assert scores.confident_mistakes == pytest.approx(1 / 6)
    assert 0 <= scores.calibration_error <= 1
    assert scores.familiarity_auc == pytest.approx((4.5 + 5) / 12)


def test_a_model_without_sets_and_familiarity_has_no_such_scores() -> None:
    plain = {name: SIX[name] for name in ("label", "p_no", "p_sphere", "p_vort")}
    scores = score_answers(answers(LABELS, **plain), CLASSES, None)
    assert scores.accuracy == pytest.approx(0.5)
    for name in ("coverage", "set_size", "unfamiliar", "familiarity_auc"):
        assert np.isnan(getattr(scores, name))


def test_any_answer_to_what_is_no_lens_is_wrong() -> None:
    scores = score_answers(answers([-1] * 6, **SIX), CLASSES, None)
    assert scores.refused == pytest.approx(2 / 6)
    assert scores.confident_mistakes == pytest.approx(1 / 6)
    assert np.isnan(scores.accuracy)
    assert np.isnan(scores.false_alarms)


def test_images_that_cannot_be_used_are_refused_and_least_familiar() -> None:
    nothing = answers([0, 1], label=pd.Series([None, None], dtype="string"))
    assert not nothing.answered.any()
    together = joined([answers(LABELS, **SIX), nothing])
    assert len(together) == 8
    assert together.familiarity is not None
    assert together.familiarity[-2:].tolist() == [0, 0]
    assert together.in_set is not None
    assert not together.in_set[-2:].any()
    scores = score_answers(together, CLASSES, np.array([0.5]))
    assert scores.refused == pytest.approx(4 / 8)
    assert scores.accuracy == pytest.approx(3 / 8)
    assert scores.coverage == pytest.approx(3 / 4)


def test_classes_without_no_have_no_false_alarms() -> None:
    scores = score_answers(answers(LABELS, **SIX), ("a", "b", "c"), None)
    assert np.isnan(scores.false_alarms)
    assert np.isnan(scores.detections)


def test_familiarity_auc_is_a_half_for_the_same_and_one_for_less_familiar_images() -> None:
    values = np.linspace(0.1, 1, 50)
    assert familiarity_auc(values, values) == pytest.approx(0.5)
    assert familiarity_auc(values, np.zeros(3)) == 1.0
