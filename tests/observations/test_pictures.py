"""The plane of a colour picture, and that the choice is said."""

from pathlib import Path

import numpy as np
import pytest

from darklens.errors import BadInput
from darklens.observations.pictures import picture_plane

COLOUR = np.stack([np.full((4, 4), value, dtype=np.uint8) for value in (10, 20, 30)])
PATH = Path("lens.jpg")


def test_luminance_unless_a_channel_is_chosen() -> None:
    plane, note = picture_plane(PATH, COLOUR, None)
    assert plane[0, 0] == pytest.approx(0.2126 * 10 + 0.7152 * 20 + 0.0722 * 30)
    assert note.startswith("the luminance of a colour picture (--band red, green or blue")
    assert note.endswith("it is no flux")


@pytest.mark.parametrize("band", ["green", "Green", "2", 2])
def test_a_channel(band: str | int) -> None:
    plane, note = picture_plane(PATH, COLOUR, band)
    assert (plane == 20).all()
    assert note.startswith("the green channel of a picture")


def test_grey_pictures_are_said_to_be_no_flux() -> None:
    assert picture_plane(PATH, COLOUR[:1], None)[1].startswith("a grey picture; brightness")
    assert picture_plane(Path("lens.npy"), COLOUR[:1], None)[1] == ""


def test_channels_of_an_array_are_chosen_by_number() -> None:
    with pytest.raises(BadInput, match=r"3 channels: .* --band 1 to 3$"):
        picture_plane(Path("lens.npy"), COLOUR, None)
    plane, note = picture_plane(Path("lens.npy"), COLOUR, 3)
    assert (plane == 30).all()
    assert note == "channel 3 of 3"
    with pytest.raises(BadInput, match="red, green, blue or luminance"):
        picture_plane(PATH, COLOUR, "F814W")
