"""Copies of simulations as they are found in files."""

from io import BytesIO

import numpy as np
from PIL import Image as Picture

from darklens.train.stored_copies import stored_copy

SEED = 4242


def described(image: np.ndarray, generator: np.random.Generator) -> tuple[str, np.ndarray]:
    """The copy as it is described, in single calls of numpy and Pillow."""
    span = image.max() - image.min()
    unit = (image - image.min()) / span
    grey = np.rint(255 * unit)
    drawn = generator.uniform()
    kind, made = "counts", image
    if 0.5 <= drawn < 0.75:
        kind, made = "8-bit", grey
    elif 0.75 <= drawn < 0.9:
        buffer = BytesIO()
        quality = int(generator.integers(80, 98))
        Picture.fromarray(grey.astype(np.uint8)).save(buffer, "JPEG", quality=quality)
        kind, made = "jpeg", np.asarray(Picture.open(buffer)).astype(np.float64)
    elif drawn >= 0.9:
        side = int(generator.integers(100, 260))
        cubic = Picture.Resampling.BICUBIC
        there = Picture.fromarray(unit.astype(np.float32)).resize((side, side), cubic)
        made = np.asarray(there.resize(image.shape[::-1], cubic)).astype(np.float64) * 255
        kind = "resized"
    if generator.uniform() < 0.5:
        made = np.roll(made, tuple(generator.integers(-2, 3, 2)), (0, 1))
    return kind, made


def test_copies_of_every_kind_are_as_described() -> None:
    kinds = set()
    for index in range(24):
        image = np.random.default_rng(index).poisson(100, (1, 40, 50)).astype(np.uint16)
        copy = stored_copy(image, np.random.default_rng([SEED, index]))
        generator = np.random.default_rng([SEED, index])
        kind, expected = described(image[0].astype(np.float64), generator)
        assert copy.dtype == np.float64
        assert np.array_equal(copy[0], expected)
        kinds.add(kind)
    assert kinds == {"counts", "8-bit", "jpeg", "resized"}
