"""Runs that are stopped, that lose a worker, or that meet another run, say so in one line."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import yaml

from darklens.cli.main import main
from darklens.simulation import load_preset
from darklens.simulation.digest import preset_digest

SMALL = """
name: small
grid: {shape: [32, 32], pixel_scale: 0.2}
lens: {redshift: 0.5, einstein_radius: {uniform: [1.0, 1.4]}}
source: {redshift: 1.0, radius: 0.25, sersic_index: 1, amplitude: 20000}
classes: {"no": [], "vort": [line: {mass: 3.0e+10, half_length: 0.5}]}
instrument: {psf: {pixels: psf.npy}}
noise: {photon: {background: 10}}
"""


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    np.save(tmp_path / "psf.npy", np.full((3, 3), 1 / 9))
    return path


def words(output: Path, preset: Path, *more: str) -> list[str]:
    return ["simulate", str(output), "--preset", str(preset), "--quiet", *more]


@contextmanager
def begun(output: Path, preset: Path) -> "Iterator[subprocess.Popen[str]]":
    """A run of two workers that has just written its first shard of very many."""
    given = words(output, preset, "--count", "1000000", "--workers", "2")
    process = subprocess.Popen(
        [sys.executable, "-m", "darklens", *given],
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # also in the background
        stderr=subprocess.PIPE,
        text=True,
    )
    parts = output.with_name(f"{output.name}.partial") / "parts"
    try:
        while process.poll() is None and not list(parts.glob("*.parquet")):
            time.sleep(0.02)
        yield process
    finally:  # it would go on for hours
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def to_all(number: signal.Signals) -> Callable[[int], None]:
    return lambda process: os.killpg(process, number)


def kill_a_worker(process: int) -> None:
    tasks = Path(f"/proc/{process}/task")
    children = {pid for task in tasks.iterdir() for pid in (task / "children").read_text().split()}
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in children}
    workers = [int(pid) for pid, command in commands.items() if "spawn_main" in command]
    os.kill(workers[0], signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds workers in /proc")
@pytest.mark.parametrize(
    ("stop", "code", "line"),
    [
        (to_all(signal.SIGINT), 130, "darklens: stopped"),
        pytest.param(
            to_all(signal.SIGTERM), 143, "darklens: stopped by SIGTERM", marks=pytest.mark.slow
        ),
        (kill_a_worker, 2, "darklens: error: a worker process was killed, perhaps for lack of"),
    ],
    ids=["interrupted", "terminated", "killed worker"],
)
def test_a_stopped_run_says_so_in_one_line(
    stop: Callable[[int], None],
    code: int,
    line: str,
    preset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "lenses.zarr"
    with begun(output, preset) as process:
        assert main(words(output, preset, "--count", "1000000")) == 2
        assert f"is being written by process {process.pid} on" in capsys.readouterr().err
        stop(process.pid)
        _, shown = process.communicate(timeout=60)
    assert process.returncode == code, shown
    assert shown.startswith(line)
    assert shown.count("\n") == 1
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        "lenses.zarr.partial",
        "psf.npy",
        "small.yaml",
    ]
    assert main(words(output, preset, "--count", "20")) == 2
    assert "started with other settings (--count was 1000000, not 20)" in capsys.readouterr().err


def test_a_swapped_psf_is_another_instrument(
    preset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "lenses.zarr"
    given = words(output, preset, "--count", "20", "--workers", "1")
    assert main(given) == 0
    assert main(given) == 0
    resolved = yaml.safe_load((output / "dataset.yaml").read_text())["attributes"]["resolved"]
    assert resolved == preset_digest(load_preset(preset))
    np.save(tmp_path / "psf.npy", np.eye(3) / 3)
    assert main(given) == 2
    assert "a file that the preset names (such as its PSF) has changed" in capsys.readouterr().err
    assert preset_digest(load_preset(preset)) != resolved


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.npz", "write a store"),
        ("out.NPY", "write a store"),
        ("out.fits", "write a store"),
        ("out.jpg", "a grid"),
        ("link", "is a symbolic link"),
        ("small.yaml/out", "is a file"),
        ("mine", "was not written by darklens; rename it"),
        ("other", "is not an unfinished output of darklens"),
    ],
)
def test_places_are_checked_before_the_work(
    name: str, message: str, preset: Path, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    (tmp_path / "mine.config.yaml").write_text("mine: true")
    (tmp_path / "other.partial").mkdir()
    (tmp_path / "other.partial" / "thesis.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    assert main(words(tmp_path / name, preset, "--count", "4")) == 2
    error = error_line()
    assert message in error
    assert sorted(tmp_path.rglob("*")) == before


def test_the_format_does_not_contradict_the_ending(
    preset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, kind in (("out.zarr", "npy"), ("out.png", "zarr")):
        assert main(words(tmp_path / name, preset, "--format", kind)) == 2
        assert "contradicts the ending" in capsys.readouterr().err
    assert main(words(tmp_path / "out.ZARR", preset, "--count", "2", "--workers", "1")) == 0
    assert (tmp_path / "out.ZARR" / "zarr.json").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line(
    preset: Path, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    output = tmp_path / "lenses"
    given = words(output, preset, "--count", "20", "--workers", "1")
    assert main(given) == 0
    partial = output.rename(tmp_path / "lenses.partial")
    (partial / "parts").mkdir()
    (partial / "parameters.parquet").unlink()
    shutil.copyfile(partial / "no" / "00000000.npy", tmp_path / "copy.npy")
    (partial / "no" / "00000000.npy").unlink()
    (partial / "no" / "00000000.npy").symlink_to("/dev/full")
    assert main(given) == 2
    error = error_line()
    assert "No space left on device" in error
    (partial / "no" / "00000000.npy").unlink()
    assert main(given) == 0, "it continues when there is room"
    assert (output / "no" / "00000000.npy").read_bytes() == (tmp_path / "copy.npy").read_bytes()
