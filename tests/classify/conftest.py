"""Small labelled images that a tiny network can learn."""

import numpy as np
import pytest

from darklens.data import ImageDataset


def bright_corners(count: int, *, seed: int = 0, size: int = 32) -> ImageDataset:
    """Noise with a bright patch whose place tells the class; uint16 counts."""
    generator = np.random.default_rng(seed)
    images = generator.poisson(20, (count, 1, size, size)).astype(np.uint16)
    labels = np.arange(count, dtype=np.int64) % 3
    for image, label in zip(images, labels, strict=True):
        image[0, 8 * label : 8 * label + 8] += 40
    return ImageDataset.from_arrays(images, labels, classes=("no", "sphere", "vort"))


@pytest.fixture(scope="session")
def dataset() -> ImageDataset:
    return bright_corners(24)
