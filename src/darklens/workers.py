"""Worker processes that start, stop and fail without a traceback.

Only the parent process decides when workers end. Ctrl-C in a terminal goes to all processes at
once: the workers ignore it, and the parent ends them. If a worker is killed, for example for lack
of memory, the verb ends with one line.
"""

import os
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process, resource_tracker
from threading import Thread
from typing import Any, TypeVar

from darklens.errors import WorkerDied

__all__ = ["end_with_parent", "in_processes", "processors"]

Result = TypeVar("Result")

_PATIENCE = 0.3  # time for a signal to all processes to reach this one too [s]


def processors() -> int:
    """Number of CPU cores available to this process, or of all cores if the system does not say."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_processes(
    function: Callable[..., Result],
    calls: Sequence[tuple[Any, ...]],
    *,
    workers: int,
    begin: Callable[..., None],
    arguments: tuple[Any, ...] = (),
) -> Generator[Result, None, None]:
    """Call a function in worker processes; results are in order of completion.

    Close the iterator (`contextlib.closing`) to end the workers at once.

    Args:
        function: The function, defined at module level.
        calls: Arguments of each call.
        workers: Number of processes.
        begin: Initialiser, called once in each worker.
        arguments: Arguments of the initialiser.

    Raises:
        WorkerDied: If a worker was killed.
    """
    _start_tracker()
    others = set(active_children())
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (begin, arguments))
    done = False
    try:
        with _without_interrupts():
            futures = [pool.submit(_call, function, call) for call in calls]
        for future in as_completed(futures):
            yield future.result()
        done = True
    except BrokenProcessPool:
        time.sleep(_PATIENCE)
        raise WorkerDied(
            "a worker process was killed, perhaps for lack of memory; run the same command again "
            "with fewer --workers to continue"
        ) from None
    finally:
        if not done:
            for child in set(active_children()) - others:
                child.terminate()
        pool.shutdown(cancel_futures=True)


def end_with_parent() -> None:
    """End this worker process as soon as its parent process has died.

    A killed parent does not notify its workers: without this they would wait for ever.
    """
    parent = parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that ignore Ctrl-C from the very start; it is deferred meanwhile."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_tracker() -> None:
    """Start Python's resource tracker, which cleans up after killed worker processes.

    Its warnings are switched off, and it is started early because its start unblocks signals.
    """
    if os.name == "nt":  # there is none on Windows
        return
    name, ours = "PYTHONWARNINGS", "ignore:resource_tracker"
    before = os.environ.get(name)
    os.environ[name] = f"{before},{ours}" if before else ours
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


_failure: Exception | None = None


def _begin(begin: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Initialise a worker; an error is reported by its first call, without a traceback."""
    global _failure
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    try:
        begin(*arguments)
    except Exception as error:  # noqa: BLE001 - raised again in the first call
        _failure = error


def _call(function: Callable[..., Result], call: tuple[Any, ...]) -> Result:
    if _failure is not None:
        raise _failure
    return function(*call)
