"""Tile-compressed FITS images, decoded in a separate process.

The library that decompresses tiles (Rice, HCOMPRESS, PLIO, gzip) reads and writes beyond its
buffers if a file is damaged, and crashes the process it runs in. It therefore runs in a separate
process, started for the first such image, reused for later ones, and replaced when it does not
answer.
"""

import atexit
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from darklens.data.decoding import check_pixel_count
from darklens.errors import UnreadableImage

__all__ = ["decode_tiles"]

_SCRIPT = Path(__file__).with_name("tiles_process.py")
_SECONDS, _PIXELS_A_SECOND = 2, 2e6
_WAITING = 20  # allowance for a busy machine
_START_SECONDS = 120.0
_LONGEST_LINE = 1000
_TYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[48])")


def decode_tiles(content: bytes, shape: Sequence[int]) -> np.ndarray[Any, np.dtype[Any]]:
    """The image in the first extension of a FITS file.

    Args:
        content: The file.
        shape: Shape of the image from its header.

    Raises:
        UnreadableImage: If it cannot be decoded.
    """
    return _DECODER.decode(content, shape)


class _Decoder:
    """The other end of `tiles_process`; one request at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def decode(self, content: bytes, shape: Sequence[int]) -> np.ndarray[Any, np.dtype[Any]]:
        """The image; see `decode_tiles`."""
        seconds = _SECONDS + int(check_pixel_count(shape) / _PIXELS_A_SECOND)
        with self._lock:
            process = self._started()
            answer, in_step = None, False
            deadline = _Deadline(process, _WAITING * seconds)
            try:
                with deadline:
                    answer = _ask(process, content, tuple(shape), seconds)
                in_step = not deadline.passed
            except (OSError, ValueError, KeyError, TypeError):  # dead, or an invalid answer
                answer = "late" if deadline.passed else "crash"
            finally:
                if not in_step:
                    self.stop()
        if isinstance(answer, np.ndarray):
            return answer
        reason = "takes too long to decompress" if answer == "late" else "is damaged"
        raise UnreadableImage(f"the compressed image {reason}")

    def stop(self) -> None:
        """End the process; the next image starts a new one."""
        process, self._process = self._process, None
        if process is None:
            return
        _kill(process)
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # unsent data are lost with it
                continue
        process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        """The process, ready for a request."""
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.stop()
        process = subprocess.Popen(
            [sys.executable, "-P", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C goes to the parent only
        )
        self._process = process
        with _Deadline(process, _START_SECONDS):
            ready = _pipe(process.stdout).readline()
        if ready != b"ready\n":
            self.stop()
            raise UnreadableImage("the process that decompresses FITS images failed to start")
        return process


class _Deadline:
    """Kills a process that does not finish in time and sets `passed`."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.passed = False
        self._process = process
        self._timer = threading.Timer(seconds, self._pass)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()

    def _pass(self) -> None:
        self.passed = True
        _kill(self._process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and its forks, which form their own process group."""
    if process.poll() is not None:
        return
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except OSError:  # it has already ended
        return


def _ask(
    process: subprocess.Popen[bytes], content: bytes, shape: tuple[int, ...], seconds: int
) -> np.ndarray[Any, np.dtype[Any]] | str:
    """The image, or why there is none; any error means that the process is out of sync."""
    requests, answers = _pipe(process.stdin), _pipe(process.stdout)
    requests.write(
        json.dumps({"bytes": len(content), "seconds": seconds}).encode() + b"\n" + content
    )
    requests.flush()
    header = json.loads(answers.readline(_LONGEST_LINE))
    if "error" in header:
        return str(header["error"])
    if tuple(header["shape"]) != shape or not _TYPE.fullmatch(header["dtype"]):
        raise ValueError("not the requested image")
    dtype = np.dtype(header["dtype"])
    expected = math.prod(shape) * dtype.itemsize
    data = answers.read(expected)
    if len(data) != expected:
        raise ValueError("the pixels are cut short")
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise OSError("no pipe to the process")
    return pipe


_DECODER = _Decoder()
_INHERITED: list[_Decoder] = []


def _forget() -> None:
    """After a fork, start a new process instead of sharing the parent's."""
    global _DECODER
    _INHERITED.append(_DECODER)
    _DECODER = _Decoder()


atexit.register(lambda: _DECODER.stop())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
