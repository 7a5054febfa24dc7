"""Observations of images in memory, and places in them."""

import numpy as np
import pytest
from astropy.wcs import WCS

from darklens.errors import BadInput
from darklens.observations import Observation, observation_of

from .conftest import LENS, PLACE, SCALE, SIDE, sky_header


def test_what_is_not_finite_is_masked() -> None:
    image, noise = np.zeros((30, 40)), np.ones((30, 40))
    image[0, 1], noise[2, 3], noise[4, 5] = np.nan, np.inf, np.nan
    made = observation_of(image, noise, 0.05)
    assert np.argwhere(made.mask).tolist() == [[0, 1], [2, 3], [4, 5]]
    found, scale = made.noise_and_scale()
    assert np.isinf(found[made.mask]).all()
    assert np.isfinite(found[~made.mask]).all()
    assert scale == 0.05
    assert made.noise_origin == "map"


@pytest.mark.parametrize(
    ("noise", "reason"), [(0.0, "must be positive"), (-1.0, "must be positive"), (np.inf, "masked")]
)
def test_noise_that_is_none_is_refused(noise: float, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        observation_of(np.zeros((30, 30)), np.full((30, 30), noise), 0.05)


def test_places_on_the_sky_are_offsets_from_the_centre() -> None:
    image = np.zeros((SIDE, SIDE))
    mask = np.zeros(image.shape, dtype=bool)
    seen = Observation("sky", image, mask, pixel_scale=SCALE, wcs=WCS(sky_header()))
    middle = 0.5 * (SIDE - 1)
    x, y = (SCALE * (pixel - middle) for pixel in LENS)
    assert seen.sky_position(x, y) == pytest.approx(PLACE)
    north = seen.sky_position(x, y + 1.0)
    assert north == pytest.approx((PLACE[0], PLACE[1] + 1 / 3600), abs=1e-8)
    assert seen.position == seen.sky_position(0.0, 0.0)


def test_without_a_wcs_or_a_noise_nothing_is_made_up() -> None:
    seen = Observation("bare", np.zeros((30, 30)), np.zeros((30, 30), dtype=bool), pixel_scale=0.1)
    assert seen.position is None
    assert seen.noise_origin == ""
    with pytest.raises(BadInput, match="prepare_observation"):
        seen.noise_and_scale()
