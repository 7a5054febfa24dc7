"""The process that decodes tile-compressed FITS images for `darklens.data.tiles`.

It is run as a script and imports nothing of darklens, so that it starts fast. On standard input
come requests: a line of JSON with the number of bytes and the seconds of computing, then a FITS
file of that many bytes, whose first extension is decoded. On standard output go a line of JSON
with shape and type, or an error, and then the pixels. Where the system can fork, each image is
decoded in a copy of this process, so that a crash costs a copy and no start.
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
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the library may print
    _limit_memory()
    warnings.simplefilter("ignore")
    from astropy.io import fits  # loaded before copies are made

    _send(answers, b"ready\n")
    answer = _in_a_copy if hasattr(os, "fork") else _here
    for line in requests:
        request = json.loads(line)
        answer(fits.open, answers, requests.read(request["bytes"]), request["seconds"])


def _decoded(read: Reader, content: bytes) -> bytes:
    """The answer: a line about the image, and its pixels."""
    with read(io.BytesIO(content), memmap=False) as extensions:
        pixels = extensions[1].data
    told = {"shape": pixels.shape, "dtype": pixels.dtype.str}
    data: bytes = pixels.tobytes()
    return json.dumps(told).encode() + b"\n" + data


def _here(read: Reader, answers: BinaryIO, content: bytes, _: int) -> None:
    """Decode in this process; the one that asks ends it when the time is over."""
    try:
        answer = _decoded(read, content)
    except Exception as error:  # noqa: BLE001  the library raises anything
        answer = _failure(type(error).__name__)
    _send(answers, answer)


def _in_a_copy(read: Reader, answers: BinaryIO, content: bytes, seconds: int) -> None:
    """Decode in a copy of this process, which ends itself when it has computed for too long."""
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
    """Keep a damaged header from taking all memory, where the system knows such a limit."""
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
