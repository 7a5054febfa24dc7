"""Counts from scaled images: exact where the step of the values is there, said where it is not."""

import io

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from darklens.errors import BadInput
from darklens.lensing import Simulator, recover_counts

SKY = 10.0


def counts_from(smallest: int, index: int = 0) -> np.ndarray:
    """Counts of a lens of the benchmark of which the smallest is `smallest`."""
    image = Simulator("common-test-1").lens(index).image[0].astype(np.int64)
    image = np.maximum(image, smallest)
    image[0, 0] = smallest
    return image


def scaled(counts: np.ndarray, kind: type = np.float64) -> np.ndarray:
    low, high = counts.min(), counts.max()
    return ((counts - low) / (high - low)).astype(kind)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("smallest", [0, 1])
def test_scaled_counts_are_recovered_exactly(smallest: int, kind: type) -> None:
    for index in range(6):
        counts = counts_from(smallest, index)
        found = recover_counts(scaled(counts, kind), SKY)
        assert np.array_equal(found.image, counts)
        assert found.source == "recovered"
        assert (found.gain, found.offset) == (np.ptp(counts), smallest)


@pytest.mark.parametrize("kind", [np.uint16, np.int64, np.float32])
def test_counts_are_kept(kind: type) -> None:
    counts = counts_from(0).astype(kind)
    found = recover_counts(counts, SKY)
    assert np.array_equal(found.image, counts)
    assert (found.source, found.gain, found.offset) == ("stored", 1.0, 0.0)


def test_counts_without_a_known_sky_are_kept_and_recovered() -> None:
    counts = Simulator("model-1-legacy").lens(0).image[0]
    assert recover_counts(counts, 0.0).source == "stored"
    found = recover_counts(scaled(counts), 0.0)
    assert found.source == "recovered"
    assert np.array_equal(found.image, counts - counts.min())


def test_values_of_no_step_are_estimated() -> None:
    counts = counts_from(0)
    jittered = scaled(counts) + 1e-4 * np.random.default_rng(0).random(counts.shape)
    found = recover_counts(jittered / jittered.max(), SKY)
    assert found.source == "estimated"
    assert found.gain == pytest.approx(np.ptp(counts), rel=0.07)


def test_smoothed_images_are_estimated_without_negative_counts() -> None:
    counts = counts_from(0)
    smooth = sliding_window_view(np.pad(counts, 1, mode="edge"), (3, 3)).mean(axis=(2, 3))
    found = recover_counts(scaled(smooth), SKY)
    assert found.source == "estimated"
    assert found.image.min() >= 0
    assert found.offset >= 0
    corner = found.image[:18, :18]
    assert corner.mean() == pytest.approx(SKY, rel=0.05)


@pytest.mark.parametrize("quality", [60, 75, 95])
@pytest.mark.parametrize("divisor", [1, 255])
def test_grey_levels_are_no_counts(quality: int, divisor: int) -> None:
    """The step of 8-bit pictures is not that of the photons."""
    counts = counts_from(0)
    stream = io.BytesIO()
    grey = np.rint(255 * scaled(counts)).astype(np.uint8)
    Image.fromarray(grey).save(stream, "jpeg", quality=quality)
    with Image.open(stream) as picture:
        found = recover_counts(np.asarray(picture) / divisor, SKY)
    assert found.source == "estimated"
    assert found.image.max() == pytest.approx(counts.max(), rel=0.1)


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "finite"), (np.inf, "finite"), (-0.5, "negative"), (1.5, "neither")],
)
def test_wrong_values_are_refused(value: float, message: str) -> None:
    image = scaled(counts_from(0))
    image[3, 4] = value
    with pytest.raises(BadInput, match=message):
        recover_counts(image, SKY)


def test_negative_counts_are_refused() -> None:
    image = counts_from(0)
    image[3, 4] = -2
    with pytest.raises(BadInput, match="neither"):
        recover_counts(image, SKY)


@pytest.mark.parametrize("value", [0.0, 0.5, 7.0])
def test_a_constant_image_is_refused(value: float) -> None:
    with pytest.raises(BadInput, match="constant"):
        recover_counts(np.full((20, 20), value), SKY)


def test_nothing_is_estimated_without_a_sky() -> None:
    image = np.random.default_rng(0).random((40, 40))
    with pytest.raises(BadInput, match="no sky"):
        recover_counts(image, 0.0)
    image[:5], image[-5:] = 0.0, 0.0
    with pytest.raises(BadInput, match="no sky"):
        recover_counts(image, SKY)
