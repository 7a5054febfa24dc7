"""Splits are reproducible, keep the classes' shares, and never share an image unseen."""

import numpy as np
import pytest

from darklens.data import (
    ImageDataset,
    check_disjoint,
    reference_split,
    stratified_folds,
)
from darklens.errors import BadData


def random_dataset(counts: tuple[int, ...], seed: int = 0) -> ImageDataset:
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.random.default_rng(seed).integers(0, 999, (len(labels), 1, 4, 4)).astype(np.uint16)
    ids = [f"{label}/{i}.npy" for i, label in enumerate(labels)]
    return ImageDataset.from_arrays(images, labels, classes=("no", "sphere", "vort"), ids=ids)


def class_counts(dataset: ImageDataset) -> list[int]:
    return np.bincount(dataset.labels, minlength=3).tolist()


def test_reference_protocol() -> None:
    train, val = random_dataset((5, 5, 5)), random_dataset((20, 10, 40), seed=1)
    parts = reference_split(train, val, seed=3)
    assert parts["train"] is train
    assert class_counts(parts["val"]) == [18, 9, 36]
    assert class_counts(parts["test"]) == [2, 1, 4]
    assert sorted(parts["val"].ids + parts["test"].ids) == sorted(val.ids)
    check_disjoint(parts)
    assert reference_split(train, val, seed=3)["test"].ids == parts["test"].ids
    assert reference_split(train, val, seed=4)["test"].ids != parts["test"].ids


def test_folds_test_each_image_once() -> None:
    dataset = random_dataset((11, 10, 12))
    folds = stratified_folds(dataset, 5, seed=1)
    tested = [name for _, test in folds for name in test.ids]
    assert sorted(tested) == sorted(dataset.ids)
    for train, test in folds:
        assert set(train.ids) | set(test.ids) == set(dataset.ids)
        assert len(train) + len(test) == len(dataset)
        assert all(2 <= count <= 3 for count in class_counts(test))
    again = stratified_folds(dataset, 5, seed=1)
    assert [test.ids for _, test in again] == [test.ids for _, test in folds]


def test_impossible_folds() -> None:
    dataset = random_dataset((3, 9))
    with pytest.raises(BadData, match="class no has 3 images"):
        stratified_folds(dataset, 4)
    with pytest.raises(BadData, match="at least 2"):
        stratified_folds(dataset, 1)


def test_a_shared_image_is_reported_by_name() -> None:
    train, test = random_dataset((4, 4)), random_dataset((4, 4), seed=1)
    check_disjoint({"train": train, "test": test})
    images = np.concatenate([test.images(), train.images([6, 2])])
    leaky = ImageDataset.from_arrays(images, np.arange(10) % 3, classes=("no", "sphere", "vort"))
    with pytest.raises(BadData) as caught:
        check_disjoint({"train": train, "test": leaky})
    assert str(caught.value) == (
        "train and test share images: 1/6.npy in train is the same as 00000008 in test (and 1 more)"
    )


def test_scaled_copies_are_recognised() -> None:
    counts = random_dataset((4, 4))
    raw = counts.images().astype(np.float64)
    low, high = raw.min(axis=(1, 2, 3), keepdims=True), raw.max(axis=(1, 2, 3), keepdims=True)
    scaled = (raw - low) / (high - low)
    for copy in (scaled, scaled.astype(np.float32), raw):
        dataset = ImageDataset.from_arrays(copy, counts.labels, classes=counts.classes)
        with pytest.raises(BadData, match="and 7 more"):
            check_disjoint({"train": counts, "test": dataset})


def test_repeats_within_one_part_are_not_leaks() -> None:
    dataset = random_dataset((4, 4))
    check_disjoint({"train": dataset.subset([0, 0, 1]), "test": dataset.subset([2, 3])})
