"""Calibration error against torchmetrics, the temperature against what it must recover."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import softmax
from torchmetrics.functional.classification import multiclass_calibration_error

from darklens.metrics import expected_calibration_error, fit_temperature, reliability_curve


@pytest.fixture
def logits() -> np.ndarray:
    """Logits of 4,000 images."""
    return np.random.default_rng(3).normal(scale=2, size=(4000, 3))


def drawn_labels(probabilities: np.ndarray) -> np.ndarray:
    """Labels drawn with just these probabilities, so that they are calibrated."""
    dice = np.random.default_rng(4).random((len(probabilities), 1))
    return (dice > probabilities.cumsum(axis=1)).sum(axis=1).clip(max=2)


def test_calibration_error_is_that_of_torchmetrics(logits: np.ndarray) -> None:
    probabilities = softmax(logits, axis=1)
    labels = np.random.default_rng(5).integers(3, size=4000)
    expected = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(labels), num_classes=3, n_bins=15
    )
    assert_allclose(expected_calibration_error(labels, probabilities), float(expected), rtol=1e-5)


def test_calibrated_probabilities_have_a_small_error(logits: np.ndarray) -> None:
    probabilities = softmax(logits, axis=1)
    assert expected_calibration_error(drawn_labels(probabilities), probabilities) < 0.03


def test_reliability_curve_adds_up_to_accuracy_and_error(logits: np.ndarray) -> None:
    probabilities = softmax(logits, axis=1)
    labels = drawn_labels(probabilities)
    confidence, right, count = reliability_curve(labels, probabilities)
    share = count / count.sum()
    assert np.nansum(share * right) == pytest.approx((probabilities.argmax(1) == labels).mean())
    error = np.nansum(share * np.abs(right - confidence))
    assert error == pytest.approx(float(expected_calibration_error(labels, probabilities)))
    assert np.isnan(confidence[:5]).all(), "three classes: no confidence is below one third"


def test_certainty_is_in_the_last_bin() -> None:
    count = reliability_curve(np.array([0]), np.array([[1.0, 0.0]]))[2]
    assert count.tolist() == [0.0] * 14 + [1.0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_is_recovered(logits: np.ndarray, temperature: float) -> None:
    labels = drawn_labels(softmax(logits / temperature, axis=1))
    assert fit_temperature(logits.astype(np.float32), labels) == pytest.approx(temperature, rel=0.1)
