"""Workers of a Dask scheduler.

A task is one call. Dask sends it again when the worker that had it is lost, and a call gives the
same bytes wherever it runs, so that a lost worker changes nothing. A few calls for each worker are
ahead of the results that are taken, and memory is flat.

A worker process serves one call at a time, whatever the number of its threads, since the state
that `begin` prepares belongs to one run. Two runs can share a cluster: a worker that changes from
one to the other prepares the state again.
"""

import ctypes
import logging
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, chdir, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from uuid import uuid4

import dask
from distributed import Client, KilledWorker, LocalCluster, WorkerPlugin

from darklens import __version__
from darklens.errors import BadInput, WorkerDied
from darklens.progress import say
from darklens.workers import Submit, Workers, processors, without_interrupts

__all__ = ["DaskWorkers", "local_workers", "quiet_dask", "remote_workers"]

Result = TypeVar("Result")

_CONNECT = 15.0  # longest wait for a scheduler [s]
_FIRST_WORKER = 60.0  # longest wait for a worker of a running scheduler [s]
_RECOUNT = 2.0  # time between two counts of the workers [s]
_DEATHS = 20  # workers that may be lost during one call before it is given up
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_KEPT, _LARGE = 2**28, 2**25  # freed memory that is kept, and size of arrays apart from it [byte]
_SETTINGS = {
    "distributed.scheduler.allowed-failures": _DEATHS,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.comm.timeouts.connect": f"{_CONNECT} s",
    "logging": {"distributed": "critical"},
}


class DaskWorkers(Workers):
    """The workers of a scheduler.

    Args:
        client: A connection to it.
        least: Number of workers to reckon with until they have joined.
    """

    def __init__(self, client: Client, *, least: int = 1) -> None:
        self._client = client
        self._least = least
        self._counted = (-_RECOUNT, 0)

    @property
    def count(self) -> int:
        when, number = self._counted
        now = time.monotonic()
        if now - when >= _RECOUNT:
            with suppress(OSError, TimeoutError):  # of a lost scheduler the results tell
                number = len(self._client.nthreads())
            self._counted = now, number
        return max(self._least, number)

    @contextmanager
    def open(self, begin: Callable[..., None], arguments: tuple[Any, ...]) -> Iterator[Submit]:
        key = uuid4().hex
        setup = _Setup(begin, arguments, str(Path.cwd()), __version__)
        with _lost_workers_in_words(self._client):
            self._client.register_plugin(_Preparation(key, setup), name=key)
            executor = self._client.get_executor(pure=False)

            def submit(function: Callable[..., Any], call: tuple[Any, ...]) -> Future[Any]:
                future: Future[Any] = executor.submit(_call, key, function, call)
                return future

            try:
                yield submit
            finally:
                with suppress(Exception):  # the scheduler may be lost
                    executor.shutdown(wait=False)
                    self._client.unregister_worker_plugin(key)


