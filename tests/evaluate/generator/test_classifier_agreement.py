"""Shares that a classifier recognises, by the classes' names, and chi-squares of the fit."""

import numpy as np
import pytest

from darklens.evaluate.generator.classifier_agreement import measure_agreement
from darklens.evaluate.generator.embedding import Embedding

KNOWN = ("no", "sphere", "vort")


def seen(called: list[int], chi_square: list[float] | None = None) -> Embedding:
    """A classifier that calls images so."""
    columns = {} if chi_square is None else {"chi_square": chi_square}
    return Embedding(np.zeros((len(called), 2), np.float32), np.eye(3)[called], columns)


def test_shares_go_by_the_names_of_the_classes() -> None:
    classes = ("no", "vort", "lens")
    labels = np.array([0, 0, 1, 1, 2])
    found = measure_agreement(
        seen([0, 0, 2, 2, 1]), seen([0, 1, 2, 1, 0]), labels, labels, classes=classes, known=KNOWN
    )
    assert found.real == {"no": 1, "vort": 1}
    assert found.generated == {"no": 0.5, "vort": 0.5}
    assert found.images == {"no": 2, "vort": 2}
    assert found.chi_square is None


def test_unknown_classes_have_no_shares() -> None:
    labels = np.zeros(2, int)
    found = measure_agreement(
        seen([0, 1]), seen([0, 1]), labels, np.full(2, -1), classes=("sub",), known=KNOWN
    )
    assert found.real == found.generated == {}


def test_chi_squares_of_images_without_substructure() -> None:
    labels = np.array([0, 0, 0, 1])
    real = seen([0, 0, 0, 1], [1.0, 0.99, 1.01, 9.0])
    generated = seen([0, 0, 0, 1], [2.0, np.nan, 1.8, 1.0])
    found = measure_agreement(real, generated, labels, labels, classes=KNOWN, known=KNOWN)
    fit = found.chi_square
    assert fit is not None
    assert fit.real[1] == 1.0
    assert fit.generated[1] == pytest.approx(1.9)
    assert (fit.images, fit.statistic) == (2, 1)
    assert 0 < fit.p_value < 1
