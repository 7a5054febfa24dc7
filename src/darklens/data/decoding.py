"""Rules shared by all readers: regular files only, a limit on pixels, no stray warnings."""

import math
import stat
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from darklens.errors import UnreadableImage
from darklens.naming import visible

__all__ = ["MOST_PIXELS", "check_pixel_count", "file_size", "recorded_warnings", "shown"]

MOST_PIXELS = 100_000_000
"""Pixels of the largest image that is read, all channels together."""

_MOST_AXES = 32
_ONE_THREAD = threading.Lock()


def file_size(path: Path) -> int:
    """Size of an ordinary file [bytes]; pipes and devices are refused, as they may never end.

    Raises:
        UnreadableImage: If there is no such file, or nothing in it.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise UnreadableImage("no such file") from None
    except PermissionError:
        raise UnreadableImage("no permission to read the file") from None
    except (OSError, ValueError) as error:  # a loop of links, a name that is too long
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableImage(f"the file cannot be read: {reason}") from None
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableImage("a folder without images")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImage("not an ordinary file but a pipe, a socket or a device")
    if status.st_size == 0:
        raise UnreadableImage("the file is empty")
    return status.st_size


def check_pixel_count(shape: Sequence[int]) -> int:
    """The number of pixels that a header promises, before any of them is read.

    Raises:
        UnreadableImage: If there are too many of them, or too many axes.
    """
    if len(shape) > _MOST_AXES:
        raise UnreadableImage(f"wrong shape: {len(shape)} axes")
    count = math.prod(shape)
    if count > MOST_PIXELS:
        raise UnreadableImage(
            f"too many pixels: {count:.3g} of at most {MOST_PIXELS:.3g}; cut the lens out"
        )
    return count


def shown(text: object, most: int = 40) -> str:
    """Text from a file for a message: short, on one line, without control characters."""
    return visible(" ".join(str(text).split())[:most])


@contextmanager
def recorded_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Keep a decoder's warnings from the user; one thread at a time, as `warnings` needs it."""
    with _ONE_THREAD, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught
