"""Nearest neighbours against SciPy, and copies of training images that must be found."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist

from darklens.metrics import memorisation_test, nearest_neighbours


def images(count: int, *, seed: int) -> np.ndarray:
    """Noise images of 8-bit numbers."""
    return np.random.default_rng(seed).integers(0, 256, size=(count, 3, 4), dtype=np.uint8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.uint16, np.int64])
def test_neighbours_are_those_of_all_distances(dtype: type) -> None:
    generator = np.random.default_rng(2)
    points, reference = (
        (100 * generator.normal(size=(n, 7)) + 1000).astype(dtype) for n in (25, 40)
    )
    distances, indices = nearest_neighbours(points, reference, count=4)
    every = cdist(points.astype(float), reference.astype(float))
    assert_array_equal(indices, np.argsort(every, axis=1)[:, :4])
    assert_allclose(distances, np.sort(every, axis=1)[:, :4], rtol=1e-12)


def test_a_copy_is_at_distance_zero_and_a_near_copy_at_its_own() -> None:
    reference = np.random.default_rng(3).normal(loc=1e6, size=(50, 30))
    points = reference[[7, 30]].copy()
    points[1, 0] += 1e-4
    distances, indices = nearest_neighbours(points, reference)
    assert indices[:, 0].tolist() == [7, 30]
    assert distances[0, 0] == 0
    assert distances[1, 0] == pytest.approx(1e-4, rel=1e-4)


def test_more_neighbours_than_points() -> None:
    with pytest.raises(ValueError, match="4 nearest of 3"):
        nearest_neighbours(np.zeros((5, 2)), np.zeros((3, 2)), count=4)


def test_independent_images_are_no_copies() -> None:
    result = memorisation_test(images(300, seed=4), images(400, seed=5), images(500, seed=6))
    assert result.p_value > 0.01
    assert result.share_close < 0.03
    assert (result.held_out < result.threshold).mean() == pytest.approx(0.01)
    assert (result.generated.shape, result.held_out.shape) == ((300,), (400,))


def test_a_few_copies_show_in_the_share() -> None:
    training = images(500, seed=6)
    generated = images(300, seed=4)
    generated[:30] = training[100:130]
    result = memorisation_test(generated, images(400, seed=5), training)
    assert result.share_close >= 0.1
    assert_array_equal(np.flatnonzero(result.generated == 0), np.arange(30))


def test_images_that_are_all_a_little_closer_show_in_the_p_value() -> None:
    training = images(500, seed=6).astype(np.float32)
    mixed = 0.9 * images(300, seed=4) + 0.1 * training[:300]
    result = memorisation_test(mixed, images(400, seed=5).astype(np.float32), training)
    assert result.p_value < 1e-4


def test_p_values_of_independent_images_are_uniform() -> None:
    generator = np.random.default_rng(8)
    p_values = [
        memorisation_test(*(generator.normal(size=(n, 3)) for n in (40, 50, 60))).p_value
        for _ in range(200)
    ]
    assert 0.4 < np.mean(p_values) < 0.6
    assert np.mean(np.array(p_values) < 0.05) < 0.12
