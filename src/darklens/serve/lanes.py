"""Bounded queues: work runs in one thread each, and a request is refused where too many wait."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TypeVar

from darklens.errors import DarklensError

__all__ = ["Busy", "Lane"]

Result = TypeVar("Result")


class Busy(DarklensError):
    """Too many requests are waiting."""


class Lane:
    """A queue before one thread.

    Args:
        name: What the work is, for the message.
        waiting: Most calls that wait or run.
    """

    def __init__(self, name: str, waiting: int) -> None:
        self._name, self._waiting = name, waiting
        self._free = BoundedSemaphore(waiting)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"darklens-{name}")

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Queue a call.

        Raises:
            Busy: If as many as allowed wait or run.
        """
        if not self._free.acquire(blocking=False):
            raise Busy(
                f"the server is busy: {self._waiting} requests to {self._name} are waiting; "
                "try again in a moment"
            )
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: self._free.release())
        return future

    async def run(self, work: Callable[[], Result]) -> Result:
        """Queue a call and wait for it; if the caller goes away before it starts, it is dropped.

        Raises:
            Busy: If as many as allowed wait or run.
        """
        return await asyncio.wrap_future(self.submit(work))

    def close(self) -> None:
        """Drop what waits; what runs is finished."""
        self._pool.shutdown(wait=False, cancel_futures=True)
