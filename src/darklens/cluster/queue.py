"""Dask workers in the jobs of a batch queue, described by a YAML profile.

The profile has the form of `dask-jobqueue`'s own configuration file, for one queueing system:

    jobqueue:
      slurm:
        queue: regular
        cores: 16
        memory: 32GB
        walltime: "04:00:00"

`cores`, `memory` and `walltime` are those of one job. Unless `processes` is given, each core is a
worker. The profile is a program as much as a configuration: a job runs the lines of its
`job_script_prologue`.
"""

import inspect
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from dask.utils import parse_bytes
from distributed import Client, Status

from darklens.cluster.dask_workers import DaskWorkers, quiet_dask
from darklens.errors import BadConfig, BadInput
from darklens.files.plain_yaml import read_yaml
from darklens.progress import say

__all__ = ["queued_workers", "start_queue"]

_SYSTEMS = {
    "htcondor": "HTCondorCluster",
    "lsf": "LSFCluster",
    "oar": "OARCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "slurm": "SLURMCluster",
}
_FOR_SCHEDULER = {"interface", "protocol", "scheduler_options", "shared_temp_directory"}


@contextmanager
def queued_workers(profile: Path, workers: int, *, quiet: bool) -> Iterator[DaskWorkers]:
    """Workers in jobs of a queue, which are cancelled at the end of the block.

    Args:
        profile: The YAML profile.
        workers: Number of workers; 0 for those of one job.
        quiet: Do not tell the address of the dashboard.

    Raises:
        BadConfig: If the profile is invalid.
        BadInput: If no job can be submitted.
    """
    with quiet_dask(), ExitStack() as stack:
        cluster = start_queue(profile)
        stack.callback(cluster.close)
        client = stack.enter_context(Client(cluster, set_as_default=False))
        number = workers or cluster._job_kwargs["processes"]
        try:
            cluster.sync(_submit, cluster, number)
        except (OSError, RuntimeError, ValueError) as error:
            raise BadInput(f"no job can be submitted: {_last_line(error)}") from None
        say(f"Dask: dashboard at {client.dashboard_link}", quiet=quiet)
        say(f"waiting for the first of {number} workers in the queue", quiet=quiet)
        client.wait_for_workers(1)
        yield DaskWorkers(client)


async def _submit(cluster: Any, workers: int) -> None:
    """Submit the jobs now, so that a refusal is told here."""
    cluster.scale(workers)
    try:
        await cluster._correct_state()
    finally:  # a job that was not submitted cannot be cancelled, and needs not
        for job in cluster._created:
            if job.status == Status.created:
                job.status = Status.failed
        accepted = {name: job for name, job in cluster.workers.items() if job.job_id is not None}
        cluster.workers = accepted


def start_queue(profile: Path) -> Any:
    """A scheduler in this process, with no job yet; `job_script()` shows what would be submitted.

    Raises:
        BadConfig: If the profile is invalid.
    """
    system, settings = _read_profile(profile)
    jobqueue = _jobqueue()
    kind = getattr(jobqueue, _SYSTEMS[system])
    names = set(inspect.signature(kind.job_cls.__init__).parameters)
    names |= set(inspect.signature(jobqueue.core.Job.__init__).parameters) | _FOR_SCHEDULER
    names -= {"self", "scheduler", "base_class_kwargs"}
    if unknown := sorted(set(settings) - names):
        raise BadConfig(
            f"{profile}: jobqueue.{system} has no setting {unknown[0]!r}; it has"
            f" {', '.join(sorted(names))}"
        )
    if "cores" not in settings or "memory" not in settings:
        raise BadConfig(f"{profile}: jobqueue.{system} needs cores and memory, those of one job")
    for name in ("cores", "processes"):
        if not isinstance(settings.get(name, 1), int) or settings.get(name, 1) < 1:
            raise BadConfig(f"{profile}: {name} must be a positive whole number")
    try:
        parse_bytes(settings["memory"])
    except (TypeError, ValueError):
        raise BadConfig(f"{profile}: memory must be a size such as 32GB") from None
    settings.setdefault("processes", settings["cores"])
    settings.setdefault("scheduler_options", {"dashboard_address": ":0"})
    try:
        return kind(**settings)
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        raise BadConfig(f"{profile}: {_last_line(error)}") from None


def _jobqueue() -> Any:
    """The module `dask_jobqueue`; its import replaces the handler of Ctrl-C, which is put back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return import_module("dask_jobqueue")
    except ImportError as error:
        raise BadInput(
            f"a profile needs dask-jobqueue: pip install 'darklens[scale]' ({error})"
        ) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read_profile(profile: Path) -> tuple[str, dict[str, Any]]:
    content = read_yaml(profile, BadConfig)
    queues = content.get("jobqueue") if isinstance(content, dict) else None
    systems = ", ".join(sorted(_SYSTEMS))
    if not isinstance(queues, dict) or len(queues) != 1 or not set(queues) <= set(_SYSTEMS):
        raise BadConfig(
            f"{profile} must be a profile of dask-jobqueue, jobqueue: {{SYSTEM: {{...}}}}, with"
            f" one of the systems {systems}"
        )
    ((system, settings),) = queues.items()
    if not isinstance(settings, dict):
        raise BadConfig(f"{profile}: jobqueue.{system} must map settings to values")
    return system, {str(name).replace("-", "_"): value for name, value in settings.items()}


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
