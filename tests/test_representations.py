"""What objects show of themselves: one line without addresses or arrays; HTML in a notebook."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from darklens.classify import Answer
from darklens.data import ImageDataset, Panel, Plane
from darklens.errors import BadInput
from darklens.evaluate import FileFit, FilePrediction
from darklens.hub import load_card, load_classifier, load_generator
from darklens.modelling import SmoothFit, SmoothFitter
from darklens.simulation import Simulator, load_preset

IMAGE = np.arange(150 * 150, dtype=np.uint16).reshape(1, 150, 150)


def one_line(thing: object) -> str:
    text = repr(thing)
    assert "\n" not in text
    assert len(text) < 300
    assert " at 0x" not in text
    assert "array(" not in text
    return text


def test_lenses() -> None:
    simulator = Simulator("model-1")
    lenses = simulator.simulate(2)
    assert "150 x 150 pixels of 0.05 arcsec" in one_line(simulator)
    assert "no, sphere, vort" in one_line(simulator.preset)
    assert one_line(lenses).startswith("Lenses(2 images of 1 x 150 x 150 pixels, uint16")
    assert len(lenses) == 2
    assert "Einstein radius" in one_line(simulator.lens(0))


def test_models(tiny_model: Path, tiny_generator: Path) -> None:
    assert "classes no, sphere, vort" in one_line(load_classifier(tiny_model))
    assert "center_crop" in one_line(load_classifier(tiny_model).preprocessing)
    assert "classifier of no, sphere, vort" in one_line(load_card(tiny_model))
    generator = load_generator(tiny_generator)
    assert "16 x 16 pixels" in one_line(generator)
    assert "2 images" in one_line(generator.generate(2, steps=1))


def test_data() -> None:
    dataset = ImageDataset.from_arrays(IMAGE[None], np.array([0]), classes=("no", "sphere"))
    assert one_line(dataset) == "ImageDataset(1 images: 1 no, 0 sphere)"
    assert one_line(Plane(IMAGE[0], 0.05)) == "Plane(150 x 150 pixels of 0.05 arcsec, uint16)"


@pytest.mark.parametrize("error", ["", "the file is empty"])
def test_what_came_of_a_file(error: str) -> None:
    image, two = np.zeros((9, 9)), np.zeros((2, 9, 9))
    fit = SmoothFit(
        np.zeros(40), ("x",), np.eye(1), 1.02, image, image, image, two, image[None],
        converged=True, steps=9,
    )  # fmt: skip
    assert "reduced chi-square 1.020" in one_line(fit)
    row = FileFit(Path("no/\x1b.npy"), image, None if error else fit, error=error)
    assert (error or "chi-square") in one_line(row)
    answer = None if error else Answer("vort", np.array([0.25, 0.75]))
    row = FilePrediction(Path("no/1.npy"), IMAGE, answer, error)
    assert (error or "0.250, 0.750") in one_line(row)


def as_html(thing: object) -> str:
    """What a notebook shows of it: small, nothing to load, every element closed."""
    html = thing._repr_html_()  # type: ignore[attr-defined]
    assert len(html) < 250_000
    assert not re.search(r'(src|href)="(?!data:)|<script|url\(', html)
    open_elements = []

    class Elements(HTMLParser):
        def handle_starttag(self, tag: str, attributes: object) -> None:
            if tag != "img":
                open_elements.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_elements.pop() == tag

    Elements().feed(html)
    assert open_elements == []
    return html


def test_lenses_in_a_notebook() -> None:
    lenses = Simulator("model-1").simulate(14)
    html = as_html(lenses)
    assert html.count("<img") == 12
    assert "5 no, 5 sphere, 4 vort" in html
    assert "and 2 more" in html
    figure = lenses.show(5, columns=3)
    assert [axes.get_title() for axes in figure.axes] == [
        "no",
        "sphere",
        "vort",
        "no",
        "sphere",
        "",
    ]
    assert figure._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(BadInput, match="at least 1"):
        lenses.show(0)


def test_a_fit_in_a_notebook() -> None:
    lens = Simulator("model-1").lens(0)
    fit = SmoothFitter(load_preset("model-1")).fit(lens.image[0])
    html = as_html(fit)
    assert html.count("<img") == 3
    assert all(f">{name}<" in html for name in fit.names)
    assert f"{fit.values['source_x']:.5g}" in html
    figure = fit.show()
    shown = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(np.asarray(shown), lens.image[0], atol=1e-6)
    assert "chi-square" in figure.get_suptitle()


def test_cards_presets_and_answers_in_a_notebook(tiny_model: Path) -> None:
    html = as_html(load_card(tiny_model))
    assert "0.333 [0.300, 0.400]" in html
    assert "guesses" in html
    html = as_html(load_preset("common-test-1"))
    assert "a line of mass" in html
    panels = [Panel("image", np.ones((9, 9))), Panel("residual <b>", np.ones((9, 9)), limit=5.0)]
    answer = Answer(
        "no", np.array([0.75, 0.25]), ("no",), 0.5, {"note": "<i>", "fit": None}, panels
    )
    html = as_html(answer)
    assert "0.750, 0.250" in html
    assert "&lt;i&gt;" in html
    assert html.count("<img") == 2


def test_a_table_of_predictions_in_a_notebook(tiny_model: Path) -> None:
    html = as_html(load_classifier(tiny_model).predict(IMAGE[None]))
    assert "<th>p_sphere</th>" in html


def test_progress_is_that_of_tqdm_auto() -> None:
    """In a notebook without ipywidgets, as in a process: no warning and a line for each stage."""
    code = (
        "import sys, types; sys.modules['ipykernel.zmqshell'] = types.ModuleType('z')\n"
        "import darklens.progress as p, tqdm.auto\n"
        "assert issubclass(p.tqdm, tqdm.auto.tqdm)\n"
        "print(list(p.progress(range(2), 'counting')))"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "[0, 1]\n", "counting\n")
