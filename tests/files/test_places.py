"""Outputs that cannot be written, or would take something away, are refused before the work."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from darklens.errors import BadInput
from darklens.files.places import check_added_folder, check_apart, check_file, check_folder

CHECKS = [check_file, check_folder, check_added_folder]


@pytest.fixture(params=CHECKS, ids=lambda check: check.__name__)
def check(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    return request.param


def test_new_names_are_fine_and_nothing_is_made(
    check: Callable[[Path], None], tmp_path: Path
) -> None:
    check(tmp_path / "new")
    check(tmp_path / "deep" / "er" / "run-0.5")
    check(tmp_path / ("x" * 255))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "a\0b"])
def test_what_is_no_name(check: Callable[[Path], None], name: str, tmp_path: Path) -> None:
    if check is check_added_folder and name != "a\0b":
        return  # the folder itself, to which files can be added
    with pytest.raises(BadInput, match="is not a valid name for a new"):
        check(Path(name))


def test_links_are_refused_and_links_above_are_fine(
    check: Callable[[Path], None], tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "good").symlink_to(tmp_path / "real")
    (tmp_path / "bad").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    check(tmp_path / "good" / "new")
    for name in ("bad", "loop"):
        with pytest.raises(BadInput, match="is a symbolic link; give its target instead"):
            check(tmp_path / name)
        with pytest.raises(BadInput, match="symbolic link"):
            check(tmp_path / name / "new")
    if check is not check_added_folder:
        with pytest.raises(BadInput, match="is a symbolic link"):
            check(tmp_path / "good")
    assert list((tmp_path / "real").iterdir()) == []


def test_files_are_in_the_way(check: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"cannot create .*file is a file"):
        check(tmp_path / "file" / "new")
    if check is not check_file:
        with pytest.raises(BadInput, match=r"exists already|is a file"):
            check(tmp_path / "file")


def test_names_that_are_too_long(check: Callable[[Path], None], tmp_path: Path) -> None:
    for path in (tmp_path / ("x" * 256), tmp_path / ("x" * 256) / "new", tmp_path / ("é" * 128)):
        with pytest.raises(BadInput, match="File name too long"):
            check(path)


def test_places_where_nothing_can_be_written(check: Callable[[Path], None]) -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("no folder that nobody can write to")
    with pytest.raises(BadInput, match=r"cannot write /proc/self/new: .*\(/proc/"):
        check(Path("/proc/self/new"))


def test_files_are_not_made_of_folders_or_devices(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder"):
        check_file(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="is not a regular file"):
        check_file(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["x.jpg", "x.NPZ", "lenses.fits", "model.safetensors", "x.tar.gz"])
def test_folders_are_not_named_like_files(name: str, tmp_path: Path) -> None:
    for refuses in (check_folder, check_added_folder):
        with pytest.raises(BadInput, match=r"should be a folder, but its name ends in \."):
            refuses(tmp_path / name)


def test_outputs_do_not_take_the_place_of_inputs(tmp_path: Path) -> None:
    (tmp_path / "data" / "no").mkdir(parents=True)
    image = tmp_path / "data" / "no" / "1.npy"
    check_apart(tmp_path / "out", [image])
    with pytest.raises(BadInput, match="is an input"):
        check_apart(tmp_path / "data" / ".." / "data" / "no" / "1.npy", [image])
    with pytest.raises(BadInput, match="contains the input"):
        check_apart(tmp_path / "data", [image])
