"""Familiarity is a p-value on images like the calibration images, and small on others."""

import numpy as np
import pytest

from darklens.classify.familiarity import Familiarity, familiarity_from, numeric_columns


def features(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Three clusters in a few of forty dimensions, with a little noise in all."""
    generator = np.random.default_rng(seed)
    centres = 4 * np.eye(3, 40)[np.arange(count) % 3]
    spread = np.r_[np.ones(6), np.full(34, 0.05)]
    values = centres + spread * generator.normal(size=(count, 40))
    values[:, 5] += shift
    return values


def chi_square(count: int, seed: int, excess: float = 0.0) -> dict[str, list[object]]:
    values = 1 + excess + 0.01 * np.random.default_rng(seed).normal(size=count)
    return {"fit": ["ok"] * count, "chi_square": list(values), "note": [None] * count}


@pytest.fixture(scope="module")
def familiarity() -> Familiarity:
    return familiarity_from(features(2000, 0), chi_square(2000, 10))


def test_images_like_the_calibration_images_are_rarely_unfamiliar(familiarity: Familiarity) -> None:
    found = familiarity(features(3000, 1), chi_square(3000, 11))
    assert np.mean(found < 0.05) == pytest.approx(0.05, abs=0.02)
    assert np.mean(found < 0.01) == pytest.approx(0.01, abs=0.01)
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)
    assert found.min() >= 1 / 1001
    assert found.max() <= 1


@pytest.mark.parametrize(
    ("shift", "excess"), [(8.0, 0.0), (0.0, 0.5)], ids=["features", "chi-square"]
)
def test_either_of_features_and_fit_gives_others_away(
    familiarity: Familiarity, shift: float, excess: float
) -> None:
    found = familiarity(features(300, 2, shift), chi_square(300, 12, excess))
    assert np.mean(found < 0.01) > 0.9


def test_what_no_component_holds_gives_others_away(familiarity: Familiarity) -> None:
    others = features(300, 3)
    others[:, 30] += 2.0
    assert np.mean(familiarity(others, chi_square(300, 13)) < 0.05) > 0.9


def test_the_other_images_change_nothing(familiarity: Familiarity) -> None:
    values, columns = features(50, 4), chi_square(50, 14)
    together = familiarity(values, columns)
    for index in (0, 17, 49):
        single = {name: column[index : index + 1] for name, column in columns.items()}
        assert familiarity(values[index : index + 1], single)[0] == together[index]


def test_an_image_without_a_fit_has_none(familiarity: Familiarity) -> None:
    found = familiarity(features(2, 5), {"chi_square": [1.0, np.nan]})
    assert np.isnan(found).tolist() == [False, True]


def test_few_images_call_nothing_unfamiliar() -> None:
    few = familiarity_from(features(30, 6), {})
    assert few(features(9, 7, shift=1e3), {}).min() == 1 / 16


def test_features_that_are_all_the_same_are_no_obstacle() -> None:
    same = familiarity_from(np.ones((100, 5)), {"chi_square": [1.0] * 100})
    assert same.diagnostics == ()
    assert same(np.array([[1.0] * 5, [2.0] * 5]), {}).tolist() == [1.0, 1 / 51]


def test_diagnostics_are_columns_of_finite_numbers() -> None:
    columns = {
        "fit": ["ok", "ok"],
        "chi_square": [1.0, np.float32(2)],
        "steps": [3, 4],
        "converged": [True, False],
        "gain": [1.0, np.nan],
        "note": [None, None],
    }
    assert numeric_columns(columns) == ("chi_square", "steps")
