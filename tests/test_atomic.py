"""Nothing half-written ever has its final name."""

from contextlib import suppress
from pathlib import Path

import pytest

from darklens.atomic import atomic_file, atomic_folder, check_file, check_folder
from darklens.errors import BadInput


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    with atomic_file(path) as temporary:
        temporary.write_text("a")
        assert temporary.suffix == ".csv"
        assert not path.exists()
    assert [item.name for item in path.parent.iterdir()] == ["table.csv"]


def test_a_failed_file_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with suppress(RuntimeError), atomic_file(path) as temporary:
        temporary.write_text("new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_folder_leaves_nothing(tmp_path: Path) -> None:
    with suppress(RuntimeError), atomic_folder(tmp_path / "out") as temporary:
        (temporary / "half").touch()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_only_if_it_is_of_its_kind(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "card.yaml").touch()
    with pytest.raises(BadInput, match="exists already"), atomic_folder(tmp_path / "out"):
        pass
    with atomic_folder(tmp_path / "out", replace_if_has="card.yaml") as temporary:
        (temporary / "new").touch()
    assert [item.name for item in (tmp_path / "out").iterdir()] == ["new"]


def test_impossible_places_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "table.csv"
    for refused in (
        lambda: atomic_file(below).__enter__(),
        lambda: atomic_folder(below).__enter__(),
        lambda: check_file(below),
        lambda: check_folder(below),
    ):
        with pytest.raises(BadInput, match=r"cannot make .*file is a file"):
            refused()
    for call in (lambda: atomic_file(tmp_path).__enter__(), lambda: check_file(tmp_path)):
        with pytest.raises(BadInput, match="is a folder"):
            call()
    for name in (".", "..", "/"):
        with pytest.raises(BadInput, match="is not the name of a new folder"):
            check_folder(Path(name))


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 240 + ".csv")  # the temporary name is too long for the file system
    problem = pytest.raises(BadInput, match=r"cannot write .*xxx\.csv: File name too long")
    with problem, atomic_file(path) as temporary:
        temporary.write_text("a")
    with problem, atomic_folder(path):
        pass
