"""The small network of the two-sample test: what it sees, what it does not, the same each time."""

import numpy as np
import torch
from numpy.testing import assert_array_equal

from darklens.metrics import classifier_two_sample, network_scores


def test_equal_sets_are_not_told_apart() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 200, 6))
    result = classifier_two_sample(first, second, scorer=network_scores)
    assert 0.42 < result.value < 0.58


def test_it_sees_what_a_straight_line_cannot() -> None:
    """Both sets have the same means; one is wider, and their logarithmic odds are quadratic."""
    generator = np.random.default_rng(1)
    first, second = generator.normal(size=(300, 4)), 2.5 * generator.normal(size=(300, 4))
    linear = classifier_two_sample(first, second)
    network = classifier_two_sample(first, second, scorer=network_scores)
    assert linear.value < 0.6
    assert network.value > 0.8


def test_same_scores_each_time_whatever_was_drawn_before() -> None:
    generator = np.random.default_rng(2)
    arguments = generator.normal(size=(40, 3)), np.arange(40) % 2, generator.normal(size=(9, 3))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = network_scores(*arguments)
    assert torch.equal(torch.get_rng_state(), before), "the caller's own numbers are untouched"
    torch.rand(3)
    assert_array_equal(network_scores(*arguments), first)
    assert not np.array_equal(network_scores(*arguments, seed=1), first)


def test_a_constant_feature_does_no_harm() -> None:
    generator = np.random.default_rng(3)
    train = np.column_stack([generator.normal(size=30), np.full(30, 7.0)])
    assert np.isfinite(network_scores(train, np.arange(30) % 2, train)).all()
