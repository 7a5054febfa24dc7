"""Worker processes give results in order, and end with the process that started them."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from itertools import count
from multiprocessing import active_children
from pathlib import Path
from threading import active_count

import numpy as np
import pytest

from darklens.errors import WorkerDied
from darklens.workers import end_with_parent, in_order, one_blas_thread, processors

POOL = """
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from darklens.workers import end_with_parent

if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn"), end_with_parent) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(600)
"""


UNGUARDED = """
from darklens.workers import in_order

print(list(in_order(abs, [(-1,), (2,)], workers=2, begin=tuple)))
"""


def late_if_even(number: int) -> int:
    """Even numbers take longer, so that the workers finish out of order."""
    time.sleep(0.2 * (number % 2 == 0))
    return number


def ended(number: int) -> int:
    """The worker is killed by one of the calls, as the kernel does when memory is short."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_results_come_in_the_order_of_the_calls_which_are_taken_a_few_ahead() -> None:
    taken = []

    def calls():
        for number in count():
            taken.append(number)
            yield (number,)

    with closing(in_order(late_if_even, calls(), workers=2, begin=tuple)) as results:
        assert [next(results) for _ in range(6)] == [0, 1, 2, 3, 4, 5]
    assert len(taken) <= 6 + 8, "no more than four for each worker wait"
    assert active_children() == []


def test_a_killed_worker_is_one_clear_error() -> None:
    calls = ((number,) for number in range(8))
    with pytest.raises(WorkerDied, match=r"a worker process was killed.*fewer --workers"):
        list(in_order(ended, calls, workers=2, begin=tuple))
    assert active_children() == []


def test_a_script_without_a_main_block_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(UNGUARDED)
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "WorkerDied: a worker process could not start; a script must call" in run.stderr


def test_linear_algebra_on_one_thread_and_back() -> None:
    from threadpoolctl import threadpool_info

    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    np.linalg.inv(np.eye(3))
    before = threads()
    with one_blas_thread():
        assert threads() == {1}
    assert threads() == before


def test_the_worker_of_a_killed_process_ends(tmp_path: Path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    assert runs(worker)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while runs(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not runs(worker)


def test_a_process_that_no_pool_started_goes_on() -> None:
    before = active_count()
    end_with_parent()
    assert active_count() == before, "nothing waits for a parent"


def test_processors_are_counted_where_the_system_does_not_say_which_are_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert processors() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    assert processors() == os.cpu_count()


def runs(process: int) -> bool:
    """Whether the process is there and has not ended."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
