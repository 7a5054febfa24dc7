"""What a notebook shows of each object: one line that says what it is, no address, no array."""

from pathlib import Path

import numpy as np
import pytest

from darklens.classify import Answer
from darklens.data import ImageDataset, Plane
from darklens.evaluate import FileFit, FilePrediction
from darklens.hub import load_card, load_classifier, load_generator
from darklens.modelling import SmoothFit
from darklens.simulation import Simulator

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
