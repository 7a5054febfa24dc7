"""Noise maps of any kind."""

import numpy as np
import pytest

from darklens.errors import BadInput
from darklens.observations.noise_maps import noise_problem, standard_deviation

SIGMA = np.random.default_rng(0).uniform(0.5, 2.0, (30, 30))


@pytest.mark.parametrize(
    ("kind", "values"), [("rms", SIGMA), ("variance", SIGMA**2), ("weight", SIGMA**-2)]
)
def test_each_kind_gives_the_standard_deviation(kind: str, values: np.ndarray) -> None:
    np.testing.assert_allclose(standard_deviation(values, kind), SIGMA)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["rms", "variance", "weight"])
def test_pixels_without_information_have_infinite_noise(kind: str) -> None:
    values = SIGMA.copy()
    values[0, :3] = [np.nan, 0.0, 0.0]
    noise = standard_deviation(values, kind)  # type: ignore[arg-type]
    assert np.isinf(noise[0, :3]).all()
    assert np.isfinite(noise).sum() == noise.size - 3


def test_weights_may_be_negative_and_others_may_not() -> None:
    values = SIGMA.copy()
    values[2, 2] = -1.0
    assert np.isinf(standard_deviation(values, "weight")[2, 2])
    with pytest.raises(BadInput, match="1 of its pixels are negative: it holds no rms"):
        standard_deviation(values, "rms")


def test_absurd_noise_marks_missing_data() -> None:
    values = SIGMA.copy()
    values[4] = 1e16  # as in the mosaics of Euclid
    assert np.isinf(standard_deviation(values, "rms")[4]).all()


def test_a_map_without_any_pixel_is_refused() -> None:
    with pytest.raises(BadInput, match="leaves no pixel"):
        standard_deviation(np.zeros((5, 5)), "weight")


def test_a_map_of_the_wrong_kind_is_noticed() -> None:
    usable = np.ones(SIGMA.shape, dtype=bool)
    assert noise_problem(np.full(SIGMA.shape, 0.02), usable, 0.02) == ""
    assert "is its kind right" in noise_problem(np.full(SIGMA.shape, 0.02**2), usable, 0.02)
