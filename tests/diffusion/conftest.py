"""Networks of a few thousand weights, and small images that they can learn."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from darklens.data import ImageDataset
from darklens.diffusion import GeneratorNetwork

SPECS: dict[str, dict[str, Any]] = {
    "reference": {"name": "reference", "size": 16, "widths": [8, 16], "train_steps": 20},
    "diffusers": {
        "name": "diffusers",
        "size": 16,
        "widths": [8, 16],
        "train_steps": 20,
        "norm_groups": 4,
        "head_width": 8,
    },
    "components": {
        "name": "components",
        "size": 16,
        "grid": 6,
        "components": 4,
        "width": 16,
        "blocks": 1,
        "embedding": 8,
    },
}
for spec in SPECS.values():
    spec["steps"] = 3


@pytest.fixture(scope="session")
def examples() -> Callable[[GeneratorNetwork, np.ndarray], torch.Tensor]:
    """What a network trains on: images, or their codes in a space that is found from them."""

    def make(network: GeneratorNetwork, images: np.ndarray) -> torch.Tensor:
        pixels = torch.from_numpy(images)
        if network.space is None:
            return pixels
        frequencies = network.space.frequencies(pixels)
        network.space.fit(frequencies)
        return network.space.encode(frequencies)

    return make


@pytest.fixture(params=list(SPECS))
def spec(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Description of each network at tiny size."""
    return dict(SPECS[request.param])


@pytest.fixture(scope="session")
def dataset() -> ImageDataset:
    """Bands whose place tells the class, from -1 to 1, on a faint background of noise."""
    labels = np.arange(12, dtype=np.int64) % 3
    images = np.random.default_rng(0).normal(-1, 0.05, (12, 1, 16, 16)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        image[0, 5 * label : 5 * label + 5] = 1
    return ImageDataset.from_arrays(images, labels, classes=("no", "sphere", "vort"))
