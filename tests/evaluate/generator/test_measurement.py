"""Units of two sets, and rows that do not depend on the batches."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from darklens.errors import BadData
from darklens.evaluate.generator.measurement import Measurer, Pixels, common_pixels
from darklens.evaluate.generator.summary_statistics import SummaryStatistics
from darklens.hub import load_classifier
from darklens.simulation import Simulator

COUNTS = np.random.default_rng(0).poisson(50, (10, 1, 36, 36)).astype(np.uint16)
BYTES = np.random.default_rng(1).integers(0, 256, (10, 1, 36, 36), dtype=np.uint8)


def mean_and_peak(images: np.ndarray) -> np.ndarray:
    """Two features."""
    return np.stack([images.mean(axis=(1, 2)), images.max(axis=(1, 2))], axis=1).astype(float)


@pytest.mark.parametrize(
    ("first", "second", "units"),
    [
        (COUNTS, COUNTS.astype(np.float32), ["counts", "counts"]),
        (BYTES, BYTES / 255.0, ["values from 0 to 1", "values from 0 to 1"]),
        (BYTES, COUNTS, ["each image from 0 to 1"] * 2),
        (COUNTS / 200.0, COUNTS, ["each image from 0 to 1"] * 2),
    ],
)
def test_units(first: np.ndarray, second: np.ndarray, units: list[str]) -> None:
    assert [pixels.unit for pixels in common_pixels(first, second)] == units


def test_bytes_and_their_shares_are_the_same() -> None:
    a, b = common_pixels(BYTES, BYTES / 255.0)
    assert_allclose(a.values(BYTES), b.values(BYTES / 255.0), rtol=1e-6)


def test_counts_are_scaled_image_by_image_for_features_only() -> None:
    pixels = Pixels("counts")
    values = pixels.values(COUNTS)
    assert_array_equal(values, COUNTS[:, 0])
    scaled = pixels.for_features(values)
    assert_array_equal(scaled.min(axis=(1, 2)), 0)
    assert_array_equal(scaled.max(axis=(1, 2)), 1)
    dark = np.zeros((1, 1, 4, 4), np.uint16)
    assert_array_equal(pixels.for_features(pixels.values(dark)), 0)


def test_several_channels_are_averaged() -> None:
    assert_allclose(
        Pixels("counts").values(np.concatenate([COUNTS, 3 * COUNTS], axis=1)), 2 * COUNTS[:, 0]
    )


def test_batches_change_nothing() -> None:
    statistics = SummaryStatistics.for_images(COUNTS[:, 0].astype(np.float32))
    measurer = Measurer(statistics, {"simple": mean_and_peak})
    labels = np.arange(10) % 3
    whole = measurer.measure([(COUNTS, labels)], Pixels("counts"))
    parts = measurer.measure([(COUNTS[:7], labels[:7]), (COUNTS[7:], labels[7:])], Pixels("counts"))
    assert len(whole) == 10
    assert_array_equal(parts.labels, labels)
    assert_array_equal(parts.features["simple"], whole.features["simple"])
    assert_array_equal(parts.examples, whole.examples)
    for name, rows in whole.physics.items():
        assert_array_equal(parts.physics[name], rows)
    assert whole.thumbnails.shape == (10, 30, 30)


def test_thumbnails_are_means_over_blocks() -> None:
    images = np.random.default_rng(2).random((2, 1, 60, 90))
    statistics = SummaryStatistics.for_images(images[:, 0].astype(np.float32))
    found = Measurer(statistics).measure([(images, np.zeros(2, int))], Pixels("values from 0 to 1"))
    blocks = images[:, 0].reshape(2, 30, 2, 30, 3).mean(axis=(2, 4))
    assert_allclose(found.thumbnails, blocks, rtol=1e-5)


def test_classifiers_see_what_a_telescope_does(tiny_model: Path) -> None:
    expected = Simulator("common-test-1").expectation().simulate(2, seed=1)
    seen: list[int] = []

    def observe(images: np.ndarray, start: int) -> np.ndarray:
        seen.append(start)
        return np.random.default_rng(start).poisson(images).astype(np.uint16)

    classifier = load_classifier(tiny_model)
    statistics = SummaryStatistics.for_images(expected.images[:, 0])
    measurer = Measurer(statistics, classifiers={"tiny": classifier}, observe=observe)
    batches = [(expected.images[k : k + 1], expected.labels[k : k + 1]) for k in range(2)]
    found = measurer.measure(batches, Pixels("counts"))
    assert seen == [0, 1]
    assert_array_equal(found.examples, expected.images[:, 0])
    probabilities = classifier.probabilities(observe(expected.images[1:], 1))
    assert_allclose(found.embeddings["tiny"].probabilities[1:], probabilities, atol=1e-5)


def test_a_classifier_that_cannot_see_the_images_says_why(residual_model: Path) -> None:
    images = Simulator("common-test-1").simulate(1, seed=1).images
    dark = np.zeros_like(images)
    classifier = load_classifier(residual_model)
    measurer = Measurer(
        SummaryStatistics.for_images(dark[:, 0].astype(np.float32)), classifiers={"r": classifier}
    )
    batches = [(images, np.zeros(1, int)), (dark, np.zeros(1, int))]
    found = measurer.measure(batches, Pixels("counts"))
    assert not found.embeddings
    assert found.failures["r"].startswith("not computed: ")


def test_a_missing_pixel_is_refused() -> None:
    images = np.full((1, 1, 20, 20), np.nan, np.float32)
    statistics = SummaryStatistics.for_images(np.zeros((1, 20, 20), np.float32))
    with pytest.raises(BadData, match="has NaN"):
        Measurer(statistics).measure([(images, np.zeros(1, int))], Pixels("counts"))
