"""The vectorisable elementary functions against NumPy."""

import numpy as np
from numba import njit

from darklens.lensing import special_functions

EPS = np.finfo(np.float64).eps


@njit
def apply(x, y, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[0, i] = special_functions.exp(x[i])
        out[1, i] = special_functions.log(y[i])
        out[2, i] = special_functions.atan2(x[i], y[i])


def values(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    out = np.empty((3, x.size))
    apply(x, y, out)
    return out


def test_functions_agree_with_numpy_to_rounding() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-700, 700, 20000), rng.uniform(-2, 2, 20000), [0.0, 700.0]])
    y = np.concatenate([10 ** rng.uniform(-300, 300, 20000), rng.uniform(0.3, 3, 20001), [1.0]])
    exp, log, atan_right = values(x, y)
    atan_left = values(x, -y)[2]
    np.testing.assert_allclose(exp, np.exp(x), rtol=4 * EPS)
    np.testing.assert_allclose(log, np.log(y), rtol=4 * EPS, atol=EPS)
    np.testing.assert_allclose(atan_right, np.arctan2(x, y), rtol=4 * EPS, atol=1e-300)
    np.testing.assert_allclose(atan_left, np.arctan2(x, -y), rtol=4 * EPS)


def test_exp_is_limited_instead_of_overflowing() -> None:
    x = np.array([-1e6, -701.0, 701.0, 1e6])
    exp = values(x, np.ones(4))[0]
    assert np.isfinite(exp).all()
    np.testing.assert_allclose(exp, np.exp([-700, -700, 700, 700]), rtol=4 * EPS)


def test_atan2_on_the_axes_and_diagonals() -> None:
    y = np.array([0.0, 1.0, 1.0, 1.0, 0.0, -1.0, -1.0, -1.0, 0.0])
    x = np.array([1.0, 1.0, 0.0, -1.0, -1.0, -1.0, 0.0, 1.0, 0.0])
    np.testing.assert_allclose(values(y, x)[2], np.arctan2(y, x), rtol=2 * EPS)


@njit
def apply_turns(turns, cos, sin):  # type: ignore[no-untyped-def]
    for i in range(turns.size):
        cos[i], sin[i] = special_functions.cos_sin_turn(turns[i])


def test_cosine_and_sine_of_turns() -> None:
    turns = np.concatenate([np.random.default_rng(1).random(20000), np.linspace(0, 1, 1025)])
    cos, sin = np.empty(turns.size), np.empty(turns.size)
    apply_turns(turns, cos, sin)
    np.testing.assert_allclose(cos, np.cos(2 * np.pi * turns), atol=4 * EPS)
    np.testing.assert_allclose(sin, np.sin(2 * np.pi * turns), atol=4 * EPS)
