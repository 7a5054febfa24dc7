"""The option `--cluster` of the verbs: which workers a run gets.

- `local`: worker processes of this machine under a Dask scheduler, with its dashboard.
- `tcp://HOST:PORT`: the workers of a running scheduler.
- `PROFILE.yaml`: jobs in a batch queue, as `dask-jobqueue` describes them (see `queue`).

The workers must see the files of the run under the same names, and have the same version of
darklens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darklens.errors import BadInput
from darklens.workers import Workers

__all__ = ["open_workers"]

_ENDINGS = (".yaml", ".yml")
_MISSING = "--cluster needs Dask: pip install 'darklens[scale]'"


@contextmanager
def open_workers(
    cluster: str | None, workers: int, *, quiet: bool = False
) -> Iterator[int | Workers]:
    """The workers of a run, until the end of the block.

    Args:
        cluster: `local`, the address of a scheduler, or a YAML profile; None for processes of this
            machine without Dask.
        workers: Number of processes; for a profile, of workers in the queue. The workers of a
            running scheduler are all used.
        quiet: Do not tell the address of the dashboard.

    Returns:
        The number of processes where there is no cluster.

    Raises:
        BadInput: If Dask is not installed, or the cluster cannot be reached or started.
        BadConfig: If the profile is invalid.
    """
    if cluster is None:
        yield workers
        return
    if workers < 0:
        raise BadInput("--workers must be at least 0")
    try:
        import distributed  # noqa: F401

        from darklens.cluster.dask_workers import local_workers, remote_workers
        from darklens.cluster.queue import queued_workers
    except ImportError as error:
        raise BadInput(f"{_MISSING} ({error})") from None
    if cluster == "local":
        opened = local_workers(workers, quiet=quiet)
    elif "://" in cluster:
        opened = remote_workers(cluster, quiet=quiet)
    elif cluster.lower().endswith(_ENDINGS):
        opened = queued_workers(Path(cluster), workers, quiet=quiet)
    else:
        raise BadInput(
            f"--cluster {cluster} must be local, the address of a scheduler such as"
            " tcp://HOST:8786, or a YAML profile"
        )
    with opened as found:
        yield found
