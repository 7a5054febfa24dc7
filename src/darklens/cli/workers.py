"""What the worker processes of a verb have in common."""

import os
from multiprocessing import parent_process
from threading import Thread

__all__ = ["end_with_parent", "processors"]


def processors() -> int:
    """Processors that this process may use; where the system does not say, all there are."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
