"""Known lenses: in a small catalogue of the same form, and in that of lenscat where installed."""

from pathlib import Path

import pytest

from darklens.observations.known_lenses import catalogue_file, known_lens

ROWS = """name,RA [deg],DEC [deg],zlens,type,grading,ref
- | Einstein | other name,150.1,2.2,0.45,galaxy,confident,x
Far,150.2,2.2,-,cluster,probable,x
Broken,nowhere,2.2,-,galaxy,confident,x
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.csv"
    path.write_text(ROWS)
    return path


def test_the_nearest_lens_within_the_radius(catalogue: Path) -> None:
    found = known_lens(150.1, 2.2 + 1.5 / 3600, catalogue=catalogue)
    assert found is not None
    assert found.separation == pytest.approx(1.5, abs=1e-6)
    assert (found.name, found.redshift) == ("Einstein", "0.45")
    assert str(found) == "Einstein (confident galaxy lens, 1.5 arcsec off)"
    assert known_lens(150.1, 2.2 + 6 / 3600, catalogue=catalogue) is None
    assert known_lens(150.1, 2.2 + 6 / 3600, radius=7, catalogue=catalogue) is not None


def test_right_ascension_counts_less_near_the_pole(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    path.write_text(ROWS.replace("150.1,2.2", "0.001,89"))
    found = known_lens(359.999, 89.0, catalogue=path)
    assert found is not None
    assert found.separation == pytest.approx(7.2 * 0.0174524, abs=1e-3)


@pytest.mark.skipif(catalogue_file() is None, reason="lenscat is not installed")
def test_a_famous_lens_in_lenscat() -> None:
    found = known_lens(146.7363, 10.1147)
    assert found is not None
    assert found.name == "SDSSJ0946+1006"
    assert found.separation < 3
    assert known_lens(0.0, -89.0) is None
