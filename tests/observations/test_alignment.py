"""How images of one lens lie to each other: offsets, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS

from darklens.errors import BadInput
from darklens.observations import Observation, observation_of
from darklens.observations.alignment import band_offsets

LENS = (150.0, 60.0)
SCALE, SIDE = 0.05, 81


def cutout(
    *,
    tangent: tuple[float, float] = LENS,
    turn: float = 0.0,
    mirrored: bool = False,
    scale: float = SCALE,
    said: float | None = None,
    shift: float = 0.0,
) -> Observation:
    """An image around the lens, cut out of a mosaic.

    Args:
        tangent: Reference point of the mosaic [deg].
        turn: By which its axes are turned [deg].
        mirrored: Whether East is on the right.
        scale: Pixel scale of its world coordinates [arcsec].
        said: Pixel scale that is given for it.
        shift: By which the lens lies right of the middle [pixel].
    """
    angle = np.deg2rad(turn)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = tangent, (0.0, 0.0)
    wcs.wcs.cd = scale / 3600 * np.diag([1.0 if mirrored else -1.0, 1.0]) @ turned
    place = np.array(wcs.wcs_world2pix(*LENS, 1))
    wcs.wcs.crpix = 0.5 * (SIDE + 1) - place + [shift, 0.0]
    pixels = np.zeros((SIDE, SIDE))
    return replace(observation_of(pixels, pixels + 1, said or scale, name="a.fits"), wcs=wcs)


def test_offsets_are_those_of_the_centres() -> None:
    offsets = band_offsets([cutout(), cutout(shift=3.0), cutout(scale=0.12, shift=-2.0)])
    assert offsets[0] == (0.0, 0.0)
    assert offsets[1] == pytest.approx((-3 * SCALE, 0.0), abs=1e-6)
    assert offsets[2] == pytest.approx((2 * 0.12, 0.0), abs=1e-6)


def test_a_small_turn_is_none() -> None:
    band_offsets([cutout(), cutout(turn=0.3), cutout(turn=-0.3)])
    band_offsets([cutout(mirrored=True), cutout(mirrored=True)])


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"turn": 0.7}, "are turned by 0.7 degrees against each other"),
        ({"turn": 90.0}, "are turned by 90.0 degrees"),
        ({"turn": -180.0}, "are turned by 180.0 degrees"),
        ({"mirrored": True}, "are mirrored against each other"),
        ({"mirrored": True, "turn": 40.0}, "are mirrored against each other"),
        ({"said": 0.1}, "pixel scales of a.fits and a.fits do not agree"),
        ({"shift": 60.0}, "are not of one lens"),
    ],
)
def test_what_does_not_lie_alike_is_refused(other: dict[str, float], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        band_offsets([cutout(), cutout(**other)])


def test_the_turn_is_that_at_the_lens() -> None:
    """The matrices of two mosaics are the same, but North is not, away from their middles."""
    first, other = cutout(), cutout(tangent=(LENS[0] + 2.0, LENS[1]))
    assert first.orientation == other.orientation
    with pytest.raises(BadInput, match=r"are turned by 1\.7 degrees"):
        band_offsets([first, other])
    near = cutout(tangent=(LENS[0] + 0.2, LENS[1]))
    assert band_offsets([first, near])[1] == pytest.approx((0.0, 0.0), abs=1e-6)


def test_without_world_coordinates_centres_coincide() -> None:
    bare = replace(cutout(), wcs=None)
    assert band_offsets([bare, cutout(shift=3.0), bare]) == ((0.0, 0.0),) * 3
