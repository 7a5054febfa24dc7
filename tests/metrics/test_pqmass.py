import sys

import numpy as np
import pytest

from darklens.errors import NotComputed
from darklens.metrics import pqmass

RNG = np.random.default_rng(1)
SAME = RNG.normal(size=(2, 400, 8))


def test_equal_distributions_have_a_reduced_chi_square_of_one() -> None:
    found = pqmass(*SAME, regions=50, divisions=20)
    assert found.chi_square == pytest.approx(1.0, abs=0.3)
    assert 0.05 < found.p_value < 0.95
    assert found.regions == 50


@pytest.mark.parametrize("change", [lambda x: x + 0.8, lambda x: 2 * x])
def test_a_shift_or_a_wider_spread_is_seen(change) -> None:
    found = pqmass(SAME[0], change(SAME[1]), regions=50, divisions=20)
    assert found.chi_square > 2
    assert found.p_value < 1e-3


def test_a_lost_mode_is_seen() -> None:
    two = np.concatenate([SAME[0, :200], SAME[0, 200:] + 6])
    one = SAME[1]
    assert pqmass(two, one, regions=50, divisions=20).p_value < 1e-10


def test_the_seed_decides_and_the_global_generator_is_left_alone() -> None:
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again = (pqmass(*SAME, regions=20, divisions=5, seed=4) for _ in range(2))
    assert first == again
    assert first != pqmass(*SAME, regions=20, divisions=5, seed=5)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_small_sets_have_fewer_regions() -> None:
    assert pqmass(SAME[0, :20], SAME[1, :20], divisions=5).regions == 10


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pqm", None)
    with pytest.raises(NotComputed, match=r"darklens\[features\]"):
        pqmass(*SAME)


def test_constant_features_say_nothing_and_nothing_is_printed(capsys) -> None:
    constant = np.concatenate([SAME, np.full((2, 400, 3), 7.0)], axis=2)
    found = pqmass(*constant, regions=50, divisions=5, seed=1)
    assert found == pqmass(*SAME, regions=50, divisions=5, seed=1)
    assert capsys.readouterr() == ("", "")


def test_equal_images_have_no_score() -> None:
    with pytest.raises(NotComputed, match="too few different images"):
        pqmass(np.ones((30, 2)), np.ones((30, 2)), divisions=2)


def test_few_different_images_have_no_score_and_no_warning() -> None:
    far = np.random.default_rng(0).standard_cauchy(size=(2, 30, 50))  # a few outliers decide
    with pytest.raises(NotComputed, match="of 30 and 30, most of 15 regions hold none"):
        pqmass(*far, divisions=10)


def test_divisions_with_empty_regions_are_left_out() -> None:
    many = np.random.default_rng(2).normal(size=(2, 150, 300))  # in 5 of 50 divisions
    found = pqmass(*many)
    assert found.regions == 75
    assert found.chi_square == pytest.approx(1.0, abs=0.1)
