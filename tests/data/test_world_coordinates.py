"""World coordinates: orientation of rotated, mirrored and damaged headers."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from darklens.data import orientation_of, pixel_scale_of, world_coordinates


def header(angle: float, *, mirrored: bool = False, scale: float = 0.1) -> fits.Header:
    """North turned anticlockwise by an angle [deg]."""
    turn = np.radians(angle)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    sky = np.diag([1.0 if mirrored else -1.0, 1.0]) @ rotation
    made = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10, "CRVAL2": -5})
    for i in (1, 2):
        made[f"CRPIX{i}"] = 20.0
        for j in (1, 2):
            made[f"CD{i}_{j}"] = sky[i - 1, j - 1] * scale / 3600
    return made


@pytest.mark.parametrize("angle", [0.0, 30.0, -120.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_north_as_astropy_sees_it(angle: float, mirrored: bool) -> None:
    """A step to the North moves the pixel in the direction that is told."""
    given = header(angle, mirrored=mirrored)
    wcs = world_coordinates(given)
    found = orientation_of(wcs)
    assert found is not None
    assert found.mirrored is mirrored
    assert found.elongation == pytest.approx(1)
    there = WCS(given)
    place = there.pixel_to_world(19.0, 19.0)
    x, y = there.world_to_pixel(place.directional_offset_by(0, 1 / 3600 * place.ra.unit))
    assert np.degrees(np.arctan2(-(x - 19), y - 19)) == pytest.approx(found.north, abs=0.01)
    assert pixel_scale_of(given) == pytest.approx(0.1)


def test_long_pixels_are_noticed() -> None:
    given = header(0.0)
    given["CD2_2"] *= 1.5
    found = orientation_of(world_coordinates(given))
    assert found is not None
    assert found.elongation == pytest.approx(1.5)


def test_headers_without_a_sky() -> None:
    assert world_coordinates(fits.Header({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"})) is None
    assert world_coordinates(fits.Header()) is None
    assert world_coordinates({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": "x"}) is None
    singular = header(0.0)
    singular["CD1_1"] = 0.0
    assert orientation_of(world_coordinates(singular)) is None
