"""Worker processes give results in order, and end with the process that started them."""

import os
import subprocess
import sys
import time
from pathlib import Path
from threading import active_count

import pytest

from darklens.workers import end_with_parent, one_blas_thread, processors

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


IN_ORDER = """
import os
import signal
import time
from contextlib import closing
from itertools import count
from multiprocessing import active_children

from darklens.errors import WorkerDied
from darklens.workers import in_order


def late_if_even(number):
    time.sleep(0.2 * (number % 2 == 0))  # the workers finish out of order
    return number


def killed(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory is short
    return number


taken = []


def calls():
    for number in count():
        taken.append(number)
        yield (number,)


if __name__ == "__main__":
    with closing(in_order(late_if_even, calls(), workers=2, begin=tuple)) as results:
        print([next(results) for _ in range(6)])
    print(len(taken) <= 6 + 8, active_children())
    try:
        list(in_order(killed, calls(), workers=2, begin=tuple))
    except WorkerDied as error:
        print(error, active_children())
"""


def test_results_come_in_order_and_a_killed_worker_is_one_clear_error(tmp_path: Path) -> None:
    script = tmp_path / "in_order.py"
    script.write_text(IN_ORDER)
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    ordered, ahead, died = run.stdout.splitlines()
    assert ordered == "[0, 1, 2, 3, 4, 5]"
    assert ahead == "True []", "at most four calls of each worker wait, and the workers have ended"
    assert died.startswith("a worker process was killed")
    assert died.endswith("with fewer --workers to continue []")


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

    with one_blas_thread():
        pass  # loads the libraries
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
