"""Whole numbers behind rounded values, and none where there are none."""

import numpy as np
import pytest

from darklens.modelling.quantisation import exact_lattice, rounded_lattices


@pytest.fixture(scope="module")
def whole() -> np.ndarray:
    """A faint sky and a few bright pixels, the smallest of which is 0."""
    rng = np.random.default_rng(1)
    faint, bright = rng.poisson(10, (60, 60)), rng.integers(20, 800, (20, 60))
    numbers = np.concatenate([faint, bright]).astype(np.float64)
    numbers[0, 0] = 0
    return numbers


def test_an_exact_step(whole: np.ndarray) -> None:
    found = exact_lattice(3 + 0.25 * whole)
    assert found is not None
    assert np.array_equal(found.whole, whole)
    assert (found.gain, found.start) == (4.0, 3.0)


@pytest.mark.parametrize("grain", [1e-6, 1e-5, 1e-4, 2.5e-4, 4e-4])
def test_a_rounded_step(whole: np.ndarray, grain: float) -> None:
    values = grain * np.rint((0.013 + whole / 797) / grain)
    near = [item for item in rounded_lattices(values) if np.array_equal(item.whole, whole)]
    assert len(near) == 1
    assert near[0].gain == pytest.approx(797, rel=1e-4)
    assert near[0].start == pytest.approx(0.013, abs=grain)
    assert near[0].error <= 0.6 * grain * 797


def test_no_step(whole: np.ndarray) -> None:
    values = whole + np.random.default_rng(0).random(whole.shape)
    assert exact_lattice(values) is None
    assert rounded_lattices(values) == []


def test_few_values_show_nothing() -> None:
    values = np.arange(12.0).reshape(3, 4)
    assert exact_lattice(values) is None
    assert rounded_lattices(values) == []


def test_a_coarse_container_leaves_gaps(whole: np.ndarray) -> None:
    """Grey levels of 8 bits are no finer numbers, whatever multiple of them is taken."""
    for found in rounded_lattices(np.rint(255 * whole / whole.max())):
        assert found.whole.max() == 255
