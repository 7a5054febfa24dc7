"""Figures and reports: all parts there, nothing to load, nothing unescaped."""

import re
from pathlib import Path

import numpy as np
import pytest

from darklens.classify import Answer
from darklens.evaluate import (
    ClassifierScores,
    LensSection,
    classifier_report,
    confusion_figure,
    demo_report,
    lens_card,
    reliability_figure,
    roc_figure,
    score_classifier,
    write_figure,
)
from darklens.hub import load_card

CLASSES = ("no", "sphere", "vort")


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray, ClassifierScores]:
    """Labels without any `vort`, probabilities and scores."""
    labels = np.arange(40) % 2
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 40)
    return labels, probabilities, score_classifier(labels, probabilities, CLASSES, resamples=50)


@pytest.fixture(scope="module")
def figures(
    sample: tuple[np.ndarray, np.ndarray, ClassifierScores],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    labels, probabilities, scores = sample
    write_figure(roc_figure(labels, probabilities, scores), folder, "roc")
    write_figure(confusion_figure(scores), folder, "confusion")
    write_figure(reliability_figure(labels, probabilities, scores), folder, "reliability")
    return folder


def test_figures_are_written_as_png_and_svg(figures: Path) -> None:
    for name in ("roc", "confusion", "reliability"):
        assert (figures / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (figures / f"{name}.svg").read_text()


def test_the_report_is_one_file_with_everything(
    figures: Path,
    sample: tuple[np.ndarray, np.ndarray, ClassifierScores],
    tiny_model: Path,
) -> None:
    _, probabilities, scores = sample
    image = np.random.default_rng(1).random((1, 40, 40))
    answer = Answer("no", probabilities[0])
    mistake = lens_card(image, answer, CLASSES, name="<b>x</b>.npy", truth="vort")
    html = classifier_report(
        load_card(tiny_model), scores, data="lenses & more", figures=figures, mistakes=[mistake]
    )
    assert html.count("data:image/svg+xml;base64,") == 3
    assert html.count("data:image/png;base64,") == 1
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert "lenses &amp; more" in html
    assert "&lt;b&gt;x&lt;/b&gt;.npy" in html
    assert "20 no, 20 sphere, 0 vort" in html
    assert "AUC of vort against the rest" in html
    accuracy = scores.scalars["accuracy"]
    assert f"{accuracy.low:.3f} to {accuracy.high:.3f}" in html


def test_a_report_without_mistakes_says_so(figures: Path, tiny_model: Path) -> None:
    labels = np.arange(6) % 3
    scores = score_classifier(labels, np.eye(3)[labels], CLASSES, resamples=20)
    html = classifier_report(
        load_card(tiny_model), scores, data="lenses", figures=figures, mistakes=[]
    )
    assert "Every image is classified rightly" in html


def test_the_demo_report_shows_every_section() -> None:
    image = np.random.default_rng(1).random((1, 40, 40))
    probabilities = np.array([0.7, 0.2, 0.1])
    known = lens_card(image, Answer("no", probabilities), CLASSES, name="a", truth="no")
    unknown = lens_card(image, Answer("unknown", probabilities), CLASSES, name="b")
    html = demo_report(
        "tiny", [LensSection("One", "first", [known]), LensSection("Two", "", [unknown])]
    )
    assert "<h2>One</h2>" in html
    assert "<h2>Two</h2>" in html
    assert html.count("true class") == 1
    assert "width:70.0%" in html
    assert "<b>\n      unknown</b>" in html or "<b>unknown</b>" in html
