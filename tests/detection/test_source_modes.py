"""The Gaussian random field in the source."""

from typing import Any

import numpy as np
import pytest

from darklens.detection.source_modes import SourceModes, source_modes


@pytest.fixture(scope="module")
def modes(lens: Any) -> SourceModes:
    return source_modes(lens.parameters, resolution=0.08)


def test_strength_is_the_root_mean_square_over_the_envelope(modes: SourceModes) -> None:
    rng = np.random.default_rng(0)
    deviations = modes.deviations(0.3, 0.08)
    x0, y0 = modes.centre
    x, y = x0 + rng.uniform(-0.5, 0.5, 400), y0 + rng.uniform(-0.5, 0.5, 400)
    envelope = modes.envelope(x, y)[0]
    values = []
    for _ in range(200):
        values.append(modes.field(deviations * rng.normal(size=len(modes)), x, y)[0] / envelope)
    assert np.std(values) == pytest.approx(0.3, rel=0.2)


def test_a_long_scale_has_less_power_in_short_waves(modes: SourceModes) -> None:
    wave = np.hypot(*modes.pairs.T)
    short, long = modes.deviations(1.0, 0.02), modes.deviations(1.0, 0.5)
    assert long[wave.argmax()] < 0.1 * short[wave.argmax()]
    assert long[wave.argmin()] > short[wave.argmin()]


def test_gradient_and_walls(modes: SourceModes) -> None:
    rng = np.random.default_rng(2)
    coefficients = modes.deviations(0.3, 0.08) * rng.normal(size=len(modes))
    x0, y0 = modes.centre
    x, y = x0 + rng.uniform(-0.4, 0.4, 50), y0 + rng.uniform(-0.4, 0.4, 50)
    _, by_x, by_y = modes.field(coefficients, x, y)
    h = 1e-6
    dx = (modes.field(coefficients, x + h, y)[0] - modes.field(coefficients, x - h, y)[0]) / 2e-6
    dy = (modes.field(coefficients, x, y + h)[0] - modes.field(coefficients, x, y - h)[0]) / 2e-6
    assert np.allclose(by_x, dx, rtol=1e-4, atol=1e-5 * np.abs(dx).max())
    assert np.allclose(by_y, dy, rtol=1e-4, atol=1e-5 * np.abs(dy).max())
    outside = np.array([x0 + 1.01 * modes.half_width])
    assert modes.field(coefficients, outside, np.array([y0]))[0] == 0.0


def test_images_are_the_modes_averaged_over_the_rays(modes: SourceModes) -> None:
    rng = np.random.default_rng(3)
    x0, y0 = modes.centre
    x, y = x0 + rng.uniform(-0.5, 0.5, (4, 30)), y0 + rng.uniform(-0.5, 0.5, (4, 30))
    coefficients = rng.normal(size=len(modes))
    expected = modes.field(coefficients, x.ravel(), y.ravel())[0].reshape(4, 30).mean(axis=0)
    found = coefficients @ modes.images(x, y).astype(np.float64)
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
