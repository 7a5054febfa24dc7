"""Preprocessing undone: each step that can be, and a clear refusal of those that cannot."""

from typing import Any

import numpy as np
import pytest

from darklens.data import build_preprocessing, undo_preprocessing
from darklens.errors import BadModel

IMAGES = np.random.default_rng(0).uniform(0, 50, (2, 1, 8, 8)).astype(np.float32)


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [{"affine": {"scale": -0.3, "shift": 2.0}}],
        [{"asinh": {"scale": 0.2}}],
        [{"log": {"offset": 1.5}}],
        [{"sqrt": {"scale": 3.0}}],
        [{"sqrt": {"scale": 1.0}}, {"affine": {"scale": 0.5, "shift": -1.0}}],
    ],
)
def test_images_come_back(steps: list[dict[str, Any]]) -> None:
    there = build_preprocessing(steps).batch(IMAGES)
    back = undo_preprocessing(steps)(there)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, IMAGES, rtol=1e-4, atol=1e-4)


def test_sizes_stay() -> None:
    steps = [{"center_crop": {"size": 6}}, {"resize": {"size": 4}}]
    assert undo_preprocessing(steps)(IMAGES).shape == IMAGES.shape


def test_below_the_lowest_root_there_is_nothing() -> None:
    undo = undo_preprocessing([{"sqrt": {"scale": 1.0}}])
    assert undo(np.full((1, 1, 1, 1), -2, dtype=np.float32)).item() == 0


@pytest.mark.parametrize("steps", [[{"min_max": {}}], [{"affine": {"scale": 0.0, "shift": 1.0}}]])
def test_what_is_lost_is_refused(steps: list[dict[str, Any]]) -> None:
    with pytest.raises(BadModel, match="cannot be undone"):
        undo_preprocessing(steps)
