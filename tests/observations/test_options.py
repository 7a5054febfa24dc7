"""What is said about images: which of several sources counts, and what is refused."""

from pathlib import Path

import pytest

from darklens.errors import BadConfig, BadInput
from darklens.observations import ImageOptions
from darklens.observations.options import read_survey


def survey(tmp_path: Path, text: str) -> ImageOptions:
    path = tmp_path / "survey.yaml"
    path.write_text(text)
    return read_survey(path)


def test_what_is_said_nearer_to_the_image_counts() -> None:
    row = ImageOptions(size=101, neighbours="keep")
    line = ImageOptions(size=81, pixel_scale=0.05)
    told = ImageOptions(size=61, pixel_scale=0.1, psf=0.2, neighbours="mask")
    merged = row.over(line).over(told)
    assert merged == ImageOptions(size=101, pixel_scale=0.05, psf=0.2, neighbours="keep")


def test_files_of_a_survey_are_relative_to_it(tmp_path: Path) -> None:
    text = "noise_map: '*_rms.fits'\npsf: psfs/a.fits\nmask: '[DQ]'\ncentre: [40, 51.5]\n"
    found = survey(tmp_path, text)
    assert found.noise_map == "*_rms.fits"
    assert found.psf == str(tmp_path / "psfs" / "a.fits")
    assert found.mask == "[DQ]"
    assert found.centre == (40.0, 51.5)
    assert survey(tmp_path, "psf: 0.16").psf == 0.16
    assert survey(tmp_path, "psf: '0.16'").psf == "0.16"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("noise_mp: a.fits", "unknown key 'noise_mp'; did you mean 'noise_map'"),
        ("pixel_scale: small", "pixel_scale must be a number, not 'small'"),
        ("noise_kind: sigma", "noise_kind must be 'rms', 'variance' or 'weight'"),
        ("pixel_scale: -1", "pixel-scale must be positive"),
        ("gain: 0", "gain must be positive"),
        ("images: sci.fits", "must be a pattern with one"),
        ("- image: a.fits", "a survey file maps names"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(BadConfig, match=reason) as caught:
        survey(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "survey.yaml"))
    assert "\n" not in str(caught.value)


def test_python_users_hear_the_same() -> None:
    with pytest.raises(BadInput, match="--size must be positive"):
        ImageOptions(size=0)