@contextmanager
def local_workers(workers: int, *, quiet: bool) -> Iterator[DaskWorkers]:
    """Worker processes of this machine, under a scheduler in this process.

    Args:
        workers: Their number; 0 for one per CPU core.
        quiet: Do not tell the address of the dashboard.
    """
    number = workers or processors()
    with quiet_dask(), ExitStack() as stack:
        with without_interrupts():  # its processes are ended by this one alone
            cluster = LocalCluster(
                n_workers=number,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
        stack.enter_context(cluster)
        client = stack.enter_context(Client(cluster, set_as_default=False))
        _say_dashboard(client, quiet=quiet)
        yield DaskWorkers(client, least=number)


@contextmanager
def remote_workers(address: str, *, quiet: bool) -> Iterator[DaskWorkers]:
    """The workers of a running scheduler, which goes on afterwards.

    Args:
        address: Address of the scheduler.
        quiet: Do not tell the address of the dashboard.

    Raises:
        BadInput: If there is no scheduler, or it has no worker.
    """
    with quiet_dask():
        try:
            client = Client(address, timeout=_CONNECT, set_as_default=False)
        except (OSError, ValueError, TimeoutError, ImportError) as error:
            raise BadInput(f"no Dask scheduler answers at {address}: {_line(error)}") from None
        with client:
            try:
                client.wait_for_workers(1, timeout=_FIRST_WORKER)
            except TimeoutError:
                raise BadInput(
                    f"the scheduler at {address} has no worker: start some, such as"
                    f" dask worker {address}"
                ) from None
            _say_dashboard(client, quiet=quiet)
            yield DaskWorkers(client)


@contextmanager
def quiet_dask() -> Iterator[None]:
    """Settings for the block; what Dask logs is left out, as errors are told in one line."""
    loggers = [
        logging.getLogger(name)
        for name in logging.root.manager.loggerDict
        if name.partition(".")[0] in ("distributed", "tornado")
    ]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        with dask.config.set(_SETTINGS):
            yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled


def _say_dashboard(client: Client, *, quiet: bool) -> None:
    number = len(client.nthreads())
    what = "1 worker" if number == 1 else f"{number} workers"
    say(f"Dask: {what}, dashboard at {client.dashboard_link}", quiet=quiet)


@contextmanager
def _lost_workers_in_words(client: Client) -> Iterator[None]:
    try:
        yield
    except KilledWorker as error:
        raise WorkerDied(
            f"{error.allowed_failures + 1} workers were lost during the same call, perhaps for "
            "lack of memory; what is complete is kept"
        ) from None
    except CancelledError:
        raise _lost() from None
    except (OSError, RuntimeError, TimeoutError) as error:
        if client.status == "running":
            raise
        raise _lost() from error


def _lost() -> WorkerDied:
    return WorkerDied(
        "the connection to the Dask scheduler is lost; what is complete is kept, run the same"
        " command again when a scheduler runs"
    )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


@dataclass(frozen=True)
class _Setup:
    """What a worker needs before the calls of a run.

    Attributes:
        begin: Initialiser.
        arguments: Its arguments.
        folder: Folder that relative paths refer to.
        version: Version of darklens of the run.
    """

    begin: Callable[..., None]
    arguments: tuple[Any, ...]
    folder: str
    version: str


class _Preparation(WorkerPlugin):  # type: ignore[misc]
    """Brings the setup of a run to all workers, those that join later too."""

    def __init__(self, key: str, setup: _Setup) -> None:
        self._key = key
        self._setup = setup

    def setup(self, worker: Any) -> None:
        _keep_memory()
        _setups[self._key] = self._setup

    def teardown(self, worker: Any) -> None:
        _setups.pop(self._key, None)


def _keep_memory() -> None:
    """Let the process keep the memory of freed arrays up to a limit, as glibc does by default.

    Dask has its workers return all of it at once. The next array is then mapped and zeroed page by
    page, which takes longer than a fit.
    """
    with suppress(OSError, AttributeError):  # another C library than glibc
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)


_setups: dict[str, _Setup] = {}
_prepared: str | None = None
_one_at_a_time = Lock()


def _call(key: str, function: Callable[..., Result], call: tuple[Any, ...]) -> Result:
    """Make a call in a worker, after the preparation for its run."""
    global _prepared
    with _one_at_a_time:
        setup = _setups[key]
        with _at(setup.folder):
            if _prepared != key:
                _prepared = None
                if setup.version != __version__:
                    raise BadInput(
                        f"the worker on {os.uname().nodename} has darklens {__version__}, not "
                        f"{setup.version}: install the same version"
                    )
                setup.begin(*setup.arguments)
                _prepared = key
            return function(*call)


@contextmanager
def _at(folder: str) -> Iterator[None]:
    try:
        inside = chdir(folder)
        inside.__enter__()
    except OSError as error:
        raise BadInput(
            f"the worker on {os.uname().nodename} cannot see {folder} ({error.strerror}): a "
            "cluster needs a file system that all its machines share"
        ) from None
    try:
        yield
    finally:
        inside.__exit__(None, None, None)
