"""Kernel distance against its double sums and torchmetrics; its bias and its interval."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torchmetrics.image.kid import poly_mmd

from darklens.metrics import kernel_distance_interval


def sets(n: int = 40, m: int = 30, *, shift: float = 0.4, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Two sets of eight features."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, 8)), generator.normal(size=(m, 8)) + shift


def kernel_distance(x: np.ndarray, y: np.ndarray, **given: int) -> float:
    """The distance alone."""
    return float(kernel_distance_interval(x, y, resamples=1, **given).value)


def by_sums(x: np.ndarray, y: np.ndarray) -> float:
    """The definition, pair by pair."""

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    def within(a: np.ndarray) -> float:
        pairs = [kernel(p, q) for i, p in enumerate(a) for j, q in enumerate(a) if i != j]
        return float(np.mean(pairs))

    return within(x) + within(y) - 2 * float(np.mean([kernel(p, q) for p in x for q in y]))


def test_distance_is_its_double_sums() -> None:
    assert_allclose(kernel_distance(*sets()), by_sums(*sets()), rtol=1e-10)


def test_distance_is_that_of_torchmetrics() -> None:
    x, y = sets(35, 35)
    expected = poly_mmd(torch.from_numpy(x), torch.from_numpy(y), degree=3)
    assert_allclose(kernel_distance(x, y), float(expected), rtol=1e-10)


def test_sets_of_several_blocks() -> None:
    x, y = sets(2100, 2000)  # more pairs than are held at once
    found, weights = kernel_distance(x, y), [2100 * 2099, 2000 * 1999, -2100 * 1000]
    kernels = [(a @ b.T / 8 + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))]
    sums = [kernels[0].sum() - np.trace(kernels[0]), kernels[1].sum() - np.trace(kernels[1])]
    expected = sum(s / w for s, w in zip([*sums, kernels[2].sum()], weights, strict=True))
    assert_allclose(found, expected, rtol=1e-9)


def test_equal_distributions_have_distance_zero_on_average_at_any_size() -> None:
    values = [kernel_distance(*sets(10, 15, shift=0, seed=seed)) for seed in range(400)]
    assert min(values) < 0 < max(values)
    assert abs(np.mean(values)) < 3 * np.std(values) / 20


def test_linear_kernel_is_the_distance_of_the_means() -> None:
    x, y = sets(shift=1.0)
    variances = x.var(axis=0, ddof=1).sum() / len(x) + y.var(axis=0, ddof=1).sum() / len(y)
    squared = np.sum((x.mean(axis=0) - y.mean(axis=0)) ** 2)
    assert_allclose(kernel_distance(x, y, degree=1), (squared - variances) / 8, rtol=1e-10)


def test_interval_is_as_wide_as_independent_sets_scatter() -> None:
    values = [kernel_distance(*sets(80, 60, seed=seed)) for seed in range(200)]
    intervals = [
        kernel_distance_interval(*sets(80, 60, seed=seed), resamples=200) for seed in range(20)
    ]
    assert [float(i.value) for i in intervals] == pytest.approx(values[:20], rel=1e-10)
    widths = np.array([i.high - i.low for i in intervals])
    assert_allclose(widths.mean() / 3.92, np.std(values), rtol=0.3)
    covered = [i.low <= np.mean(values) <= i.high for i in intervals]
    assert sum(covered) >= 16


def test_same_seed_same_interval() -> None:
    def low(seed: int) -> float:
        return float(kernel_distance_interval(*sets(), resamples=50, seed=seed).low)

    assert low(1) == low(1) != low(2)


def test_one_image_has_no_pairs() -> None:
    with pytest.raises(ValueError, match="two images"):
        kernel_distance(np.zeros((1, 3)), np.zeros((4, 3)))
