"""How a verb ends after an error or a signal: one line on stderr and an exit code.

Codes: 2 wrong input or too little memory or disk, 130 stopped by Ctrl-C, 143 by SIGTERM. With the
environment variable DARKLENS_DEBUG set, the traceback is shown too.
"""

import os
import re
import signal
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from darklens.errors import DarklensError
from darklens.naming import visible

__all__ = ["Terminated", "closed_pipe", "fail", "report", "stopped_by_signals"]


class Terminated(BaseException):
    """SIGTERM was received; not an `Exception`, so that nothing mistakes it for bad input."""


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that unfinished files are removed.

    A second one ends the process at once. Nothing changes outside the main thread, or if something
    else handles the signal.
    """

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    previous = None
    with suppress(ValueError):  # not the main thread
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        if previous is not None and signal.getsignal(signal.SIGTERM) is stop:
            signal.signal(signal.SIGTERM, previous)


def report(error: BaseException) -> int:
    """Report in one line why a verb ended, and return the exit code."""
    if os.environ.get("DARKLENS_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        return _say("darklens: stopped", 130)
    if isinstance(error, Terminated):
        return _say("darklens: stopped by SIGTERM", 143)
    if isinstance(error, DarklensError):
        return fail(str(error))
    if isinstance(error, MemoryError) or re.search("allocate memory|out of memory", str(error)):
        return fail(f"not enough memory: {str(error)[:200] or 'give smaller numbers or images'}")
    if isinstance(error, RecursionError):
        return fail("the input is nested too deeply")
    if isinstance(error, BrokenExecutor):
        return fail("a worker process has died, killed or out of memory; try fewer --workers")
    if isinstance(error, OSError):
        return fail(str(error) or type(error).__name__)
    return fail(f"{type(error).__name__}: {error}{_place(error)}")


def fail(message: str) -> int:
    """Print an error as one line and return the exit code for wrong input."""
    return _say(f"darklens: error: {visible(' '.join(message.split()))}", 2)


def closed_pipe() -> int:
    """The reader of our output has gone, as in `darklens models | head`."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _say(line: str, code: int) -> int:
    with suppress(OSError, ValueError, AttributeError):  # stderr is closed
        print(line, file=sys.stderr, flush=True)
    return code


def _place(error: BaseException) -> str:
    """The place in darklens of an unexpected error."""
    own = str(Path(__file__).parents[1])
    frames = [
        item for item in traceback.extract_tb(error.__traceback__) if item.filename.startswith(own)
    ]
    where = (
        f" in {Path(frames[-1].filename).relative_to(own)}, line {frames[-1].lineno}"
        if frames
        else ""
    )
    return (
        f" ({where.strip() or 'not in darklens itself'}; if the input is fine, this is a bug: "
        "please report the traceback that DARKLENS_DEBUG=1 shows)"
    )
