"""The page of `predict --html`: its rows, its limits, and how it works in a browser."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darklens.classify import Answer
from darklens.data import Panel
from darklens.evaluate import FilePrediction
from darklens.evaluate.classifier.catalogue import MOST_ROWS, Catalogue, advice
from darklens.hub import ModelCard, load_card

CLASSES = ("no", "sphere", "vort")
IMAGE = np.random.default_rng(0).random((1, 40, 40))


def answered(
    name: str, label: str, p: tuple[float, ...], possible: tuple[str, ...] = (), **columns: Any
) -> FilePrediction:
    panels = [Panel("image", IMAGE[0]), Panel("residual [noise]", IMAGE[0] - 0.5, limit=5.0)]
    answer = Answer(label, np.array(p), possible, 0.4, columns, panels)
    return FilePrediction(Path(name), IMAGE, answer)


@pytest.fixture
def card(tiny_model: Path) -> ModelCard:
    return load_card(tiny_model)


@pytest.fixture
def page(card: ModelCard, tmp_path: Path) -> Path:
    """A page of four rows."""
    catalogue = Catalogue(card, 0.95)
    catalogue.add(answered("b/10.npy", "no", (0.9, 0.1, 0.0), ("no",), chi_square=1.25))
    catalogue.add(answered("b/9.npy", "vort", (0.1, 0.2, 0.7), ("sphere", "vort"), chi_square=0.9))
    note = "no label: unlike the images"
    catalogue.add(answered("a/3.npy", "unknown", (0.3, 0.3, 0.4), CLASSES, note=note))
    catalogue.add(FilePrediction(Path("<i>bad</i>\x1b.npy"), None, None, "the file is <empty>"))
    catalogue.write(tmp_path / "page.html")
    return tmp_path / "page.html"


def test_every_image_has_a_row_and_nothing_is_loaded(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert html.count("<tr data-kinds=") == 4
    assert html.count("data:image/webp;base64,") == 6
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert "default-src 'none'" in html
    assert "4 images classified by the model tiny: " in html
    assert "the image does not decide between sphere and vort" in html
    assert "the other classes are excluded at 95 %" in html


def test_names_and_reasons_are_text(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert 'data-value="&lt;i&gt;bad&lt;/i&gt;\\x1b.npy"' in html
    assert "the file is &lt;empty&gt;" in html
    assert "<i>" not in html


def test_a_page_has_a_limit_and_says_so(card: ModelCard, tmp_path: Path) -> None:
    catalogue = Catalogue(card, 0.9)
    for index in range(MOST_ROWS + 5):
        catalogue.add(FilePrediction(Path(f"{index}.npy"), None, None, "the file is empty"))
    catalogue.write(tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text()
    assert html.count("<tr data-kinds=") == MOST_ROWS
    assert f"The first {MOST_ROWS} of {MOST_ROWS + 5} images are on this page." in html
    assert f"{MOST_ROWS + 5} not classified" in html


@pytest.mark.parametrize(
    ("possible", "words"),
    [
        ((), "the model has no calibration"),
        (("no",), "the other classes are excluded at 90 %"),
        (("no", "vort"), "between no and vort"),
        (CLASSES, "the image does not say"),
    ],
)
def test_what_to_do(possible: tuple[str, ...], words: str) -> None:
    assert words in advice(Answer("no", np.ones(3) / 3, possible), CLASSES, 0.9)
    noted = Answer("no", np.ones(3) / 3, possible, columns={"note": "check the unit"})
    assert advice(noted, CLASSES, 0.9) == "check the unit"


def test_it_sorts_filters_and_enlarges_in_a_browser(browser: Any, page: Path) -> None:
    visit = browser.new_page(viewport={"width": 1280, "height": 900})
    problems: list[str] = []
    visit.on("console", lambda message: problems.append(message.text))
    visit.on("pageerror", lambda error: problems.append(str(error)))
    visit.on("request", lambda one: one.url.startswith("http") and problems.append(one.url))
    visit.goto(page.as_uri())

    def names() -> list[str]:
        found = visit.eval_on_selector_all(
            "tbody tr:not([hidden]) td.file", "all => all.map(one => one.dataset.value)"
        )
        return [Path(name).name for name in found]

    assert names()[:3] == ["10.npy", "9.npy", "3.npy"]
    visit.get_by_role("button", name="file").click()  # by folder, and numbers as numbers
    assert [name for name in names() if name[0] in "139"] == ["3.npy", "9.npy", "10.npy"]
    visit.get_by_role("button", name="chi-square").press("Enter")  # the largest first
    assert names()[:2] == ["10.npy", "9.npy"]
    visit.get_by_role("button", name="chi-square").press("Enter")
    assert names()[:2] == ["9.npy", "10.npy"]
    visit.select_option("#kind", "several classes")
    assert names() == ["9.npy"]
    assert visit.inner_text("#shown") == "1 of 4 shown"
    visit.select_option("#kind", "")
    visit.fill("#filter", "unlike A/3")
    assert names() == ["3.npy"]
    visit.focus("button.zoom >> visible=true")
    visit.keyboard.press("Enter")
    assert "3.npy" in visit.inner_text("dialog p")
    visit.keyboard.press("ArrowRight")
    assert "residual, ±5σ, of a/3.npy" in visit.inner_text("dialog p")
    visit.keyboard.press("Escape")
    assert not visit.is_visible("dialog")
    assert problems == []
    visit.set_viewport_size({"width": 390, "height": 800})
    assert visit.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    visit.close()
