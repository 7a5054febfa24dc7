"""Worker processes that start, stop and fail without a traceback.

Only the process that started them decides when they end. Ctrl-C in a terminal goes to all
processes at once: the workers do not take it, their parent does and ends them. A worker that is
killed, for want of memory say, ends the verb with one line.
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

_PATIENCE = 0.3  # time in which a signal to all processes has reached this one, too [s]


def processors() -> int:
    """Processors that this process may use; where the system does not say, all there are."""
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
    """Results of calls in worker processes, in the order in which they are done.

    Close the iterator (`contextlib.closing`) to end the workers at once.

    Args:
        function: What is called; a function of a module.
        calls: Arguments of each call.
        workers: Number of processes.
        begin: Called once in each worker before its first call.
        arguments: Its arguments.

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
            "a worker process was killed, perhaps for want of memory; give the same command again "
            "to continue, with fewer --workers"
        ) from None
    finally:
        if not done:
            for child in set(active_children()) - others:
                child.terminate()
        pool.shutdown(cancel_futures=True)


def end_with_parent() -> None:
    """End this worker process at once when the process that started it has gone.

    A pool that is killed tells its workers nothing: without this they wait for work for ever.
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
    """Start processes that Ctrl-C does not reach, from their first moment on; it waits here."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_tracker() -> None:
    """Start Python's own helper of worker processes, which tidies up behind those that are killed.

    It would warn of it, too, in two lines that help nobody, and at its start it unblocks signals.
    """
    if os.name == "nt":  # Windows has none
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
    """Set up a worker; what goes wrong is told by its first call, without a traceback."""
    global _failure
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    try:
        begin(*arguments)
    except Exception as error:  # noqa: BLE001 - raised again where it can be reported
        _failure = error


def _call(function: Callable[..., Result], call: tuple[Any, ...]) -> Result:
    if _failure is not None:
        raise _failure
    return function(*call)
