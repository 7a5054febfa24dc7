"""Arrays on the wire."""

import numpy as np
import pytest

from darklens.serve.planes import LARGEST_SIDE, array_of, plane_of


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64, np.int64])
def test_pixels_come_back(dtype: type) -> None:
    image = np.random.default_rng(0).integers(0, 60_000, (7, 11)).astype(dtype)
    plane = plane_of(image)
    assert (plane.shape, plane.binning) == ((7, 11), 1)
    np.testing.assert_array_equal(array_of(plane), image.astype(np.float32))


def test_nan_and_infinity_stay() -> None:
    image = np.array([[np.nan, 1.0], [np.inf, -np.inf]])
    np.testing.assert_array_equal(array_of(plane_of(image)), image.astype(np.float32))


def test_a_large_image_is_averaged() -> None:
    rows, columns = np.mgrid[: 3 * LARGEST_SIDE, : LARGEST_SIDE + 7]
    plane = plane_of((rows + columns).astype(np.float64))
    assert plane.binning == 3
    assert plane.shape == (LARGEST_SIDE, (LARGEST_SIDE + 7) // 3)
    assert array_of(plane)[0, :2].tolist() == [2.0, 5.0]
