"""Means over rings against a loop over pixels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from darklens.metrics.azimuth import pixel_radius, ring_means


def test_radius_is_from_the_middle_of_the_image() -> None:
    assert_allclose(pixel_radius((1, 3)), [[1, 0, 1]])
    assert_allclose(pixel_radius((2, 2)), np.full((2, 2), np.sqrt(0.5)))


@pytest.mark.parametrize("shared", [False, True])
def test_means_are_those_of_a_loop(shared: bool) -> None:
    maps = np.random.default_rng(0).normal(size=(3, 9, 13))
    radius = pixel_radius((9, 13))
    expected = np.empty((3, 4))
    for ring in range(4):
        distance = np.abs(radius - ring)
        inside = (radius >= ring - 0.5) & (radius < ring + 0.5)
        weight = np.maximum(1 - distance, 0) if shared else inside.astype(float)
        expected[:, ring] = (maps * weight).sum(axis=(1, 2)) / weight.sum()
    assert_allclose(ring_means(maps, radius, rings=4, shared=shared), expected)


def test_a_ring_without_pixels_has_no_mean() -> None:
    means = ring_means(np.ones((1, 8, 8)), pixel_radius((8, 8)), rings=2)
    assert np.isnan(means).tolist() == [[True, False]]


def test_no_maps_no_profiles() -> None:
    assert ring_means(np.zeros((0, 5, 5)), pixel_radius((5, 5)), rings=3).shape == (0, 3)
