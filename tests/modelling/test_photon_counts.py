"""Counts from scaled images: exact where the step of the values is there, said where it is not."""

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from darklens.errors import BadInput
from darklens.lensing.noise import PhotonNoise
from darklens.modelling import recover_counts
from darklens.simulation import Simulator, load_preset

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


def rounded(decimals: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda counts: np.round(scaled(counts), decimals)


CONTAINERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "16-bit PNG": lambda counts: np.rint(65535 * scaled(counts)).astype(np.uint16),
    "16 bits in [0, 1]": lambda counts: np.rint(65535 * scaled(counts)) / 65535,
    "16 bits of another scale": lambda n: np.rint(50000 * scaled(n) + 1000).astype(np.uint16),
    "12 bits": lambda counts: np.rint(4095 * scaled(counts)).astype(np.uint16),
    "5 decimals": rounded(5),
    "4 decimals": rounded(4),
    "half precision": lambda counts: scaled(counts).astype(np.float16),
    "less their minimum": lambda counts: counts - counts.min(),
    "less the sky": lambda counts: counts - SKY,
    "a linear function": lambda counts: (3.7e-3 * counts + 0.211).astype(np.float32),
    "standardised": lambda counts: ((counts - counts.mean()) / counts.std()).astype(np.float32),
    "from -1 to 1": lambda counts: (2 * scaled(counts) - 1).astype(np.float32),
    "times a whole number": lambda counts: 7 * counts,
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_counts_are_the_same_whatever_the_container(name: str) -> None:
    for index in range(3):
        counts = Simulator("common-test-1").lens(index, seed=11).image[0].astype(np.int64)
        found = recover_counts(CONTAINERS[name](counts).astype(np.float32), SKY)
        assert np.array_equal(found.image, counts)
        assert found.source in ("recovered", "stored")
        assert found.sky is None


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name != "less their minimum"])
def test_counts_of_another_noise_are_the_same(name: str) -> None:
    counts = Simulator("model-1-legacy").lens(0).image[0].astype(np.int64)
    found = recover_counts(CONTAINERS[name](counts).astype(np.float32), 0.0)
    assert np.array_equal(found.image, counts)


@pytest.mark.parametrize("sky", [9, 12, 14])
@pytest.mark.parametrize("name", ["16-bit PNG", "less their minimum", "4 decimals", "counts"])
def test_another_sky_is_seen(name: str, sky: int) -> None:
    """The level of the sky alone would not do: the smallest count was taken away."""
    preset = load_preset("common-test-1")
    preset = replace(preset, noise=PhotonNoise(background=float(sky)))
    counts = Simulator(preset).lens(0).image[0].astype(np.int64)
    image = CONTAINERS.get(name, lambda n: n)(counts)
    found = recover_counts(image, SKY)
    assert np.array_equal(found.image, counts)
    assert found.sky == pytest.approx(sky, abs=0.4)


def test_counts_without_a_known_sky_are_kept_and_recovered() -> None:
    counts = Simulator("model-1-legacy").lens(1).image[0]
    assert recover_counts(counts, 0.0).source == "stored"
    found = recover_counts(scaled(counts), 0.0)
    assert found.source == "recovered"
    assert np.array_equal(found.image, counts - counts.min())


def test_the_noise_gives_the_level_of_an_unknown_sky() -> None:
    counts = Simulator("model-1").lens(0).image[0].astype(np.int64)
    assert recover_counts(counts, None).source == "stored"
    for image in (scaled(counts), counts - counts.min()):
        found = recover_counts(image, None)
        assert found.source == "recovered"
        assert np.ptp(found.image) == np.ptp(counts)
        assert found.image.min() == pytest.approx(counts.min(), abs=0.1 * np.median(counts))


@pytest.mark.parametrize("sky", [SKY, 0.0])
@pytest.mark.parametrize("divisor", [1, 255])
def test_8_bits_are_too_few(sky: float, divisor: int) -> None:
    preset = "common-test-1" if sky else "model-1-legacy"
    counts = Simulator(preset).lens(0, seed=3).image[0].astype(np.int64)
    assert recover_counts(np.rint(255 * scaled(counts)) / divisor, sky).source == "estimated"


def test_values_of_no_step_are_estimated() -> None:
    counts = counts_from(0)
    jittered = scaled(counts) + 3e-3 * np.random.default_rng(0).random(counts.shape)
    found = recover_counts(jittered / jittered.max(), SKY)
    assert found.source == "estimated"
    assert found.gain == pytest.approx(np.ptp(counts), rel=0.2)


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
    [(np.nan, "finite"), (np.inf, "finite"), (-0.5, "neither"), (1.5, "neither")],
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
