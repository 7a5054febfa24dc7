"""Worker processes that start, stop and fail without a traceback.

`in_processes` gives results as they come, `in_order` in the order of the calls. Both take either a
number of processes of this machine or `Workers`, which may be on a cluster (`darklens.cluster`).

Only the parent process decides when workers end. Ctrl-C in a terminal goes to all processes at
once: the workers ignore it, and the parent ends them. If a worker is killed, for example for lack
of memory, the verb ends with one line.
"""

import os
import signal
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import active_children, get_context, parent_process, resource_tracker
from multiprocessing.synchronize import Event
from threading import Thread
from typing import Any, TypeVar

from darklens.errors import WorkerDied

__all__ = [
    "WorkerProcesses",
    "Workers",
    "end_with_parent",
    "in_order",
    "in_processes",
    "in_threads",
    "one_blas_thread",
    "processors",
    "without_interrupts",
    "workers_for",
]

Item = TypeVar("Item")
Result = TypeVar("Result")
Submit = Callable[..., Future[Any]]

_AHEAD = 4  # calls of each worker that are begun before the first result is taken
_PATIENCE = 0.3  # time for a signal to all processes to reach this one too [s]
_NOT_STARTED = (
    "a worker process could not start; a script must call darklens below "
    "if __name__ == '__main__', or with workers=1"
)
_KILLED = (
    "a worker process was killed, perhaps for lack of memory; run the same command again "
    "with fewer --workers to continue"
)


def processors() -> int:
    """Number of CPU cores available to this process, or of all cores if the system does not say."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int
) -> Iterator[Result]:
    """Call a function for each item in threads; results are in the order of the items.

    Few items are ahead of the results that are taken, so that those do not pile up.

    Args:
        function: The function; what it raises ends the iteration.
        items: What to call it with.
        workers: Number of threads.

    >>> list(in_threads(abs, [-3, 2, -1], workers=2))
    [3, 2, 1]
    """
    waiting = deque[Future[Result]]()
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * max(1, workers):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class Workers(ABC):
    """Where calls run: processes of this machine, or workers of a cluster."""

    @property
    def here(self) -> bool:
        """Whether the calls may as well be made in this process, one after another."""
        return False

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of calls that run at a time."""

    @abstractmethod
    def open(
        self, begin: Callable[..., None], arguments: tuple[Any, ...]
    ) -> AbstractContextManager[Submit]:
        """A function `submit(function, call)` that gives a future, until the end of the block.

        Args:
            begin: Initialiser, called in each worker before its first call.
            arguments: Arguments of the initialiser.

        Raises:
            WorkerDied: If workers were lost.
        """


@dataclass(frozen=True)
class WorkerProcesses(Workers):
    """Processes of this machine, which end with the block that opens them.

    Attributes:
        processes: Their number.
    """

    processes: int

    @property
    def here(self) -> bool:
        return self.processes == 1

    @property
    def count(self) -> int:
        return self.processes

    def open(
        self, begin: Callable[..., None], arguments: tuple[Any, ...]
    ) -> AbstractContextManager[Submit]:
        return _pool(self.processes, begin, arguments)


def workers_for(calls: int, workers: int | Workers) -> Workers:
    """The workers for a number of calls: no more processes than that; a cluster as it is.

    Args:
        calls: Number of calls.
        workers: Most processes, 0 for one per CPU core; or workers.

    >>> workers_for(3, 8).count
    3
    """
    if isinstance(workers, Workers):
        return workers
    return WorkerProcesses(max(1, min(workers or processors(), calls)))


def in_processes(
    function: Callable[..., Result],
    calls: Iterable[tuple[Any, ...]],
    *,
    workers: int | Workers,
    begin: Callable[..., None],
    arguments: tuple[Any, ...] = (),
) -> Generator[Result, None, None]:
    """Call a function in worker processes; results are in order of completion.

    The calls are taken one by one, a few for each worker ahead of the results, so that memory does
    not grow with their number. Close the iterator (`contextlib.closing`) to end the workers at
    once.

    Args:
        function: The function, defined at module level.
        calls: Arguments of each call.
        workers: Number of processes, or workers.
        begin: Initialiser, called once in each worker.
        arguments: Arguments of the initialiser.

    Raises:
        WorkerDied: If a worker was killed.
    """
    workers = WorkerProcesses(workers) if isinstance(workers, int) else workers
    with workers.open(begin, arguments) as submit:
        waiting = set[Future[Result]]()
        for call in calls:
            waiting.add(submit(function, call))
            if len(waiting) >= _AHEAD * workers.count:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)


def in_order(
    function: Callable[..., Result],
    calls: Iterable[tuple[Any, ...]],
    *,
    workers: int | Workers,
    begin: Callable[..., None],
    arguments: tuple[Any, ...] = (),
) -> Generator[Result, None, None]:
    """Call a function in worker processes; results are in the order of the calls.

    Otherwise like `in_processes`.

    Raises:
        WorkerDied: If a worker was killed.
    """
    workers = WorkerProcesses(workers) if isinstance(workers, int) else workers
    with workers.open(begin, arguments) as submit:
        waiting = deque[Future[Result]]()
        for call in calls:
            waiting.append(submit(function, call))
            while len(waiting) >= _AHEAD * workers.count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _pool(workers: int, begin: Callable[..., None], arguments: tuple[Any, ...]) -> Iterator[Submit]:
    """A function that submits calls to worker processes, which end with the block.

    Raises:
        WorkerDied: If a worker was killed or could not start.
    """
    _start_tracker()  # before the first semaphore starts one that warns
    _start_tracker()
    others = set(active_children())
    context = get_context("spawn")
    begun = context.Event()
    pool = ProcessPoolExecutor(workers, context, _begin, (begun, begin, arguments))
    done = False

    def submit(function: Callable[..., Any], call: tuple[Any, ...]) -> Future[Any]:
        with without_interrupts():
            return pool.submit(_call, function, call)

    try:
        yield submit
        done = True
    except BrokenProcessPool:
        time.sleep(_PATIENCE)
        raise WorkerDied(_KILLED if begun.is_set() else _NOT_STARTED) from None
    finally:
        if not done:
            for child in set(active_children()) - others:
                child.terminate()
        pool.shutdown(cancel_futures=True)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Linear algebra on one thread, as sums over several are rounded in another order.

    A fit then gives the same bytes in the main process and in each of its workers, which also do
    not compete for the processors.
    """
    with _blas().limit(limits=1, user_api="blas"):
        yield


@cache
def _blas() -> Any:
    """The libraries of linear algebra; NumPy and SciPy bring one each, loaded here."""
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


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
def without_interrupts() -> Iterator[None]:
    """Start processes and threads that never see Ctrl-C; it is deferred meanwhile."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    _start_tracker()
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


def _begin(begun: Event, begin: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Initialise a worker; an error is reported by its first call, without a traceback."""
    global _failure
    begun.set()
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
