"""The Gaussian random field in the source."""

from typing import Any

import numpy as np
import pytest

from darklens.detection.source_modes import SourceModes, source_modes
from darklens.modelling import Parameter


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


def test_the_box_is_no_larger_than_what_is_seen(lens: Any, modes: SourceModes) -> None:
    small = source_modes(lens.parameters, resolution=0.02, extent=0.3)
    assert small.half_width == 0.3 < modes.half_width
    assert small.order == pytest.approx(2 * 0.3 / 0.02, abs=1)


def test_the_field_moves_and_grows_with_the_image_of_the_source(modes: SourceModes) -> None:
    moved = modes.parameters.copy()
    moved[Parameter.SOURCE_X] += 0.1
    moved[Parameter.LENS_SLOPE] = 1 + 1.1 * (modes.parameters[Parameter.LENS_SLOPE] - 1)
    x0, y0 = modes.centre
    x, y = modes.frame(moved, np.array([x0 + 0.1 + 0.11]), np.array([y0 - 0.22]))
    assert (x[0], y[0]) == pytest.approx((x0 + 0.1, y0 - 0.2))


def test_the_envelope_follows_a_clump(modes: SourceModes) -> None:
    x0, y0 = modes.centre
    nodes = np.linspace(-0.5, 0.5, 60)
    x, y = (rays.ravel() for rays in np.meshgrid(x0 + nodes, y0 + nodes))
    clump = np.exp(-0.5 * ((x - x0 - 0.2) ** 2 + (y - y0) ** 2) / 0.06**2)
    images = modes.images(x[np.newaxis], y[np.newaxis]).astype(np.float64)
    wanted = 5 * modes.envelope(x, y)[0].max() * clump
    coefficients = np.linalg.lstsq(images.T, wanted, rcond=1e-4)[0]
    adapted, same = modes.adapted(modes.parameters, coefficients)
    before, after = (
        basis.field(values, x, y)[0] for basis, values in ((modes, coefficients), (adapted, same))
    )
    assert np.allclose(after, before, atol=0.03 * before.max())
    places = np.array([x0 + 0.2, x0 - 0.2]), np.array([y0, y0])
    level, was = adapted.envelope(*places)[0], modes.envelope(*places)[0]
    assert level[0] > 5 * level[1]
    assert was[0] < 2 * was[1]


def test_the_gradient_of_an_adapted_envelope(modes: SourceModes) -> None:
    rng = np.random.default_rng(4)
    coefficients = modes.deviations(0.3, 0.08) * rng.normal(size=len(modes))
    adapted, _ = modes.adapted(modes.parameters, coefficients)
    x, y = (centre + rng.uniform(-0.3, 0.3, 40) for centre in adapted.centre)
    _, by_x, by_y = adapted.envelope(x, y)
    ends = [adapted.envelope(x + h, y + k)[0] for h, k in ((1e-5, 0), (-1e-5, 0), (0, 1e-5))]
    ends.append(adapted.envelope(x, y - 1e-5)[0])
    for slope, high, low in ((by_x, ends[0], ends[1]), (by_y, ends[2], ends[3])):
        assert np.allclose(slope, (high - low) / 2e-5, rtol=1e-3, atol=1e-4 * np.abs(slope).max())
