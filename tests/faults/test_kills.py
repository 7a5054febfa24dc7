"""Verbs killed at random points lose nothing, write nothing twice, and leave nothing half.

A few stops by default; `pytest -m slow tests/faults` stops each verb 50 times. `driver.py` beside
this file takes a number, a seed and a verb.
"""

import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("driver.py")


def drive(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(DRIVER), *words], capture_output=True, text=True)


@pytest.mark.parametrize("verb", ["simulate", "simulate-files"])
def test_a_short_run_finds_nothing(verb: str) -> None:
    done = drive("--kills", "2", "--verb", verb)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


@pytest.mark.slow
def test_a_long_run_finds_nothing() -> None:
    done = drive("--kills", "50", "--seed", "2")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def test_the_driver_notices_a_loss_a_half_and_a_traceback(tmp_path: Path) -> None:
    """The driver is worth something only if each kind of fault reaches its report."""
    program = f"""
import sys
sys.path.insert(0, {str(DRIVER.parent)!r})
import signal
from pathlib import Path
import driver
record = driver.Record()
driver._judge(1, signal.SIGTERM, "Traceback", "here", record)
driver._judge(130, signal.SIGINT, "darklens: stopped\\nTraceback", "there", record)
driver._judge(130, signal.SIGINT, "darklens: stopped\\n", "nowhere", record)
folder = Path({str(tmp_path)!r})
(folder / "a.csv").write_text("half")
(folder / ".a.partial.csv").write_text("left")
driver._check_end(folder / "a.csv", {{"a.csv": b"whole"}}, "end", record)
print(*record.faults, sep="\\n")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    shown = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in shown] == ["here", "there", "end", "end"], done
    assert "is not the truth" in shown[2]
    assert "left behind ['.a.partial.csv']" in shown[3]
