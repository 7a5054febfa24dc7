"""Full disks, read-only and vanished folders, two writers and a wrong clock."""

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from darklens.cli.main import main
from darklens.files.atomic import atomic_file

VERBS = {
    "simulate": (["simulate"], "lenses.zarr"),
    "fit": (["fit", "images", "--output"], "fits.csv"),
    "predict": (["predict", "images", "--model", "default-pixels", "--output"], "table.csv"),
}
"""Words before the output, and its name; the folder `images` is in the folder of the run."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images to fit."""
    folder = tmp_path_factory.mktemp("images") / "images"
    given = ["--count", "2", "--seed", "1", "--workers", "1", "--quiet"]
    assert main(["simulate", str(folder), *given]) == 0
    return folder


def words(verb: str, output: Path) -> list[str]:
    before, _ = VERBS[verb]
    more = ["--count", "64", "--workers", "1"] if verb == "simulate" else []
    return [*before, str(output), *more, "--quiet"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB that is nearly full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("needs the right to mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(ballast: Path) -> None:
    """Write a file until the disk is full."""
    file = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while True:
            os.write(file, bytes(1024))
    os.close(file)


def one_line(run: "subprocess.CompletedProcess[str]") -> str:
    """What a refused verb said: one line."""
    assert run.returncode == 2, run.stderr
    assert run.stderr.startswith("darklens: error: "), run.stderr
    assert run.stderr.count("\n") == 1, run.stderr
    return run.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_is_one_line_and_the_run_ends_when_there_is_room(
    verb: str,
    small_disk: Path,
    images: Path,
    tmp_path: Path,
    error_line: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(images.parent)
    ballast = small_disk / "ballast"
    fill(ballast)
    output = small_disk / VERBS[verb][1]
    assert main(words(verb, output)) == 2
    assert "No space left on device" in error_line()
    assert sorted(small_disk.iterdir()) == [ballast]
    ballast.unlink()
    if verb != "simulate":  # whose output is larger than the disk
        assert main(words(verb, output)) == 0
        assert output.stat().st_size > 100


def test_a_file_that_may_not_grow_is_one_line_and_the_run_continues(tmp_path: Path) -> None:
    output = tmp_path / "lenses.zarr"
    given = words("simulate", output)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    run = subprocess.run(
        [sys.executable, "-m", "darklens", *given],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        preexec_fn=limit,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
    )
    assert "File too large" in one_line(run)
    assert not output.exists()
    assert main(given) == 0
    whole = tmp_path / "whole.zarr"
    assert main(words("simulate", whole)) == 0
    shard = Path("images/c/0/0/0/0")
    assert (output / shard).read_bytes() == (whole / shard).read_bytes()


@pytest.mark.parametrize("verb", VERBS)
def test_a_read_only_folder_is_one_line(
    verb: str,
    small_disk: Path,
    images: Path,
    error_line: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(images.parent)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert main(words(verb, small_disk / VERBS[verb][1])) == 2
    assert "Read-only file system" in error_line()


def test_a_folder_that_vanishes_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    output = folder / "lenses.zarr"
    given = words("simulate", output)
    given[given.index("64")] = "100000"
    run = subprocess.Popen(
        [sys.executable, "-m", "darklens", *given], stderr=subprocess.PIPE, text=True
    )
    parts = folder / "lenses.zarr.partial" / "parts"
    while run.poll() is None and not list(parts.glob("*.parquet")):
        time.sleep(0.02)
    folder.rename(tmp_path / "elsewhere")
    _, said = run.communicate(timeout=120)
    assert run.returncode == 2
    assert said.startswith("darklens: error: ")
    assert said.count("\n") == 1
    assert "bug" not in said
    kept = tmp_path / "elsewhere" / "lenses.zarr.partial" / "parts"
    assert list(kept.glob("*.parquet")), "what was complete is still there"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("verb", ["fit", "predict"])
def test_two_writers_of_a_table_leave_a_whole_one(verb: str, images: Path, tmp_path: Path) -> None:
    output = tmp_path / VERBS[verb][1]
    command = [sys.executable, "-m", "darklens", *words(verb, output)]
    both = [subprocess.Popen(command, cwd=images.parent) for _ in range(2)]
    assert [run.wait() for run in both] == [0, 0]
    table = output.read_bytes()
    subprocess.run(command, cwd=images.parent, check=True)
    assert output.read_bytes() == table
    assert {path.name for path in tmp_path.iterdir()} == {
        output.name,
        f"{output.name}.config.yaml",
    }


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_wrong_clock_hides_no_unfinished_file(hours: int, tmp_path: Path) -> None:
    with atomic_file(tmp_path / "table.csv") as temporary:
        name = temporary.name
    left = (tmp_path / "table.csv").rename(tmp_path / name)  # as of a killed run
    written = time.time() + 3600 * hours  # by a machine whose clock was wrong
    os.utime(left, (written, written))
    code = "from pathlib import Path; from darklens.files.atomic import atomic_file\n"
    code += f"with atomic_file(Path({str(tmp_path / 'table.csv')!r})) as file: file.touch()"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_the_images_of_a_wrong_clock_are_the_same(tmp_path: Path) -> None:
    here, there = tmp_path / "here.zarr", tmp_path / "there.zarr"
    assert main(words("simulate", here)) == 0
    code = "import sys, time\ntime.time = lambda: 0.0\nfrom darklens.cli.main import main\n"
    code += f"sys.exit(main({words('simulate', there)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True)
    shard = Path("images/c/0/0/0/0")
    assert (here / shard).read_bytes() == (there / shard).read_bytes()
    assert np.array_equal((here / "labels/c/0").read_bytes(), (there / "labels/c/0").read_bytes())
