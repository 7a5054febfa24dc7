"""The process that decodes tile-compressed FITS images for `darklens.data.tiles`.

It runs as a script and imports nothing from darklens, so that it starts quickly. A request on
standard input is a line of JSON with the number of bytes and the CPU time limit [s], then a FITS
file of that size, whose first extension is decoded. The answer on standard output is a line of
JSON with shape and type, or an error, and then the pixels. If the system can fork, each image is
decoded in a fork of this process, so that a crash does not require a restart.
"""

import io
import json
import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any, BinaryIO

__all__ = ["main"]

Reader = Callable[..., Any]

_MEMORY = 4 * 2**30


def main() -> None:
    """Answer requests until standard input ends."""
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the library may print to standard output
    _limit_memory()
    warnings.simplefilter("ignore")
    from astropy.io import fits  # loaded before forking

    _send(answers, b"ready\n")
    answer = _in_a_copy if hasattr(os, "fork") else _here
    for line in requests:
        request = json.loads(line)
        answer(fits.open, answers, requests.read(request["bytes"]), request["seconds"])


def _decoded(read: Reader, content: bytes) -> bytes:
    """The answer: a line that describes the image, and its pixels."""
    with read(io.BytesIO(content), memmap=False) as extensions:
        pixels = extensions[1].data
    header = {"shape": pixels.shape, "dtype": pixels.dtype.str}
    data: bytes = pixels.tobytes()
    return json.dumps(header).encode() + b"\n" + data


def _here(read: Reader, answers: BinaryIO, content: bytes, _: int) -> None:
    """Decode in this process; the parent kills it at the time limit."""
    try:
        answer = _decoded(read, content)
    except Exception as error:  # noqa: BLE001  the library raises anything
        answer = _failure(type(error).__name__)
    _send(answers, answer)


def _in_a_copy(read: Reader, answers: BinaryIO, content: bytes, seconds: int) -> None:
    """Decode in a fork of this process with a limit on its CPU time."""
    copy = os.fork()
    if copy == 0:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        _here(read, answers, content, seconds)
        os._exit(0)
    _, status = os.waitpid(copy, 0)
    if status:
        late = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF
        _send(answers, _failure("late" if late else "crash"))


def _failure(reason: str) -> bytes:
    return json.dumps({"error": reason}).encode() + b"\n"


def _send(answers: BinaryIO, answer: bytes) -> None:
    answers.write(answer)
    answers.flush()


def _limit_memory() -> None:
    """Limit the memory that a damaged header can claim, if the system supports it."""
    try:
        import resource
    except ImportError:
        return
    for name, most in (("RLIMIT_AS", _MEMORY), ("RLIMIT_CORE", 0)):
        try:
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (limit, hard))
        except (AttributeError, OSError, ValueError):
            continue


if __name__ == "__main__":
    main()
