"""Resampling: flux, noise and masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darklens.cutouts import block_sums
from darklens.observations.resampling import resample, resample_mask, resample_noise, shares

IMAGE = np.random.default_rng(0).normal(1.0, 0.2, (24, 30))


def test_whole_ratios_are_sums_over_blocks() -> None:
    np.testing.assert_allclose(resample(IMAGE, 2.0, (12, 15)), block_sums(IMAGE, 2))
    noise = np.full(IMAGE.shape, 0.2)
    np.testing.assert_allclose(resample_noise(noise, 2.0, (12, 15)), 0.4)


@given(ratio=st.floats(0.4, 3.0), extra=st.integers(0, 3))
def test_flux_is_conserved(ratio: float, extra: int) -> None:
    shape = tuple(int(np.ceil(side / ratio)) + extra for side in IMAGE.shape)
    assert resample(IMAGE, ratio, shape).sum() == pytest.approx(IMAGE.sum())


@given(ratio=st.floats(0.4, 3.0))
def test_a_source_stays_in_its_place(ratio: float) -> None:
    """The centroid about the middle, in units of old pixels."""
    y, x = np.indices((61, 61)) - 30.0
    blob = np.exp(-0.5 * ((x - 3.3) ** 2 + (y + 5.1) ** 2) / 4.0**2)
    shape = (int(61 / ratio), int(61 / ratio))
    made = resample(blob, ratio, shape)
    rows, columns = np.indices(shape)
    found = [(axis * made).sum() / made.sum() - 0.5 * (shape[0] - 1) for axis in (columns, rows)]
    assert np.multiply(found, ratio) == pytest.approx([3.3, -5.1], abs=0.02)


def test_masks_spread_to_all_they_touch() -> None:
    mask = np.zeros((6, 6), dtype=bool)
    mask[2, 2] = True
    made = resample_mask(mask, 1.5, (4, 4))
    assert made.sum() == 1
    assert made[1, 1]
    assert resample_mask(mask, 1.5, (6, 6)).sum() == 1 + 36 - 16  # what lies outside, too
    noise = np.where(mask, np.inf, 1.0)
    np.testing.assert_array_equal(np.isinf(resample_noise(noise, 1.5, (4, 4))), made)


def test_shares_of_a_pixel_add_up_to_one() -> None:
    np.testing.assert_allclose(shares(10, 0.7, 17).sum(axis=0), 1.0)
