"""Sets of images in batches: from memory, simulations and a generator."""

from pathlib import Path

import numpy as np
import pytest

from darklens.data import ImageDataset
from darklens.diffusion import SamplingOptions
from darklens.errors import BadData, BadInput
from darklens.evaluate.generator.image_sets import (
    ImageSet,
    generated_image_set,
    read_image_set,
    simulated_image_set,
)
from darklens.hub import load_generator
from darklens.simulation import Simulator

IMAGES = np.arange(12.0).reshape(12, 1, 1, 1)
DATASET = ImageDataset.from_arrays(IMAGES, np.arange(12) // 6, classes=("no", "vort"))


def everything(image_set: ImageSet, size: int) -> tuple[np.ndarray, np.ndarray]:
    batches = list(image_set.batches(size))
    assert all(len(images) == len(labels) <= size for images, labels in batches)
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    np.testing.assert_array_equal(labels, image_set.labels)
    return images, labels


def test_a_data_set_in_random_order_keeps_its_labels() -> None:
    image_set = read_image_set(DATASET, "words", seed=1)
    images, labels = everything(image_set, 5)
    assert sorted(images.ravel().tolist()) == list(range(12))
    assert images.ravel().tolist() != list(range(12))
    assert ((images.ravel() >= 6) == labels).all()
    np.testing.assert_array_equal(everything(image_set, 12)[0], images)


def test_a_part_of_a_data_set_in_other_classes() -> None:
    image_set = read_image_set(DATASET, "words", count=4, classes=("vort", "sphere", "no"))
    images, labels = everything(image_set, 3)
    assert len(image_set) == 4
    assert (labels == np.where(images.ravel() >= 6, 0, 2)).all()
    unknown = read_image_set(DATASET, "words", classes=("sub", "no_sub"))
    assert set(unknown.labels.tolist()) == {-1}
    with pytest.raises(BadData, match="vort"):
        read_image_set(DATASET, "words", classes=("no", "sphere"))


def test_simulations_are_those_of_the_simulator() -> None:
    simulator = Simulator("common-test-1")
    images, labels = everything(simulated_image_set(simulator, "words", count=5, seed=3), 2)
    expected = simulator.simulate(5, seed=3)
    np.testing.assert_array_equal(images, expected.images)
    np.testing.assert_array_equal(labels, expected.labels)


def test_a_generator_makes_the_classes_that_are_wanted(tiny_generator: Path) -> None:
    generator = load_generator(tiny_generator)
    labels = np.array([1, 1, 0, 0, 1])
    image_set = generated_image_set(
        generator, "words", labels, ("vort", "no"), SamplingOptions(steps=2, seed=4)
    )
    images, found = everything(image_set, 2)
    assert found.tolist() == labels.tolist()
    expected = generator.generate(5, labels=[0, 0, 2, 2, 0], steps=2, seed=4, batch=2)
    np.testing.assert_array_equal(images, expected.images)
    mean = generated_image_set(
        generator, "words", labels, ("vort", "no"), SamplingOptions(steps=2, expected=True)
    )
    assert everything(mean, 5)[0].dtype == np.float32


def test_a_generator_makes_all_classes_beside_images_without(tiny_generator: Path) -> None:
    generator = load_generator(tiny_generator)
    image_set = generated_image_set(
        generator, "words", np.zeros(4, np.int64), ("lens",), SamplingOptions(steps=2, seed=4)
    )
    images, found = everything(image_set, 4)
    assert found.tolist() == [-1] * 4
    expected = generator.generate(4, labels=[0, 1, 2, 0], steps=2, seed=4, batch=4)
    np.testing.assert_array_equal(images, expected.images)


def test_what_a_generator_cannot_make_is_refused(tiny_generator: Path) -> None:
    generator = load_generator(tiny_generator)
    with pytest.raises(BadData, match="'sub', but the model generates only no, sphere, vort"):
        generated_image_set(generator, "words", np.array([0]), ("sub",), SamplingOptions())
    with pytest.raises(BadInput, match="guidance"):
        generated_image_set(
            generator, "words", np.array([0]), ("no",), SamplingOptions(guidance=float("nan"))
        )
