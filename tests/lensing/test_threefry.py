"""The counter-based numbers against the published vectors, and the distributions they follow."""

import numpy as np
import pytest
from numba import njit
from numpy.random import Generator, Philox
from scipy import stats

from darklens.lensing.threefry import draw_key, normals, threefry, uniform_pairs

ONES = 2**64 - 1
PI = (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89)


@njit
def words(a, b, c, d):  # type: ignore[no-untyped-def]
    return threefry(a, b, c, d)


@pytest.mark.parametrize(
    ("counter_and_key", "truth"),
    [
        ((0, 0, 0, 0), (0xC2B6E3A8C2C69865, 0x6F81ED42F350084D)),
        ((ONES, ONES, ONES, ONES), (0xE02CB7C4D95D277A, 0xD06633D0893B8B68)),
        (PI, (0x263C7D30BB0F0AF1, 0x56BE8361D3311526)),
    ],
)
def test_words_are_those_of_random123(counter_and_key: tuple[int, ...], truth: object) -> None:
    assert words(*(np.uint64(word) for word in counter_and_key)) == truth


def test_uniform_numbers_are_uniform_and_independent() -> None:
    first, second = np.empty(200_000), np.empty(200_000)
    uniform_pairs(first, second, 0, *draw_key(Generator(Philox(1))))
    for values in (first, second):
        assert 0 <= values.min() < values.max() < 1
        assert stats.kstest(values, "uniform").pvalue > 1e-3
    for left, right in ((first, second), (first[1:], first[:-1]), (first[1:], second[:-1])):
        assert abs(np.corrcoef(left, right)[0, 1]) < 5 / np.sqrt(left.size)


def test_a_later_start_continues_the_same_numbers() -> None:
    key = draw_key(Generator(Philox(1)))
    whole, part = np.empty((2, 100)), np.empty((2, 37))
    uniform_pairs(*whole, 0, *key)
    uniform_pairs(*part, 63, *key)
    np.testing.assert_array_equal(part, whole[:, 63:])


def test_normal_numbers_are_normal_and_independent() -> None:
    values = normals(400_001, Generator(Philox(2)))
    assert values.shape == (400_001,)
    assert stats.kstest(values, "norm").pvalue > 1e-3
    half = values.size // 2
    for left, right in ((values[1:], values[:-1]), (values[: half + 1], values[half:])):
        assert abs(np.corrcoef(left, right)[0, 1]) < 5 / np.sqrt(left.size)
        assert abs(np.corrcoef(left**2, right**2)[0, 1]) < 5 / np.sqrt(left.size)


def test_numbers_of_a_seed_are_the_same_and_of_the_next_call_are_not() -> None:
    first, again = Generator(Philox(3)), Generator(Philox(3))
    values = normals(10, first)
    np.testing.assert_array_equal(values, normals(10, again))
    assert (values != normals(10, first)).all()
