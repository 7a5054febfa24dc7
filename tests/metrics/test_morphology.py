"""Brightness, flux, radius and shape of synthetic rings and ellipses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from darklens.metrics import ellipticity, pixel_histogram, ring_radius, total_flux

SIDE = 80
Y, X = np.mgrid[:SIDE, :SIDE] - 0.5 * (SIDE - 1)


def ring(radius: float, width: float = 2.5, *, background: float = 0.0) -> np.ndarray:
    """A Gaussian ring about the centre."""
    return background + np.exp(-((np.hypot(X, Y) - radius) ** 2) / (2 * width**2))


def elliptical(
    axis_ratio: float, angle: float, *, radius: float, width: float, centre: tuple[float, float]
) -> np.ndarray:
    """An elliptical Gaussian ring; at radius zero an elliptical Gaussian."""
    x, y = X - centre[0], Y - centre[1]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    distance = np.hypot(along * np.sqrt(axis_ratio), across / np.sqrt(axis_ratio))
    return np.exp(-((distance - radius) ** 2) / (2 * width**2))


def test_histogram_is_that_of_numpy() -> None:
    images = np.random.default_rng(0).integers(0, 200, size=(4, 6, 7)).astype(np.uint16)
    edges = np.array([0, 10, 50, 120, 200])
    expected = [np.histogram(image, edges)[0] / 42 for image in images]
    assert_allclose(pixel_histogram(images, edges), expected)
    assert_allclose(pixel_histogram(images, edges).sum(axis=1), 1)


def test_what_is_outside_the_edges_counts_at_the_ends() -> None:
    images = np.array([[[-5.0, 0.5], [1.0, 80.0]]])
    assert pixel_histogram(images, np.array([0.0, 1.0, 2.0])).tolist() == [[0.5, 0.5]]


def test_flux_is_the_sum_without_overflow() -> None:
    images = np.full((2, 100, 100), 60_000, dtype=np.uint16)
    assert total_flux(images).tolist() == [6e8, 6e8]
    flux = total_flux(ring(20.0, 1.5)[np.newaxis])[0]
    assert flux == pytest.approx(2 * np.pi * 20.0 * 1.5 * np.sqrt(2 * np.pi), rel=1e-3)


@pytest.mark.parametrize("width", [1.5, 3.0])
def test_radius_is_found_to_a_tenth_of_a_pixel(width: float) -> None:
    radii = np.linspace(10, 30, 41)
    images = np.array([ring(radius, width, background=3.0) for radius in radii])
    assert_allclose(ring_radius(images), radii, atol=0.1)


def test_radius_of_noisy_counts() -> None:
    expected = 2000 * ring(22.3, background=0.1)
    images = np.random.default_rng(1).poisson(expected, size=(20, SIDE, SIDE))
    assert_allclose(ring_radius(images), 22.3, atol=0.15)


def test_radius_passes_over_the_light_of_the_lens() -> None:
    image = (ring(25.0) + 5 * ring(0.0))[np.newaxis]
    assert ring_radius(image)[0] == 0
    assert ring_radius(image, smallest=10.0)[0] == pytest.approx(25.0, abs=0.1)


def test_radius_on_a_rectangle_and_at_the_edge() -> None:
    assert ring_radius(ring(15.0)[np.newaxis, 20:60])[0] == pytest.approx(15.0, abs=0.1)
    assert ring_radius(np.hypot(X, Y)[np.newaxis])[0] == SIDE // 2 - 1, "the last whole ring"
    assert ring_radius(np.ones((1, 9, 9)))[0] == 0


@pytest.mark.parametrize("radius", [0.0, 12.0])
@pytest.mark.parametrize("angle", [0.0, 0.6, 2.0])
def test_ellipticity_is_that_of_the_ellipse(radius: float, angle: float) -> None:
    image = elliptical(0.7, angle, radius=radius, width=4.0, centre=(3.2, -1.7))
    size = (1 - 0.7**2) / (1 + 0.7**2)
    expected = [size * np.cos(2 * angle), size * np.sin(2 * angle)]
    batch = np.array([image, 100 * image + 7])
    assert_allclose(ellipticity(batch, smoothing=0.0), [expected, expected], atol=0.005)
    assert_allclose(ellipticity(batch), [expected, expected], atol=0.05)


def test_ellipticity_of_noisy_counts() -> None:
    expected = 500 * elliptical(0.8, 0.4, radius=15.0, width=3.0, centre=(0, 0)) + 50
    images = np.random.default_rng(2).poisson(expected, size=(20, SIDE, SIDE)).astype(np.uint16)
    size = (1 - 0.8**2) / (1 + 0.8**2)
    found = ellipticity(images)
    assert_allclose(found.mean(axis=0), [size * np.cos(0.8), size * np.sin(0.8)], atol=0.02)
    assert found.std(axis=0).max() < 0.02


def test_a_blank_image_has_no_shape() -> None:
    assert np.isnan(ellipticity(np.full((1, 20, 20), 4.0))).all()
