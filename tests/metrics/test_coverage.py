"""Precision, recall, density and coverage against a loop and closed forms."""

from dataclasses import astuple

import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose

from darklens.metrics import coverage_scores


def by_loop(real: np.ndarray, generated: np.ndarray, k: int) -> list[float]:
    """The four definitions, pair by pair."""

    def radius(point: np.ndarray, others: np.ndarray) -> float:
        return float(np.sort(np.linalg.norm(others - point, axis=1))[k])  # the first is itself

    balls = [(x, radius(x, real)) for x in real]
    own_balls = [(y, radius(y, generated)) for y in generated]

    def inside(point: np.ndarray, ball: tuple[np.ndarray, float]) -> bool:
        return bool(np.linalg.norm(point - ball[0]) <= ball[1])

    return [
        float(np.mean([any(inside(y, ball) for ball in balls) for y in generated])),
        float(np.mean([any(inside(x, ball) for ball in own_balls) for x in real])),
        sum(inside(y, ball) for y in generated for ball in balls) / k / len(generated),
        float(np.mean([any(inside(y, ball) for y in generated) for ball in balls])),
    ]


@pytest.mark.parametrize("memory", [64, 0.001], ids=["one block", "many blocks"])
@pytest.mark.parametrize("neighbours", [1, 3])
def test_scores_are_those_of_the_loop(neighbours: int, memory: float) -> None:
    generator = np.random.default_rng(0)
    real = generator.normal(size=(50, 4))
    generated = 0.7 * generator.normal(size=(35, 4)) + 0.5
    expected = by_loop(real, generated, neighbours)
    with sklearn.config_context(working_memory=memory):  # MiB
        scores = coverage_scores(real, generated, neighbours=neighbours)
    assert_allclose(astuple(scores), expected, rtol=1e-12)
    assert min(expected[:2]) > 0
    assert max(expected[0], expected[1], expected[3]) < 1


def test_precision_and_recall_are_those_of_torch_fidelity() -> None:
    prc = pytest.importorskip("torch_fidelity.metric_prc")
    generator = np.random.default_rng(5)
    real = generator.normal(size=(120, 6))
    generated = 0.8 * generator.normal(size=(90, 6)) + 0.4
    tensors = torch.from_numpy(generated), torch.from_numpy(real)
    expected = prc.prc_features_to_metric(*tensors, prc_neighborhood=3, verbose=False)
    scores = coverage_scores(real, generated, neighbours=3)
    assert scores.precision == pytest.approx(expected["precision"], abs=1e-6)
    assert scores.recall == pytest.approx(expected["recall"], abs=1e-6)


def test_scores_of_a_set_against_itself() -> None:
    features = np.random.default_rng(1).normal(size=(60, 5)).astype(np.float32)
    scores = coverage_scores(features, features.copy(), neighbours=5)
    assert astuple(scores) == (1, 1, pytest.approx(6 / 5), 1), "each ball holds k and its own"


def test_scores_of_equal_distributions_are_those_expected() -> None:
    generator = np.random.default_rng(2)
    found = [coverage_scores(*generator.normal(size=(2, 100, 3)), neighbours=3) for _ in range(60)]
    i = np.arange(1, 4)
    expected = 1 - np.prod((100 - i) / (200 - i))  # Naeem et al. 2020
    assert_allclose(np.mean([s.coverage for s in found]), expected, atol=0.015)
    assert_allclose(np.mean([s.density for s in found]), 1, atol=0.05)


def test_far_apart_sets_have_nothing_in_common() -> None:
    features = np.random.default_rng(3).normal(size=(30, 4))
    assert astuple(coverage_scores(features, features + 100)) == (0, 0, 0, 0)


def test_a_generator_that_makes_one_kind_only_is_precise_but_covers_half() -> None:
    generator = np.random.default_rng(4)
    real = generator.normal(size=(400, 2)) + np.repeat([[0.0], [50.0]], 200, axis=0)
    scores = coverage_scores(real, generator.normal(size=(400, 2)))
    assert scores.precision > 0.9
    assert scores.recall == pytest.approx(0.5, abs=0.05)
    assert scores.coverage == pytest.approx(0.5, abs=0.05)
