"""Scores at the end of a run: those that are defined, and a word about the others."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from darklens.classify import Classifier, build_network, network_spec
from darklens.data import ImageDataset, build_preprocessing
from darklens.errors import BadData
from darklens.hub import InputCard, find_model, load_card
from darklens.train import TrainingData
from darklens.train.scores import (
    absent_classes,
    fitted_temperature,
    measured_scores,
    save_measured,
)

CLASSES = ("no", "sphere", "vort")


class FirstPixels(nn.Module):
    """Logits are the first three pixels."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :3]


CLASSIFIER = Classifier(FirstPixels(), CLASSES, build_preprocessing([]))


def dataset(*labels: int, right: int = 0, strength: float = 1.0) -> ImageDataset:
    """Images of which the first `right` are classified rightly."""
    images = np.zeros((len(labels), 1, 2, 2), dtype=np.float32)
    for place, label in enumerate(labels):
        seen = label if place < right else (label + 1) % 3
        images[place].flat[seen] = strength
    return ImageDataset.from_arrays(images, np.array(labels, dtype=np.int64), classes=CLASSES)


def scores(test: ImageDataset) -> tuple[dict[str, float], list[str]]:
    lines: list[str] = []
    made = measured_scores(CLASSIFIER, test, command="none", report=lines.append)
    return {metric.name: metric.value for metric in made}, lines


def test_all_scores_of_a_whole_test_part() -> None:
    found, lines = scores(dataset(0, 1, 2, 0, 1, 2, right=3))
    assert found.keys() == {"accuracy", "macro_auc"}
    assert found["accuracy"] == 0.5
    assert lines == []


def test_a_class_without_images_leaves_the_auc_out() -> None:
    found, lines = scores(dataset(0, 0, 2, right=2))
    assert found.keys() == {"accuracy"}
    assert lines == ["no macro_auc: the test part has no images of sphere"]
    assert absent_classes(dataset(1)) == ["no", "vort"]


def test_an_empty_test_part_has_no_scores() -> None:
    found, lines = scores(dataset(0).subset([]))
    assert found == {}
    assert "no images" in lines[0]


def test_the_temperature_of_an_overconfident_classifier() -> None:
    lines: list[str] = []
    val = dataset(*[0, 1, 2] * 10, right=20, strength=9.0)
    assert fitted_temperature(CLASSIFIER.logits(val.images()), val.labels, lines.append) > 2
    assert lines == []


@pytest.mark.parametrize(
    "val",
    [
        dataset(0),
        dataset(0, 1, 2, right=3),  # all right: the sharper the better
        dataset(0, 1, 2, right=0),  # all wrong: the flatter the better
        dataset(0, 1, 2, right=1, strength=0.0),  # any temperature is as good
        dataset(0).subset([]),
    ],
    ids=["one", "right", "wrong", "flat", "empty"],
)
def test_a_temperature_that_nothing_determines_is_one(val: ImageDataset) -> None:
    lines: list[str] = []
    logits = CLASSIFIER.logits(val.images())
    assert fitted_temperature(logits, val.labels, lines.append) == 1.0
    assert "the temperature stays 1" in lines[0]


def test_what_goes_wrong_in_measuring_does_not_lose_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    steps = build_preprocessing([])
    images = np.random.default_rng(0).normal(size=(6, 1, 32, 32)).astype(np.float32)
    val = ImageDataset.from_arrays(images, np.arange(6) % 3, classes=CLASSES)
    gone = ImageDataset.from_files(tmp_path, [tmp_path / "gone.npy"], [0], classes=CLASSES)
    with pytest.raises(BadData):
        gone.images()
    data = TrainingData(val, val, (1, 32, 32), steps, gone)
    network = build_network({"name": "backbone", "backbone": "test_resnet"})
    card = replace(
        load_card(find_model("default-pixels")),
        input=InputCard(1, 32, 32, pixel_scale=None, values="counts"),
        network=network_spec(network),
        metrics=(),
    )
    trained = save_measured(tmp_path / "model", network, card, data, quiet=True)
    assert trained.problem is not None
    assert "gone.npy" in trained.problem
    said = capsys.readouterr().err
    assert "the model is written, but could not be measured" in said
    assert load_card(tmp_path / "model") == trained.card
    assert trained.card.metrics == ()
