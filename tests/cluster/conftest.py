"""A Dask scheduler with two workers, in processes of their own, as on a cluster."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

SCHEDULER = """
import os
import sys

from distributed import Client, LocalCluster

if __name__ == "__main__":
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1",
        ) as cluster,
        Client(cluster) as client,
    ):
        print(cluster.scheduler_address, *client.run(os.getpid).values(), flush=True)
        sys.stdin.read()
"""

SMALL = """
name: small
grid: {shape: [32, 32], pixel_scale: 0.2}
lens: {redshift: 0.5, einstein_radius: {uniform: [1.0, 1.4]}}
source: {redshift: 1.0, radius: 0.25, sersic_index: 1, amplitude: 20000}
classes: {"no": [], "vort": [line: {mass: 3.0e+10, half_length: 0.5}]}
instrument: {psf: {pixels: psf.npy}}
noise: {photon: {background: 10}}
"""


@dataclass(frozen=True)
class Scheduler:
    """A running scheduler.

    Attributes:
        address: Its address.
        workers: Process numbers of its first workers; others follow when they are killed.
        process: The scheduler.
    """

    address: str
    workers: tuple[int, ...]
    process: "subprocess.Popen[str]"


@contextmanager
def running_scheduler(folder: Path) -> Iterator[Scheduler]:
    """A scheduler with two workers, which ends with the block."""
    script = folder / "scheduler.py"
    script.write_text(SCHEDULER)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    address, *workers = process.stdout.readline().split()
    try:
        yield Scheduler(address, tuple(map(int, workers)), process)
    finally:
        process.communicate()


@pytest.fixture(scope="session")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    """A scheduler that no test stops or robs of its workers."""
    with running_scheduler(tmp_path_factory.mktemp("scheduler")) as running:
        yield running


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    """A preset of small images, simulated quickly."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    np.save(tmp_path / "psf.npy", np.full((3, 3), 1 / 9))
    return path


@pytest.fixture
def own_scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    """A scheduler that the test may stop, or rob of its workers."""
    with running_scheduler(tmp_path_factory.mktemp("scheduler")) as running:
        yield running
