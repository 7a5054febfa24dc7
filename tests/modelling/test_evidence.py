"""Widths of priors by the evidence: exact, and near those from which amplitudes were drawn."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from darklens.modelling.evidence import _evidence, likeliest_widths

PIXELS = 400


@pytest.fixture(scope="module")
def directions() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.5, (24, PIXELS)).astype(np.float32)


def drawn(directions: np.ndarray, widths: np.ndarray, seed: int) -> np.ndarray:
    """Noise, and amplitudes from priors of these widths."""
    rng = np.random.default_rng(seed)
    amplitudes = widths * rng.normal(size=len(directions))
    return (rng.normal(size=PIXELS) + amplitudes @ directions).astype(np.float32)


def test_the_evidence_is_the_probability_of_the_image(directions: np.ndarray) -> None:
    residual = drawn(directions, np.ones(24), 1).astype(np.float64)
    gram = directions.astype(np.float64) @ directions.T
    pull = directions.astype(np.float64) @ residual
    differences = []
    for width in (0.1, 1.0, 3.0):
        covariance = np.eye(PIXELS) + width**2 * directions.T.astype(np.float64) @ directions
        expected = multivariate_normal(np.zeros(PIXELS), covariance).logpdf(residual)
        differences.append(_evidence(gram, pull, np.full(24, width)) - float(expected))
    assert differences == pytest.approx([differences[0]] * 3, abs=1e-6)


def test_each_group_has_the_width_from_which_it_was_drawn(directions: np.ndarray) -> None:
    groups = [np.arange(4, 14), np.arange(0), np.arange(14, 24)]
    truth = np.ones(24)
    truth[4:14], truth[14:] = 0.1, 3.0
    found = [
        likeliest_widths(directions, drawn(directions, truth, seed), np.zeros(24), groups)
        for seed in range(8)
    ]
    assert np.median(found, axis=0).tolist() == [0.1, 1.0, 3.0]


def test_a_matrix_that_is_not_positive_has_no_evidence() -> None:
    gram = np.array([[1.0, 9.0], [9.0, 1.0]])
    assert _evidence(gram, np.ones(2), np.ones(2)) == -np.inf
