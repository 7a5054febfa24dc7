"""Fréchet distance against the matrix square root and closed forms; its extrapolation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import sqrtm
from scipy.stats import ortho_group

from darklens.metrics import extrapolate_frechet, frechet_distance


def correlated(count: int, size: int, *, seed: int, shift: float = 0.0) -> np.ndarray:
    """Features with correlations of their own."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(count, size)) @ generator.normal(size=(size, size)) + shift


def by_square_root(first: np.ndarray, second: np.ndarray) -> float:
    """The formula as it is usually written."""
    covariances = np.cov(first.T), np.cov(second.T)
    shift = np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2)
    root = sqrtm(covariances[0] @ covariances[1]).real
    return float(shift + np.trace(covariances[0] + covariances[1] - 2 * root))


def test_distance_is_that_of_the_matrix_square_root() -> None:
    first, second = correlated(200, 12, seed=0), correlated(150, 12, seed=1, shift=0.5)
    expected = by_square_root(first, second)
    assert_allclose(frechet_distance(first, second), expected, rtol=1e-8)


def test_distance_is_that_of_torch_fidelity() -> None:
    fid = pytest.importorskip("torch_fidelity.metric_fid")
    first, second = correlated(300, 20, seed=0), correlated(200, 20, seed=1, shift=0.5)
    moments = [{"mu": x.mean(axis=0), "sigma": np.cov(x.T)} for x in (first, second)]
    expected = fid.fid_statistics_to_metric(*moments, verbose=False)
    assert_allclose(frechet_distance(first, second), next(iter(expected.values())), rtol=1e-6)


def sample_of(mean: np.ndarray, covariance: np.ndarray, count: int) -> np.ndarray:
    """A set with exactly this mean and covariance."""
    generator = np.random.default_rng(2)
    white = generator.normal(size=(count, len(mean)))
    white -= white.mean(axis=0)
    white = np.linalg.svd(white, full_matrices=False)[0] * np.sqrt(count - 1)
    values, vectors = np.linalg.eigh(covariance)
    return white @ (vectors * np.sqrt(np.maximum(values, 0))).T + mean


def test_gaussians_with_common_axes_have_a_closed_form() -> None:
    axes = ortho_group.rvs(6, random_state=2)
    variances = np.array([[4.0, 1.0, 9.0, 0.25, 1.0, 0.0], [1.0, 1.0, 4.0, 1.0, 0.0, 0.0]])
    first, second = (
        sample_of(mean, axes @ np.diag(v) @ axes.T, 50)
        for mean, v in zip((np.zeros(6), np.arange(6.0)), variances, strict=True)
    )
    expected = 55 + np.sum((np.sqrt(variances[0]) - np.sqrt(variances[1])) ** 2)
    assert_allclose(frechet_distance(first, second), expected, rtol=1e-8)


def test_fewer_images_than_features_are_exact() -> None:
    first, second = correlated(8, 40, seed=3), correlated(8, 40, seed=4)
    distance = frechet_distance(first, second)
    rotation = ortho_group.rvs(40, random_state=5)
    assert_allclose(frechet_distance(first @ rotation, second @ rotation), distance, rtol=1e-10)
    assert_allclose(frechet_distance(first, first + 1.0), 40, rtol=1e-10)


def test_distance_to_itself_is_zero_and_order_does_not_matter() -> None:
    first, second = correlated(50, 60, seed=6), correlated(90, 60, seed=7)
    scale = np.trace(np.cov(first.T))
    assert 0 <= frechet_distance(first, first.copy()) < 1e-12 * scale
    assert_allclose(frechet_distance(first, second), frechet_distance(second, first), rtol=1e-12)


def test_features_of_half_precision_are_worked_out_in_double() -> None:
    first = correlated(100, 5, seed=8).astype(np.float16)
    second = correlated(100, 5, seed=9).astype(np.float16)
    double = frechet_distance(first.astype(np.float64), second.astype(np.float64))
    assert frechet_distance(first, second) == double


def test_one_image_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="two images"):
        frechet_distance(np.zeros((1, 3)), np.zeros((4, 3)))


@pytest.mark.parametrize("count", [1200, 500])
def test_limit_at_infinite_size_is_the_distance_of_the_distributions(count: int) -> None:
    values = []
    for seed in range(100):
        generator = np.random.default_rng(seed)
        first = generator.normal(size=(1200, 10))
        second = 1.5 * generator.normal(size=(count, 10))
        result = extrapolate_frechet(first, second)
        assert result.value < result.distances[0] < result.distances[-1]
        values.append(result.value)
    assert abs(np.mean(values) - 2.5) < 0.05  # d (1.5 - 1)^2; four standard errors
    assert np.std(values) < 0.2


def test_a_distance_that_is_linear_is_extrapolated_exactly() -> None:
    first, second = np.zeros((600, 1)), np.zeros((300, 1))
    result = extrapolate_frechet(
        first, second, parts=4, distance=lambda a, b: 7 + 2 / len(a) + 5 / len(b)
    )
    assert result.value == pytest.approx(7)
    assert result.error == pytest.approx(0, abs=1e-9)
    assert result.sizes.tolist() == [300, 150, 100, 75]
    assert_allclose(result.distances, 7 + result.slope / result.sizes)


def test_too_few_images_for_a_line() -> None:
    with pytest.raises(ValueError, match="5 parts of 9 images"):
        extrapolate_frechet(np.zeros((9, 2)), np.zeros((20, 2)))
    with pytest.raises(ValueError, match="2 parts"):
        extrapolate_frechet(np.zeros((20, 2)), np.zeros((20, 2)), parts=2)
