"""The picture of a prediction shows the answer, and no class where there is none."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from darklens.classify import UNKNOWN, Answer
from darklens.data import Panel
from darklens.evaluate import prediction_figure

CLASSES = ("no", "sphere", "vort")
IMAGE = np.random.default_rng(0).random((1, 20, 20))
SURE = np.array([0.0, 0.0, 1.0])


def texts(figure: Figure) -> tuple[str, list[str]]:
    """Title, and the numbers beside the bars."""
    return figure.get_suptitle(), [text.get_text() for text in figure.axes[-1].texts]


def test_an_answer() -> None:
    answer = Answer("vort", SURE, possible=("sphere", "vort"), familiarity=0.03)
    title, numbers = texts(prediction_figure(IMAGE, answer, CLASSES, title="lens.npy"))
    assert title == "lens.npy: vort (possible: sphere, vort), unfamiliar"
    assert numbers == ["0.000", "0.000", "1.000"]


@pytest.mark.parametrize(
    ("columns", "familiarity", "reason"),
    [({"fit": "not converged"}, 0.5, "fit not converged"), ({}, 0.001, "unlike the calibration")],
)
def test_an_unknown_image_names_no_class(
    columns: dict[str, str], familiarity: float, reason: str
) -> None:
    panels = [Panel("image", IMAGE[0])]
    answer = Answer(UNKNOWN, SURE, CLASSES, familiarity, columns, panels)
    title, numbers = texts(prediction_figure(IMAGE, answer, CLASSES))
    assert title.startswith(f"unknown: {reason}")
    assert numbers == []


def test_a_failed_fit_has_empty_bars() -> None:
    answer = Answer(UNKNOWN, np.full(3, np.nan), CLASSES, np.nan, {"fit": "failed"})
    figure = prediction_figure(IMAGE, answer, CLASSES)
    assert [bar.get_width() for bar in figure.axes[-1].patches] == [0, 0, 0]
