"""Manifests in CSV and YAML."""

from pathlib import Path

import pytest

from darklens.errors import BadInput
from darklens.observations.manifest import ManifestRow, read_manifest


def rows(tmp_path: Path, text: str, name: str = "table.csv") -> list[ManifestRow]:
    path = tmp_path / name
    path.write_text(text)
    return read_manifest(path)[0]


def test_columns_in_any_case_with_the_names_people_use(tmp_path: Path) -> None:
    text = 'Image,Noise,PSF,Scale,Mask,Centre\na.fits,a_rms.fits,0.16,0.05,,"40,51.5"\n'
    (row,) = rows(tmp_path, text)
    assert row.error == ""
    assert row.image == tmp_path / "a.fits"
    assert row.options.noise_map == str(tmp_path / "a_rms.fits")
    assert (row.options.pixel_scale, row.options.mask) == (0.05, None)
    assert float(row.options.psf or 0) == 0.16
    assert row.options.centre == "40,51.5"


def test_a_centre_without_quotes_at_the_end_of_the_line(tmp_path: Path) -> None:
    first, second = rows(tmp_path, "image,size,centre\na.fits,61,40,51.5\nb.fits,61,brightest\n")
    assert (first.options.size, first.options.centre) == (61, "40,51.5")
    assert second.options.centre == "brightest"


def test_columns_of_coordinates_are_a_centre(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, "image,ra,dec\na.fits,150.1,2.2\n")
    assert row.options.centre == "150.1d,2.2d"
    (row,) = rows(tmp_path, "image,RA,Dec\na.fits,10:00:24,+02:12:00\n")
    assert row.options.centre == "10:00:24,+02:12:00"
    (row,) = rows(tmp_path, "image,x,y\na.fits,40,51\n")
    assert row.options.centre == "40,51"
    (row,) = rows(tmp_path, "image,ra,dec\na.fits,150.1,\n")
    assert "ra and dec must be given together" in row.error


def test_yaml_rows_are_the_same(tmp_path: Path) -> None:
    text = "- {image: a.fits, noise: a_rms.fits, centre: [40, 51.5]}\n- {image: b.fits, psf: 0.2}\n"
    first, second = rows(tmp_path, text, "table.yaml")
    assert first.options.centre == (40.0, 51.5)
    assert first.options.noise_map == str(tmp_path / "a_rms.fits")
    assert second.options.psf == 0.2


def test_a_wrong_row_stops_no_other(tmp_path: Path) -> None:
    text = (
        "image,scale,neighbours,mask_keeps\na.fits,0.05,mask,yes\nb.fits,small,,\n"
        ",0.05,,\nc.fits,0.05,hide,\n"
    )
    found = rows(tmp_path, text)
    assert [bool(row.error) for row in found] == [False, True, True, True]
    assert found[0].options.mask_keeps is True
    assert found[1].error == "table.csv, line 3: pixel_scale must be a number, not 'small'"
    assert found[2].image == Path("table.csv, line 4")
    assert found[2].error == "no image is named"
    assert "'keep' or 'mask'" in found[3].error


def test_columns_that_mean_nothing_are_told_and_misspelt_ones_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("image,z_lens,survey\na.fits,0.4,SLACS\n")
    assert read_manifest(path)[1] == ("z_lens", "survey")
    path.write_text("image,noise_mp\na.fits,b.fits\n")
    with pytest.raises(BadInput, match="unknown column 'noise_mp'; did you mean noise_map"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        ("", "a.csv", "no rows"),
        ("image\n", "a.csv", "no rows"),
        ("file name,scale\na,1\n", "a.csv", "needs a column image"),
        ("pixel_scale: 0.1\n", "a.yaml", "--survey"),
        ("[1, 2]\n", "a.yaml", "one mapping an image"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str, name: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        rows(tmp_path, text, name)
