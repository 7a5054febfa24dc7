"""What names of files and extensions say."""

import pytest

from darklens.observations.roles import read_name


@pytest.mark.parametrize(
    ("name", "role", "rest"),
    [
        ("SCI", "image", ()),
        ("PRIMARY", "image", ()),
        ("VIS_FLUX", "image", ("vis",)),
        ("NIR_Y_PSF", "psf", ("nir", "y")),
        ("ERR", "rms", ()),
        ("noise_map", "rms", ()),
        ("noiseMap", "rms", ()),
        ("J0946_F814W_drz_wht", "weight", ("j0946", "f814w")),
        ("inv_var", "weight", ()),
        ("VAR_POISSON", "variance", ("poisson",)),
        ("DQ", "flags", ()),
        ("lens-mask", "mask", ("lens",)),
        ("exp1_sci", "image", ("exp1",)),
        ("CON", "other", ()),
        ("J0946+1006", "image", ("j0946", "1006")),
        ("", "image", ()),
    ],
)
def test_role_and_the_other_words(name: str, role: str, rest: tuple[str, ...]) -> None:
    said = read_name(name)
    assert (said.role, said.rest) == (role, rest)


def test_a_name_without_any_word_is_an_image_but_not_explicitly() -> None:
    assert not read_name("J0946").explicit
    assert read_name("data").explicit
