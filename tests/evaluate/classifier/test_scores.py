"""Scores, batches, mistakes and labels of an evaluation."""

from pathlib import Path

import numpy as np
import pytest

from darklens.classify import UNKNOWN, Answer
from darklens.data import ImageDataset, open_dataset
from darklens.errors import BadData
from darklens.evaluate import (
    SimulatedImages,
    classify_images,
    confident_mistakes,
    labels_for,
    score_classifier,
    stated_probabilities,
)
from darklens.hub import load_classifier
from darklens.metrics import accuracy, macro_auc
from darklens.simulation import Simulator


@pytest.fixture
def labels() -> np.ndarray:
    return np.arange(60) % 3


@pytest.fixture
def probabilities(labels: np.ndarray) -> np.ndarray:
    values = np.random.default_rng(0).dirichlet(np.ones(3), 60)
    values[np.arange(60), labels] += 0.4
    return values / values.sum(axis=1, keepdims=True)


def test_scores_are_the_metrics(labels: np.ndarray, probabilities: np.ndarray) -> None:
    scores = score_classifier(labels, probabilities, ("no", "sphere", "vort"), resamples=100)
    assert scores.counts == (20, 20, 20)
    assert scores.scalars["accuracy"].value == accuracy(labels, probabilities)
    assert scores.scalars["macro_auc"].value == macro_auc(labels, probabilities)
    assert scores.confusion.value.sum() == 60
    for item in scores.scalars.values():
        assert item.low <= item.value <= item.high


def test_refusals_and_sets_have_scores_beside_the_accuracy_over_all_images() -> None:
    sure = np.array([0.9, 0.1])
    answers = [
        Answer("no", sure, ("no",), 0.5),
        Answer("no", sure, ("no", "vort"), 0.03),
        Answer(UNKNOWN, sure, ("no", "vort"), 0.001),
        Answer(UNKNOWN, np.full(2, np.nan), ("no", "vort"), np.nan),
    ]
    probabilities = stated_probabilities(answers)
    assert probabilities[3].tolist() == [0.5, 0.5]
    labels = np.array([0, 1, 1, 1])
    scores = score_classifier(labels, probabilities, ("no", "vort"), answers=answers, resamples=20)
    found = {name: float(item.value) for name, item in scores.scalars.items()}
    assert found["accuracy"] == 0.25
    assert found["accuracy_answered"] == 0.5
    assert found["share_unknown"] == 0.5
    assert found["share_unfamiliar"] == 0.5
    assert found["set_coverage"] == 1
    assert found["mean_set_size"] == 1.75


def test_a_model_without_calibration_has_no_such_scores(
    labels: np.ndarray, probabilities: np.ndarray
) -> None:
    answers = [Answer("no", row) for row in probabilities]
    scores = score_classifier(
        labels, probabilities, ("no", "sphere", "vort"), answers=answers, resamples=20
    )
    assert list(scores.scalars)[-1] == "expected_calibration_error"


def test_scores_repeat_with_their_seed(labels: np.ndarray, probabilities: np.ndarray) -> None:
    classes = ("no", "sphere", "vort")
    first, second, other = (
        score_classifier(labels, probabilities, classes, resamples=50, seed=seed).as_dict()
        for seed in (1, 1, 2)
    )
    assert first == second
    assert first["metrics"] != other["metrics"]


def test_the_most_confident_mistakes_come_first() -> None:
    probabilities = np.array([[0.9, 0.1], [0.3, 0.7], [0.05, 0.95], [0.8, 0.2]])
    assert confident_mistakes(np.array([0, 0, 0, 1]), probabilities, 5) == [2, 3, 1]
    assert confident_mistakes(np.array([0, 0, 0, 1]), probabilities, 1) == [2]


def test_images_of_several_shapes_go_through_in_order(tiny_model: Path) -> None:
    generator = np.random.default_rng(0)
    shapes = [(150, 150), (150, 150), (200, 160), (150, 150), (64, 64)]
    pictures = [generator.random((1, *shape)) for shape in shapes]

    class Pictures:
        classes = ("no", "vort")
        labels = np.arange(5) % 2
        ids = tuple("abcde")

        def __len__(self) -> int:
            return 5

        def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
            return pictures[index], index % 2

    classifier = load_classifier(tiny_model)
    found = classify_images(classifier, Pictures(), batch=2)
    single = np.concatenate([classifier.probabilities(picture[None]) for picture in pictures])
    np.testing.assert_allclose(found, single, atol=1e-6)


def test_an_unsuitable_image_is_named(tiny_model: Path) -> None:
    colour = np.random.default_rng(0).random((2, 3, 150, 150))
    images = ImageDataset.from_arrays(colour, np.array([0, 1]), classes=("no", "vort"))
    with pytest.raises(BadData, match="images cannot be used: 00000000: has 3 channels"):
        classify_images(load_classifier(tiny_model), images)


def test_labels_follow_the_models_classes() -> None:
    images = ImageDataset.from_arrays(
        np.random.default_rng(0).random((3, 1, 8, 8)), np.array([1, 0, 1]), classes=("no", "vort")
    )
    assert labels_for(images, ("no", "sphere", "vort")).tolist() == [2, 0, 2]
    with pytest.raises(BadData, match="the class 'vort'"):
        labels_for(images, ("no", "sphere"))


def test_simulated_images_are_those_of_the_simulator() -> None:
    simulator = Simulator("model-1-legacy")
    images = SimulatedImages(simulator, count=4, seed=7)
    batch = simulator.simulate(4, seed=7)
    assert len(images) == 4
    assert images.labels.tolist() == batch.labels.tolist()
    for index in range(4):
        image, label = images[index]
        np.testing.assert_array_equal(image, batch.images[index])
        assert label == batch.labels[index]


def test_all_bad_images_are_named_at_once(tiny_model: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((6, 150, 150))
    for i, image in enumerate(pixels):
        (tmp_path / ("no", "vort")[i % 2]).mkdir(exist_ok=True)
        np.save(tmp_path / ("no", "vort")[i % 2] / f"{i}.npy", image)
    np.save(tmp_path / "no" / "2.npy", np.full((150, 150), np.nan))
    (tmp_path / "vort" / "5.npy").write_bytes(b"")
    with pytest.raises(BadData) as caught:
        classify_images(load_classifier(tiny_model), open_dataset(tmp_path))
    assert str(caught.value) == (
        "2 of 6 images cannot be used: no/2.npy: some pixels are NaN; vort/5.npy: the file is empty"
    )
