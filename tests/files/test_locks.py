"""Only one process at a time writes an output; killed ones are no obstacle."""

import errno
import fcntl
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from darklens.errors import BadInput
from darklens.files.locks import in_turn, only_writer

HOLDER = """
import sys, time
from pathlib import Path
from darklens.files.locks import only_writer
with only_writer(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(600)
"""


def test_a_second_writer_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.zarr"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    message = rf"out\.zarr is being written by process {process.pid} on {platform.node()}, since"
    with pytest.raises(BadInput, match=message), only_writer(path):
        pass
    with only_writer(tmp_path / "new" / "other.zarr"):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with only_writer(path):
        pass
    assert list(path.parent.iterdir()) == []


def test_the_same_output_under_another_name_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with (
        only_writer(tmp_path / "out"),
        pytest.raises(BadInput, match="is being written"),
        only_writer(tmp_path / "link" / "out"),
    ):
        pass


def test_file_systems_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    path = tmp_path / "out"
    held = tmp_path / ".out.lock.held"
    with (
        only_writer(path),
        pytest.raises(BadInput, match=rf"process {os.getpid()} .* or remove .*\.held if that"),
        only_writer(path),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], **RUN)
    held.write_text(f"process {gone.stdout.strip()} on {platform.node()}, since 2026")
    with only_writer(path):
        pass
    held.write_text("process 1 on another-machine, since 2026")
    with pytest.raises(BadInput, match="another-machine"), only_writer(path):
        pass


RUN: dict[str, Any] = {"check": True, "capture_output": True, "text": True}


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot write next to"), only_writer(tmp_path / "file/x"):
        pass


def test_the_same_work_is_done_in_turn(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path; from darklens.files.locks import in_turn\n"
    code += f"with in_turn(Path({str(tmp_path / 'a' / '.lock')!r})):\n"
    code += "    print('in', flush=True); sys.stdin.readline()"
    first = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None
    assert first.stdout.readline() == "in\n"
    second = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    time.sleep(0.5)
    assert second.poll() is None
    assert first.poll() is None
    first.communicate("\n")
    assert second.communicate("\n")[0] == "in\n"
    with in_turn(tmp_path / "a" / ".lock"):
        pass
