"""How verbs end: one line and an exit code, whatever goes wrong."""

import re
import signal
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

from darklens.cli import main as command
from darklens.cli.ending import Terminated, report, stopped_by_signals
from darklens.cli.main import main
from darklens.errors import BadData


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (BadData("no images in x"), 2, "no images in x"),
        (MemoryError("Unable to allocate 3.0 PiB"), 2, "not enough memory: Unable to allocate"),
        (MemoryError(), 2, "not enough memory"),
        (RecursionError("maximum recursion depth exceeded"), 2, "nested too deeply"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 2, "utf-8"),
        (ValueError("seed out of bounds"), 2, "seed out of bounds"),
        (ZeroDivisionError("division by zero"), 2, "this is a bug: .*DARKLENS_DEBUG=1"),
        (BrokenProcessPool("abruptly"), 2, "a worker process has died"),
        (OSError(28, "No space left on device", "x"), 2, "No space left on device"),
        (KeyboardInterrupt(), 130, "darklens: stopped"),
        (Terminated(), 143, "stopped by SIGTERM"),
    ],
)
def test_every_error_is_one_line(
    error: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def wrong(_: list[str]) -> int:
        raise error

    monkeypatch.setattr(command, "_dispatch", wrong)
    assert main(["demo"]) == code
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert re.search(message, shown.err)
    assert "Traceback" not in shown.err


def test_the_traceback_is_shown_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(_: list[str]) -> int:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(command, "_dispatch", wrong)
    monkeypatch.setenv("DARKLENS_DEBUG", "1")
    assert main(["demo"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(BadData("a\x1b[31m\x07b\n\u202ec\udcff")) == 2
    assert capsys.readouterr().err == "darklens: error: a\\x1b[31m\\x07b \\u202ec\\xff\n"


def test_sigterm_stops_the_block_and_is_handed_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), stopped_by_signals():
        signal.raise_signal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)
    with stopped_by_signals():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


_SLEEPER = """
import sys, time
from darklens.cli import main as command
def wait(words):
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("tidied", flush=True)
command._dispatch = wait
sys.argv = ["darklens", "demo"]
sys.exit(command.main())
"""


@pytest.mark.parametrize(
    ("number", "code", "line"),
    [
        (signal.SIGTERM, 143, "darklens: stopped by SIGTERM\n"),
        (signal.SIGINT, 130, "darklens: stopped\n"),
    ],
)
def test_signals_end_a_verb_with_their_code_and_one_line(
    number: signal.Signals, code: int, line: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _SLEEPER],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # also in the background
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        shown, errors = process.communicate(timeout=60)
    assert (process.returncode, errors, shown) == (code, line, "tidied\n")


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_exit_code(closed: str) -> None:
    run: Any = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m darklens no-such-verb {closed}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (2, "", "")


def test_a_full_disk_behind_stdout_is_one_line() -> None:
    run = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m darklens --help > /dev/full"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
    assert "No space left" in run.stderr
