"""What happens to a finished image on its way into a file."""

import numpy as np
import pytest

from darklens.data.containers import transformed
from darklens.simulation import Simulator

IMAGE = Simulator("common-test-1").lens(0).image


@pytest.mark.parametrize(
    ("steps", "kind", "low", "high"),
    [
        ({"scaled": 64}, np.float64, 0, 1),
        ({"scaled": 16}, np.float16, 0, 1),
        ({"integers": 8}, np.uint8, 0, 255),
        ({"integers": 16}, np.uint16, 0, 65535),
    ],
)
def test_scaled_files_span_their_range(
    steps: dict[str, int], kind: type, low: float, high: float
) -> None:
    made = transformed(IMAGE, steps)
    assert (made.dtype, made.shape) == (kind, IMAGE.shape)
    assert (made.min(), made.max()) == (low, high)


def test_sixteen_bits_keep_the_counts_and_eight_do_not() -> None:
    span = float(IMAGE.max() - IMAGE.min())
    for bits, kept in ((16, True), (8, False)):
        made = transformed(IMAGE, {"integers": bits}) / (2**bits - 1)
        counts = np.round(made * span) + IMAGE.min()
        assert np.array_equal(counts, IMAGE) is kept


def test_standardised() -> None:
    made = transformed(IMAGE, {"standardised": 32})
    assert made.dtype == np.float32
    assert made.mean() == pytest.approx(0, abs=1e-6)
    assert made.std() == pytest.approx(1)


def test_jpeg_loses_more_at_lower_quality() -> None:
    exact = transformed(IMAGE, {"integers": 8}).astype(float)
    errors = [np.std(transformed(IMAGE, {"jpeg": quality}) - exact) for quality in (90, 75, 20)]
    assert 0 < errors[0] < errors[1] < errors[2] < 20


def test_resizing_there_and_back_blurs() -> None:
    made = transformed(IMAGE, {"resized": 128})
    assert made.shape == IMAGE.shape
    assert np.diff(made, axis=2).std() < 0.9 * np.diff(transformed(IMAGE, {"scaled": 64})).std()


def test_turned_and_rolled_images_can_be_put_back() -> None:
    assert np.array_equal(transformed(IMAGE, {"turned": 1})[0, :, 0], IMAGE[0, 0, ::-1])
    assert np.array_equal(transformed(transformed(IMAGE, {"turned": 1}), {"turned": 3}), IMAGE)
    assert np.array_equal(transformed(IMAGE, {"rolled": 3})[0, :, 3:], IMAGE[0, :, :-3])
