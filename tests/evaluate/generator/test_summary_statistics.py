"""The statistics against the metrics it is made of, and the tests it feeds."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from darklens.evaluate.generator.summary_statistics import (
    FAMILIES,
    SummaryStatistics,
    physics_tests,
)
from darklens.metrics import azimuthal_power_spectrum, holm_correction


def rings(count: int, *, seed: int, bright: float = 1.0, size: int = 40) -> np.ndarray:
    """Noisy rings of random radius."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] - 0.5 * (size - 1)
    radii = generator.normal(10, 1.5, (count, 1, 1))
    light = np.exp(-((np.hypot(x, y) - radii) ** 2) / 8)
    return (bright * light + generator.normal(0, 0.1, (count, size, size))).astype(np.float32)


def test_rows_are_those_of_the_metrics() -> None:
    images = rings(6, seed=0)
    statistics = SummaryStatistics.for_images(images)
    rows = statistics.measure(images)
    assert set(rows) == {name for names in FAMILIES.values() for name in names}
    assert all(len(part) == 6 for part in rows.values())
    frequency, power = azimuthal_power_spectrum(images)
    assert rows["power_spectrum"].shape[1] == len(statistics.frequencies)
    first, second = statistics.rings[-2:] - 1
    assert_allclose(10 ** rows["power_spectrum"][:, -1], power[:, first:second].mean(axis=1))
    assert statistics.frequencies[-1] == pytest.approx(frequency[first:second].mean())
    assert_allclose(rows["pixel_histogram"].mean(axis=0), 0.1, atol=0.02)


def test_images_without_any_light_have_rows() -> None:
    dark = np.zeros((3, 20, 20), np.float32)
    rows = SummaryStatistics.for_images(dark).measure(dark)
    assert np.isfinite(rows["power_spectrum"]).all()
    assert_allclose(rows["pixel_histogram"].sum(axis=1), 1)


def test_tests_are_those_of_scipy_with_holms_correction() -> None:
    first, second = rings(40, seed=1), rings(50, seed=2, bright=1.1)
    statistics = SummaryStatistics.for_images(first)
    rows = statistics.measure(first), statistics.measure(second)
    groups = {
        "a": (np.arange(40) < 20, np.arange(50) < 30),
        "b": (np.arange(40) > 19, np.arange(50) > 29),
    }
    found = physics_tests(*rows, groups, per_class=15)
    flux = [test for test in found if test.family == "flux and radius"]
    assert [(t.quantity, t.label, t.images) for t in flux] == [
        ("total_flux", "a", 15),
        ("total_flux", "b", 15),
        ("ring_radius", "a", 15),
        ("ring_radius", "b", 15),
    ]
    expected = stats.ks_2samp(rows[0]["total_flux"][20:35, 0], rows[1]["total_flux"][30:45, 0])
    assert flux[1].statistic == pytest.approx(expected.statistic)
    assert flux[1].p_value == pytest.approx(expected.pvalue)
    corrected = holm_correction(np.array([test.p_value for test in flux]))
    assert_allclose([test.corrected for test in flux], corrected)


def test_brighter_rings_fail_in_flux_only_where_they_should() -> None:
    first, second = rings(80, seed=3), rings(80, seed=4, bright=1.3)
    statistics = SummaryStatistics.for_images(first)
    everyone = {"all": (np.ones(80, bool), np.ones(80, bool))}
    found = physics_tests(statistics.measure(first), statistics.measure(second), everyone)
    worst = {name: min(t.corrected for t in found if t.family == name) for name in FAMILIES}
    assert worst["flux and radius"] < 1e-6
    assert worst["ellipticity"] > 0.01
    radius = next(test for test in found if test.quantity == "ring_radius")
    assert radius.corrected > 0.01


def test_images_without_a_value_are_left_out() -> None:
    shapes = np.array([[0.1, 0.2], [np.nan, np.nan], [0.3, 0.1]])
    rows = SummaryStatistics.for_images(rings(3, seed=5)).measure(rings(3, seed=5))
    rows["ellipticity"] = shapes
    everyone = {"all": (np.ones(3, bool), np.ones(3, bool))}
    found = physics_tests(rows, rows, everyone)
    assert {test.images for test in found if test.family == "ellipticity"} == {2}
    rows["ellipticity"] = np.full((3, 2), np.nan)
    found = physics_tests(rows, rows, everyone)
    assert not [test for test in found if test.family == "ellipticity"]
