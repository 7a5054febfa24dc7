"""Galaxies found in an image: the brightest one, and those to mask."""

import numpy as np
import pytest

from darklens.errors import BadInput
from darklens.observations.neighbours import brightest_galaxy, find_neighbours, measure_sky

from .conftest import LENS, NEIGHBOUR, RMS, SIDE, blob, lens_image

ALL = np.ones((SIDE, SIDE), dtype=bool)


def centred(image: np.ndarray) -> np.ndarray:
    """The image moved so that the lens is in its middle; what comes in on the other side is sky."""
    shift = [round(0.5 * (SIDE - 1) - place) for place in LENS]
    return np.roll(image, shift[::-1], axis=(0, 1))


def test_the_sky_at_the_border() -> None:
    sky = measure_sky(lens_image(level=0.3), ALL)
    assert sky is not None
    assert sky.level == pytest.approx(0.3, abs=RMS / 5)
    assert sky.rms == pytest.approx(RMS, rel=0.1)
    assert measure_sky(np.ones((SIDE, SIDE)), ALL) is None
    assert measure_sky(lens_image(), ~ALL) is None


def test_the_brightest_galaxy_is_found_at_its_peak() -> None:
    assert brightest_galaxy(lens_image(level=0.3), ALL) == pytest.approx(LENS, abs=1)


def test_a_brighter_star_is_no_galaxy_where_the_psf_is_known() -> None:
    star = blob(20.0, 20.0, 1.2, 60.0)
    image = lens_image() + star
    assert brightest_galaxy(image, ALL) == pytest.approx((20, 20), abs=1)
    assert brightest_galaxy(image, ALL, psf_width=1.2 * 2.355) == pytest.approx(LENS, abs=1)


def test_masked_pixels_hold_no_source() -> None:
    image = lens_image()
    image[40:60, 40:70] = np.nan
    assert brightest_galaxy(image, np.isfinite(image)) == pytest.approx(NEIGHBOUR, abs=1)


def test_an_empty_sky_has_no_galaxy() -> None:
    noise = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    with pytest.raises(BadInput, match="no source is found"):
        brightest_galaxy(noise, ALL)


def test_a_neighbour_is_masked_and_the_ring_is_not() -> None:
    image = centred(lens_image())
    found = find_neighbours(image, ALL, protected=25.0, margin=2.0)
    assert found.count == 1
    x, y = (place + 0.5 * (SIDE - 1) - home for place, home in zip(NEIGHBOUR, LENS, strict=True))
    assert found.mask[round(y), round(x)]
    rows, columns = np.indices(image.shape)
    assert not found.mask[np.hypot(rows - 50, columns - 50) < 25].any()
    left = np.where(found.mask, 0.0, blob(x, y, 2.5, 1.5))
    assert left.max() < 3 * RMS


def test_a_neighbour_that_runs_into_the_lens_is_separated() -> None:
    image = centred(lens_image()) + blob(50.0, 50.0, 9.0, 1.0) + blob(84.0, 50.0, 4.0, 2.0)
    found = find_neighbours(image, ALL, protected=25.0, margin=2.0)
    assert found.mask[50, 84]
    assert not found.mask[50, :74].any()


@pytest.mark.parametrize("seed", range(4))
def test_the_outskirts_of_a_lens_are_no_neighbours(seed: int) -> None:
    """A large galaxy reaches far beyond the protected radius."""
    noise = RMS * np.random.default_rng(seed).normal(size=(SIDE, SIDE))
    image = blob(50.0, 50.0, 14.0, 1.0) + noise
    assert find_neighbours(image, ALL, protected=20.0, margin=2.0).count == 0


def test_nothing_is_masked_where_all_is_protected() -> None:
    assert find_neighbours(lens_image(), ALL, protected=200.0, margin=2.0).count == 0
