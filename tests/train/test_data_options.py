"""Which options of the data go together, and which of them take effect."""

from pathlib import Path
from typing import Any

import pytest

from darklens.errors import BadConfig
from darklens.train.data_options import DataOptions

RECIPE: dict[str, Any] = {
    "preset": ["common-test-1", "common-test-1-wide"],
    "prepared_images": 12,
    "copies": True,
}


def test_a_path_replaces_the_simulations_of_a_recipe() -> None:
    data = DataOptions(path=Path("images"), **RECIPE).resolved()
    assert (data.presets, data.prepared_images, data.copies) == ([], 0, False)
    assert data.resolved() == data
    mixed = DataOptions(path=Path("images"), mix=True, **RECIPE)
    assert mixed.resolved() == mixed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prepared_images": 0}, "several presets need --data.prepared-images"),
        ({"expected": True}, "no --data.expected"),
        ({"preset": "common-test-1", "prepared_images": 0}, "--data.copies"),
        ({"mix": True}, "--data.mix adds simulations to the images of --data.path"),
        ({"preset": None}, "either --data.path or --data.preset"),
        ({"preset": None, "path": Path("images")}, "are for simulations: give --data.preset"),
        ({"fold": 1}, "simulations need no folds"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadConfig, match=message):
        DataOptions(**(RECIPE | changes)).resolved()
