"""Real images and simulations in one training set."""

import numpy as np
import pytest

from darklens.data import ImageDataset
from darklens.errors import BadConfig
from darklens.train.mixture import check_mixture, mixed


def dataset(first: int, labels: list[int], classes: list[str]) -> ImageDataset:
    values = first + np.arange(len(labels), dtype=np.float16)
    images = values[:, None, None, None] * np.ones((1, 1, 2, 2), dtype=np.float16)
    return ImageDataset.from_arrays(images, np.array(labels), classes=classes)


def test_simulations_of_the_same_classes_are_added() -> None:
    real = dataset(0, [0, 1, 1], ["no", "vort"])
    simulations = dataset(10, [0, 1, 2, 0, 1, 2], ["no", "sphere", "vort"])
    both = mixed(real, simulations)
    assert both.classes == ("no", "vort")
    assert both.labels.tolist() == [0, 1, 1, 0, 1, 0, 1]
    assert both.images()[:, 0, 0, 0].tolist() == [0, 1, 2, 10, 12, 13, 15]
    assert both.images([4, 0, 6])[:, 0, 0, 0].tolist() == [12, 0, 15]
    assert both.ids[3] == "simulation 00000000"


def test_presets_that_do_not_go_with_the_images_are_refused() -> None:
    check_mixture(["common-test-1", "common-test-1-wide"], ["no", "vort"], (1, 150, 150))
    with pytest.raises(BadConfig, match="has no class 'ring'"):
        check_mixture(["common-test-1"], ["no", "ring"], (1, 150, 150))
    with pytest.raises(BadConfig, match=r"are 1 x 150 x 150, but those of --data.path 1 x 64 x 64"):
        check_mixture(["common-test-1"], ["no"], (1, 64, 64))
