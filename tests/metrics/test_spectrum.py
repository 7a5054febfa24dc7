"""Power spectrum of waves, white noise and a Gaussian, and Parseval's theorem."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from darklens.metrics import azimuthal_power_spectrum


def wave(shape: tuple[int, int], cycles: tuple[int, int]) -> np.ndarray:
    """A sine with so many cycles along each axis."""
    phase = [n * np.arange(size) / size for n, size in zip(cycles, shape, strict=True)]
    return np.sin(2 * np.pi * (phase[0][:, np.newaxis] + phase[1]) + 0.3)


@pytest.mark.parametrize(("cycles", "ring"), [((0, 5), 5), ((12, 0), 12), ((6, 8), 10)])
def test_a_wave_is_one_line_at_its_frequency(cycles: tuple[int, int], ring: int) -> None:
    frequency, power = azimuthal_power_spectrum(7.0 + 3.0 * wave((40, 40), cycles)[np.newaxis])
    assert frequency[power[0].argmax()] == pytest.approx(ring / 40)
    assert_allclose(np.delete(power[0], ring - 1), 0, atol=1e-20)
    grid = np.fft.fftfreq(40, 1 / 40)
    pixels = np.count_nonzero(np.floor(np.hypot(grid[:, np.newaxis], grid) + 0.5) == ring)
    assert power[0, ring - 1] * pixels == pytest.approx(2 * 9.0 / 4 * 1600)  # two of A^2 h w / 4


@pytest.mark.parametrize(("shape", "last"), [((31, 31), 15 / 31), ((32, 48), 0.5)])
def test_white_noise_has_its_variance_at_all_frequencies(
    shape: tuple[int, int], last: float
) -> None:
    images = np.random.default_rng(0).normal(5.0, 2.0, size=(400, *shape))
    frequency, power = azimuthal_power_spectrum(images)
    assert power.shape == (400, shape[0] // 2)
    assert (frequency[0], frequency[-1]) == (1 / min(shape), last)
    assert_allclose(power.mean(axis=0), 4.0, rtol=0.1)
    assert_allclose(power[:, 5:].mean(), 4.0, rtol=0.01)


def test_spectrum_of_a_gaussian_is_a_gaussian() -> None:
    axis = np.arange(64) - 31.5
    image = np.exp(-(axis[:, np.newaxis] ** 2 + axis**2) / (2 * 2.0**2))
    frequency, power = azimuthal_power_spectrum(image[np.newaxis])
    near = (frequency > 0.05) & (frequency < 0.2)
    slope = np.polyfit(frequency[near] ** 2, np.log(power[0, near]), 1)[0]
    assert slope == pytest.approx(-4 * np.pi**2 * 2.0**2, rel=0.02)


def test_blocks_and_whole_numbers_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(1).integers(0, 60_000, size=(5, 20, 20), dtype=np.uint16)
    _, whole = azimuthal_power_spectrum(images.astype(np.float64))
    monkeypatch.setitem(azimuthal_power_spectrum.__globals__, "_BLOCK", 900)
    assert_allclose(azimuthal_power_spectrum(images)[1], whole)
