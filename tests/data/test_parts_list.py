"""The images that a run held out are found again, and one that has changed is noticed."""

from pathlib import Path

import numpy as np
import pytest

from darklens.data import divide
from darklens.data.parts_list import PARTS_FILE, open_listed, parts_rows, read_parts, write_parts
from darklens.data.survey import survey_images
from darklens.errors import BadData

NAMES = ("=1+1", "no, or none", "vort")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of images of three classes with odd names."""
    generator = np.random.default_rng(0)
    for name in NAMES:
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(10):
            np.save(tmp_path / "data" / name / f"{i}.npy", generator.random((3, 4)))
    return tmp_path / "data"


@pytest.fixture
def listed(root: Path) -> Path:
    parts = divide(root, folds=5, fold=2).parts
    survey = survey_images(parts)
    path = root.parent / PARTS_FILE
    write_parts(path, parts_rows(parts, survey.digests))
    return path


def test_the_held_out_images_are_found_again(root: Path, listed: Path) -> None:
    parts = divide(root, folds=5, fold=2).parts
    assert len(read_parts(listed)) == 30
    for name, part in parts.items():
        found = open_listed(listed, name, root)
        assert found.ids == part.ids
        np.testing.assert_array_equal(found.labels, part.labels)
    moved = root.rename(root.with_name("elsewhere"))
    assert open_listed(listed, "test", moved).ids == parts["test"].ids


def test_no_cell_is_a_formula(listed: Path) -> None:
    cells = [cell for line in listed.read_text().splitlines() for cell in line.split(",")]
    assert not any(cell.startswith("=") for cell in cells)
    assert any(row.name.startswith("=1+1/") for row in read_parts(listed))


def test_changed_and_missing_images_are_noticed(root: Path, listed: Path) -> None:
    tested = open_listed(listed, "test", root).ids[0]
    image = np.load(root / tested)
    np.save(root / tested, image[::-1])
    with pytest.raises(BadData, match="has changed since the run started"):
        open_listed(listed, "test", root)
    (root / tested).unlink()
    with pytest.raises(BadData, match=r"lacks vort/.*\(1 missing\)"):
        open_listed(listed, "test", root)
    with pytest.raises(BadData, match="no part 'dev'; its parts are train, val, test"):
        open_listed(listed, "dev", root)
    with pytest.raises(BadData, match="with --data"):
        open_listed(listed, "test", root / "absent")


def test_other_files_are_no_lists(tmp_path: Path) -> None:
    path = tmp_path / PARTS_FILE
    with pytest.raises(BadData, match="cannot read"):
        read_parts(path)
    for text in ("", "part,class\ntrain,no\n", "part,class,path,digest\ntrain\n"):
        path.write_text(text)
        with pytest.raises(BadData, match="list of a run's images"):
            read_parts(path)
