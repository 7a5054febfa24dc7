"""Damaged files of every kind are read or refused in one clear line, within limits.

A short run by default; `pytest -m slow tests/fuzz` damages 10,000 files. `driver.py` beside this
file takes a number, a seed and a target, and shows how to read one file again.
"""

import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("driver.py")


def drive(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(DRIVER), *words], capture_output=True, text=True)


def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    done = drive("--files", "420", "--seed", "1", "--keep", str(tmp_path / "failed"))
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


@pytest.mark.slow
def test_a_long_run_finds_nothing(tmp_path: Path) -> None:
    done = drive("--files", "10000", "--seed", "2", "--keep", str(tmp_path / "failed"))
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def test_the_driver_notices_executed_code_deaths_and_tracebacks(tmp_path: Path) -> None:
    """The driver is worth something only if each kind of failure reaches its report."""
    program = f"""
import os, sys
sys.path.insert(0, {str(DRIVER.parent)!r})
import targets, worker
def read(path):
    data = path.read_bytes()
    kind = data[0] % 4
    if kind == 0:
        os._exit(3)
    if kind == 1:
        raise ZeroDivisionError("a traceback")
    if kind == 2:
        os.system("true")
def seeds(folder):
    (folder / "a").write_bytes(b"?")
    (folder / "a").chmod(0o600)
    return [folder / "a"]
def damage(data, random):
    return bytes([random.randrange(4)])
targets.TARGETS["npy"] = targets.Target(seeds, damage, read)
worker.TARGETS = targets.TARGETS
"""
    run = tmp_path / "broken_worker.py"
    run.write_text(program + "worker.main()\n")
    driver = (
        f"import sys; sys.path.insert(0, {str(DRIVER.parent)!r}); import driver; from pathlib "
        f"import Path; driver._WORKER = Path({str(run)!r}); "
        "sys.exit(driver.main(['--target', 'npy', '--files', '6']))"
    )
    done = subprocess.run([sys.executable, "-c", driver], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr[-2000:]
    for word in ("died or hung", "ZeroDivisionError", "code was executed"):
        assert word in done.stdout, done.stdout + done.stderr[-2000:]
