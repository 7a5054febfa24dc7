"""Pictures of lenses: size, orientation, bytes."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from darklens.display import (
    lens_picture,
    picture_uri,
    signed_picture,
    thumbnail_uri,
    write_picture,
)


def test_small_images_are_enlarged_and_row_0_is_at_the_bottom() -> None:
    image = np.zeros((1, 50, 50))
    image[0, 0, :] = 1.0
    picture = lens_picture(image, size=150)
    assert picture.shape == (150, 150, 3)
    assert picture[-1].mean() > picture[0].mean()


def test_constant_images_and_those_with_nan_have_a_picture() -> None:
    assert lens_picture(np.ones((1, 20, 20), dtype=np.uint16)).shape == (160, 160, 3)
    assert np.isfinite(lens_picture(np.full((2, 20, 20), np.nan))).all()


def test_a_picture_survives_as_file_and_as_address(tmp_path: Path) -> None:
    picture = lens_picture(np.random.default_rng(0).random((1, 150, 150)))
    write_picture(tmp_path / "lens.png", picture)
    data = base64.b64decode(picture_uri(picture).removeprefix("data:image/png;base64,"))
    for source in (tmp_path / "lens.png", io.BytesIO(data)):
        with Image.open(source) as image:
            np.testing.assert_array_equal(np.asarray(image), picture)


def test_a_signed_picture_has_its_sign_in_the_colour_and_nan_in_the_middle() -> None:
    plane = np.zeros((150, 150))
    plane[0, 0], plane[0, 1], plane[0, 2] = 9.0, -9.0, np.nan
    red, blue, none = signed_picture(plane, 5.0)[-1, :3].astype(int)
    assert red[0] > 90 > red[2]
    assert blue[2] > 90 > blue[0]
    np.testing.assert_array_equal(none, signed_picture(plane, 5.0)[0, 0])


def test_a_thumbnail_is_small_and_keeps_its_shape() -> None:
    picture = lens_picture(np.random.default_rng(0).random((1, 150, 400)))
    kind, data = thumbnail_uri(picture).split(";base64,")
    assert kind == "data:image/webp"
    assert len(data) < 12_000
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (150, 56)
