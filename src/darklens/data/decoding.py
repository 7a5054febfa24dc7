"""Rules shared by all readers: regular files only, a pixel limit, no stray warnings."""

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
"""Number of pixels in the largest image that is read, over all channels."""

_MOST_AXES = 32
_ONE_THREAD = threading.RLock()


def file_size(path: Path) -> int:
    """Size of a regular file [byte]; pipes and devices are refused, as they may never end.

    Raises:
        UnreadableImage: If the file is missing or empty.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise UnreadableImage("no such file") from None
    except PermissionError:
        raise UnreadableImage("no permission to read the file") from None
    except (OSError, ValueError) as error:  # circular links, a name that is too long
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableImage(f"the file cannot be read: {reason}") from None
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableImage("a folder without images")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImage("not a regular file but a pipe, a socket or a device")
    if status.st_size == 0:
        raise UnreadableImage("the file is empty")
    return status.st_size


def check_pixel_count(shape: Sequence[int]) -> int:
    """The number of pixels declared by a header, checked before any are read.

    Raises:
        UnreadableImage: If there are too many pixels or too many axes.
    """
    if len(shape) > _MOST_AXES:
        raise UnreadableImage(f"wrong shape: {len(shape)} axes")
    count = math.prod(shape)
    if count > MOST_PIXELS:
        raise UnreadableImage(
            f"too many pixels: {count:.3g} of at most {MOST_PIXELS:.3g}; make a cutout of the lens"
        )
    return count


def shown(text: object, most: int = 40) -> str:
    """Text from a file, made safe for a message: short, on one line, no control characters."""
    return visible(" ".join(str(text).split())[:most])


@contextmanager
def recorded_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Record a decoder's warnings instead of showing them; `warnings` is not thread-safe.

    One within another is allowed.
    """
    with _ONE_THREAD, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught
