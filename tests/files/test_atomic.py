"""Nothing half-written ever has its final name, and nothing that is not ours is ever removed."""

import errno
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from darklens.errors import BadInput
from darklens.files.atomic import atomic_file, atomic_folder
from darklens.files.places import OwnFolder

REPORT = OwnFolder("card.yaml", "name: ", frozenset({"card.yaml", "new", "below/part"}))


def report(folder: Path, *more: str) -> Path:
    """A folder of the kind `REPORT` with further files in it."""
    for name in ("card.yaml", *more):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("name: x\n")
    return folder


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    with atomic_file(path) as temporary:
        temporary.write_text("a")
        assert temporary.suffix == ".csv"
        assert not path.exists()
    assert [item.name for item in path.parent.iterdir()] == ["table.csv"]
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


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


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_of_our_own_files_is_replaced(
    exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:  # as on a system that cannot do it in one step
        monkeypatch.setattr(sys, "platform", "other")
    folder = report(tmp_path / "out", "below/part")
    with pytest.raises(BadInput, match="exists already"), atomic_folder(folder):
        pass
    with atomic_folder(folder, replaces=REPORT) as temporary:
        (temporary / "new").touch()
        assert (folder / "card.yaml").is_file(), "the old one is whole until the new one is"
    assert [item.name for item in folder.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("foreign", ["thesis.txt", "below/thesis.txt", "deep/er/thesis.txt", "new"])
def test_a_folder_with_anything_else_in_it_is_not_replaced(foreign: str, tmp_path: Path) -> None:
    folder = report(tmp_path / "out")
    if foreign == "new":
        (folder / foreign).symlink_to(tmp_path)  # our name, but not our file
    else:
        report(folder, foreign)
    with (
        pytest.raises(BadInput, match=rf"holds {foreign.split('/')[0]}.*did not write"),
        atomic_folder(folder, replaces=REPORT),
    ):
        pass
    assert os.path.lexists(folder / foreign)


def test_a_folder_without_our_marker_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "card.yaml").write_text("a card of another program")
    with pytest.raises(BadInput, match="was not written"):
        atomic_folder(tmp_path / "out", replaces=REPORT).__enter__()


def work_while_a_thesis_comes(folder: Path) -> None:
    with atomic_folder(folder, replaces=REPORT) as temporary:
        (temporary / "new").write_text("hours of work")
        report(folder, "thesis.txt")


def test_what_comes_into_the_place_meanwhile_is_kept_and_so_is_the_work(tmp_path: Path) -> None:
    for name in ("fresh", "old"):
        folder = tmp_path / name
        if name == "old":
            report(folder)
        with pytest.raises(BadInput, match="the new output is kept in") as caught:
            work_while_a_thesis_comes(folder)
        kept = Path(str(caught.value).rpartition(" in ")[2])
        assert (kept / "new").read_text() == "hours of work"
        assert (folder / "thesis.txt").is_file()


KILLED = """
import sys, time
from pathlib import Path
from darklens.files.atomic import atomic_file, atomic_folder
path = Path(sys.argv[1])
with atomic_folder(path / "out") as one, atomic_file(path / "t.csv") as other:
    (one / "half").touch()
    print("ready", flush=True)
    time.sleep(600)
"""


def test_what_a_killed_process_leaves_is_removed_and_what_a_living_one_has_is_not(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    killed, alive = (subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2))
    for process in (killed, alive):
        assert process.stdout is not None
        process.stdout.readline()
    left = set(tmp_path.iterdir())
    assert len(left) == 4
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    for item in left:
        os.utime(item, (0, 0))
    with atomic_file(tmp_path / "table.csv"):
        pass
    remaining = set(tmp_path.iterdir()) & left
    assert len(remaining) == 2
    alive.kill()
    alive.communicate()
    assert all(item.exists() for item in remaining)


def test_impossible_places_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "table.csv"
    for refused in (atomic_file(below), atomic_folder(tmp_path / "file" / "out")):
        with pytest.raises(BadInput, match=r"cannot create .*file is a file"):
            refused.__enter__()
    with pytest.raises(BadInput, match="is a folder"):
        atomic_file(tmp_path).__enter__()


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(BadInput, match=r"cannot write .*table\.csv: No space left on device"),
        atomic_file(tmp_path / "table.csv"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []
