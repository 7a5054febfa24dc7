"""What a lost worker or scheduler, Ctrl-C and a wrong address do to a run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import uniform
from threading import Event, Thread
from typing import Any

import pytest

from darklens.cli.main import main


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder, by their names in it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def simulate(output: Path, preset: Path, *more: str) -> list[str]:
    count = ["--count", "4000", "--seed", "3", "--quiet"]
    return ["simulate", str(output), "--preset", str(preset), *count, *more]


def group_runs(number: int) -> bool:
    """Whether a process of this group is left."""
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


def kill_workers(address: str, stop: Event, killed: list[int]) -> None:
    """Kill a worker of a scheduler at random, until told to stop.

    At most three, as the scheduler gives up a call that has lost more.
    """
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        while not stop.is_set() and len(killed) < 3:
            found = list(client.run(os.getpid, on_error="ignore").values())
            for process in found[:1]:
                os.kill(process, signal.SIGKILL)
                killed.append(process)
            stop.wait(uniform(0.1, 1.0))


@pytest.mark.slow
def test_killed_workers_change_nothing(own_scheduler: Any, preset: Path, tmp_path: Path) -> None:
    here, there = tmp_path / "here.zarr", tmp_path / "there.zarr"
    assert main(simulate(here, preset, "--workers", "1")) == 0
    stop, killed = Event(), list[int]()
    killer = Thread(target=kill_workers, args=(own_scheduler.address, stop, killed))
    killer.start()
    try:
        assert main(simulate(there, preset, "--cluster", own_scheduler.address)) == 0
    finally:
        stop.set()
        killer.join()
    assert killed, "no worker was killed"
    assert contents(here) == contents(there)


@pytest.mark.slow  # the connection is tried again for some time
def test_a_lost_scheduler_is_one_line_and_the_run_continues(
    own_scheduler: Any, preset: Path, tmp_path: Path
) -> None:
    here, there = tmp_path / "here.zarr", tmp_path / "there.zarr"
    words = simulate(there, preset, "--cluster", own_scheduler.address)
    run = subprocess.Popen(
        [sys.executable, "-m", "darklens", *words], stderr=subprocess.PIPE, text=True
    )
    parts = tmp_path / "there.zarr.partial" / "parts"
    while run.poll() is None and not list(parts.glob("*.parquet")):
        time.sleep(0.02)
    own_scheduler.process.kill()
    _, shown = run.communicate(timeout=60)
    assert run.returncode == 2, shown
    assert shown.startswith("darklens: error: the connection to the Dask scheduler is lost; what")
    assert shown.count("\n") == 1
    assert not there.exists()
    kept = len(list(parts.glob("*.parquet")))
    assert kept
    assert main(simulate(there, preset, "--workers", "1")) == 0
    assert main(simulate(here, preset, "--workers", "1")) == 0
    assert contents(here) == contents(there)


@pytest.mark.slow
def test_ctrl_c_ends_a_local_cluster_in_one_line(preset: Path, tmp_path: Path) -> None:
    words = simulate(tmp_path / "lenses.zarr", preset, "--cluster", "local", "--workers", "1")
    words[words.index("4000")] = "1000000"
    run = subprocess.Popen(
        [sys.executable, "-m", "darklens", *words],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    parts = tmp_path / "lenses.zarr.partial" / "parts"
    while run.poll() is None and not list(parts.glob("*.parquet")):
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    _, shown = run.communicate(timeout=60)
    assert (run.returncode, shown) == (130, "darklens: stopped\n")
    deadline = time.monotonic() + 30
    while group_runs(run.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not group_runs(run.pid), "a worker is left"


@pytest.mark.parametrize(
    ("cluster", "line"),
    [
        ("tcp://127.0.0.1:1", "no Dask scheduler answers at tcp://127.0.0.1:1"),
        ("nowhere", "--cluster nowhere must be local, the address of a scheduler such as"),
        ("tcp://", "no Dask scheduler answers at tcp://"),
        ("missing.yaml", "missing.yaml"),
    ],
)
def test_a_wrong_cluster_is_one_line_and_nothing_is_written(
    cluster: str,
    line: str,
    preset: Path,
    tmp_path: Path,
    error_line: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("darklens.cluster.dask_workers._CONNECT", 0.5)
    before = sorted(tmp_path.rglob("*"))
    assert main(simulate(tmp_path / "lenses.zarr", preset, "--cluster", cluster)) == 2
    assert line in error_line()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_scheduler_without_workers_is_one_line(
    own_scheduler: Any,
    preset: Path,
    tmp_path: Path,
    error_line: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from distributed import Client

    monkeypatch.setattr("darklens.cluster.dask_workers._FIRST_WORKER", 0.5)
    with Client(own_scheduler.address, set_as_default=False) as client:
        client.retire_workers(list(client.nthreads()))
        assert main(simulate(tmp_path / "a", preset, "--cluster", own_scheduler.address)) == 2
    assert "has no worker: start some, such as dask worker" in error_line()


def test_without_dask_the_option_says_what_to_install(
    tmp_path: Path,
    preset: Path,
    error_line: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(simulate(tmp_path / "lenses.zarr", preset, "--cluster", "local")) == 2
    assert "--cluster needs Dask: pip install 'darklens[scale]'" in error_line()
