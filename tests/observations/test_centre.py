"""Where a lens is said to be, and the pixel that this is."""

import pytest
from astropy.wcs import WCS

from darklens.errors import BadInput
from darklens.observations.centre import Centre, locate, parse_centre

from .conftest import LENS, PLACE, SIDE, sky_header

SHAPE = (SIDE, SIDE)


@pytest.mark.parametrize(
    "text",
    [
        "150.1,2.2",
        "150.1d,2.2d",
        "150.1deg 2.2deg",
        "10h00m24s,+2d12m00s",
        "10:00:24 +02:12:00",
        (150.1, 2.2),
    ],
)
def test_the_sky_in_any_spelling(text: str | tuple[float, float]) -> None:
    x, y, words = locate(parse_centre(text), SHAPE, WCS(sky_header()))
    assert (x, y) == pytest.approx(LENS, abs=1e-4)
    assert words.startswith("RA 150.1, Dec 2.2")


def test_pixels_are_counted_from_zero() -> None:
    assert locate(parse_centre("40,51.5"), SHAPE, WCS(sky_header()))[:2] == (40.0, 51.5)
    assert locate(parse_centre("40,51.5"), SHAPE, None) == (40.0, 51.5, "pixel 40, 51.5")
    assert locate(parse_centre(None), (40, 61), None)[:2] == (30.0, 19.5)


def test_a_southern_place_is_south() -> None:
    assert parse_centre("03:55:08.5,-48:52:12").second == pytest.approx(-48.87)
    found = parse_centre("3h55m08.5s,-0d30m00s")
    assert found.first == pytest.approx(58.7854167)
    assert found == Centre("sky", found.first, -0.5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12", "must be x,y"),
        ("1,2,3", "must be x,y"),
        ("here,there", "must be x,y"),
        ("10:61:00,2:00:00", "must be x,y"),
        ("400d,2d", "not on the sky"),
        ("150.1d,95d", "not on the sky"),
    ],
)
def test_what_is_no_place_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        parse_centre(text)


def test_a_place_outside_says_where_it_would_be() -> None:
    with pytest.raises(BadInput, match=r"outside of the image of 101 x 101 pixels; as RA, Dec"):
        locate(parse_centre("150.2d,2.2d"), SHAPE, WCS(sky_header()))
    with pytest.raises(BadInput, match="outside"):
        locate(parse_centre("150.2,-3"), SHAPE, None)
    with pytest.raises(BadInput, match="no coordinates of the sky"):
        locate(parse_centre(f"{PLACE[0]}d,{PLACE[1]}d"), SHAPE, None)
