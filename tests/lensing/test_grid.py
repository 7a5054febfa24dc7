"""The border of what is known of an image."""

import numpy as np

from darklens.lensing.grid import border_pixels


def test_the_border_is_that_of_the_usable_pixels() -> None:
    usable = np.zeros((12, 10), dtype=bool)
    usable[2:11, 1:9] = True
    expected = usable.copy()
    expected[4:9, 3:7] = False
    np.testing.assert_array_equal(border_pixels(usable, 2), expected)
    assert border_pixels(usable, 20).sum() == usable.sum()
    assert not border_pixels(np.zeros((4, 4), dtype=bool), 1).any()
