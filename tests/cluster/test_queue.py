"""Profiles of batch queues: the scripts that would be submitted, and jobs that run."""

import os
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from darklens.cli.main import main
from darklens.cluster.dask_workers import quiet_dask
from darklens.cluster.queue import start_queue

PROFILE = """
jobqueue:
  {system}:
    queue: regular
    cores: 2
    memory: 3GB
    walltime: "01:30:00"
    local-directory: {folder}
    log-directory: {folder}
"""

SBATCH = """#!/bin/sh
# A queue of one machine: a job runs at once, and its number is that of its process.
sh "$1" >/dev/null 2>&1 &
echo "Submitted batch job $!"
"""


@pytest.mark.parametrize(
    ("system", "lines"),
    [
        ("slurm", ["#SBATCH -p regular", "#SBATCH -t 01:30:00", "#SBATCH --cpus-per-task=2"]),
        ("pbs", ["#PBS -q regular", "#PBS -l walltime=01:30:00", "#PBS -l select=1:ncpus=2"]),
    ],
)
def test_the_script_of_a_job(system: str, lines: list[str], tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text(PROFILE.format(system=system, folder=tmp_path))
    before = signal.getsignal(signal.SIGINT)
    with quiet_dask():
        cluster = start_queue(profile)
        try:
            script = cluster.job_script()
        finally:
            cluster.close()
    assert signal.getsignal(signal.SIGINT) is before, "Ctrl-C ends the verb as ever"
    for line in lines:
        assert line in script
    assert "--nthreads 1 " in script
    assert "--nworkers 2 " in script, "a worker for each core"
    check = subprocess.run(["bash", "-n"], input=script, text=True, check=False)
    assert check.returncode == 0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("jobs: 3", "must be a profile of dask-jobqueue"),
        ("jobqueue: {slurm: {cores: 1}, pbs: {cores: 1}}", "must be a profile of dask-jobqueue"),
        ("jobqueue: {cray: {cores: 1}}", "with one of the systems htcondor, lsf, oar, pbs, sge"),
        ("jobqueue: {slurm: {cores: 1}}", "jobqueue.slurm needs cores and memory"),
        ("jobqueue: {slurm: {cores: 1, memory: 1GB, node: 3}}", "slurm has no setting 'node'"),
        ("jobqueue: {slurm: {cores: 1, memory: much}}", "memory must be a size such as 32GB"),
        ("jobqueue: {slurm: {cores: many, memory: 1GB}}", "cores must be a positive whole number"),
        ("jobqueue: {slurm: 3}", "jobqueue.slurm must map settings to values"),
        ("jobqueue: {slurm: {cores: 1, memory: 1GB}}", "no job can be submitted"),
    ],
)
def test_a_wrong_profile_is_one_line(
    text: str, line: str, preset: Path, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text(text)
    words = ["simulate", str(tmp_path / "lenses"), "--preset", str(preset), "--quiet"]
    assert main([*words, "--count", "20", "--cluster", str(profile)]) == 2
    assert line in error_line()
    assert not (tmp_path / "lenses").exists()


@pytest.mark.slow
def test_jobs_of_a_queue_simulate(
    preset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", '#!/bin/sh\nkill "$1"\n')):
        program = programs / name
        program.write_text(text)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    profile = tmp_path / "profile.yaml"
    profile.write_text(PROFILE.format(system="slurm", folder=tmp_path))
    given = ["--preset", str(preset), "--count", "60", "--quiet"]
    here, there = tmp_path / "here.zarr", tmp_path / "there.zarr"
    assert main(["simulate", str(there), *given, "--cluster", str(profile)]) == 0
    assert main(["simulate", str(here), *given, "--workers", "1"]) == 0
    assert (here / "images/c/0/0/0/0").read_bytes() == (there / "images/c/0/0/0/0").read_bytes()
