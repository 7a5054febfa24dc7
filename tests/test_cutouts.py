"""Central cutouts and sums over blocks of pixels."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from darklens.cutouts import block_sums, central_cutout


@pytest.mark.parametrize(("side", "size", "first"), [(6, 2, 2), (7, 2, 2), (7, 3, 2), (6, 3, 1)])
def test_a_cutout_is_central(side: int, size: int, first: int) -> None:
    images = np.random.default_rng(0).random((2, side, side))
    chosen = slice(first, first + size)
    assert_array_equal(central_cutout(images, size), images[:, chosen, chosen])
    assert_array_equal(central_cutout(images[0], size, side), images[0, chosen])


def test_an_image_that_is_not_larger_stays_whole() -> None:
    image = np.arange(12.0).reshape(3, 4)
    assert_array_equal(central_cutout(image, 9), image)
    assert_array_equal(central_cutout(image, 3), image[:, :3])


def test_blocks_are_summed_and_the_rest_dropped() -> None:
    image = np.arange(35.0).reshape(5, 7)
    expected = [[0 + 1 + 7 + 8, 20 + 4, 28 + 4], [72, 80, 88]]
    assert_array_equal(block_sums(image, 2), expected)
    assert_array_equal(block_sums(np.stack([image, 2 * image]), 2)[1], 2 * np.array(expected))
    assert_array_equal(block_sums(image, 1), image)
