"""Networks of a few thousand weights, and small images that they can learn."""

from typing import Any

import numpy as np
import pytest

from darklens.data import ImageDataset

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
    "patches": {"name": "patches", "size": 16, "patch": 2, "widths": [16, 32], "blocks": 1},
}
for spec in SPECS.values():
    spec["steps"] = 3


@pytest.fixture(params=list(SPECS))
def spec(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Description of each network at tiny size."""
    return dict(SPECS[request.param])


@pytest.fixture(scope="session")
def dataset() -> ImageDataset:
    """Bands whose place tells the class, from -1 to 1."""
    labels = np.arange(12, dtype=np.int64) % 3
    images = np.full((12, 1, 16, 16), -1, dtype=np.float32)
    for image, label in zip(images, labels, strict=True):
        image[0, 5 * label : 5 * label + 5] = 1
    return ImageDataset.from_arrays(images, labels, classes=("no", "sphere", "vort"))
