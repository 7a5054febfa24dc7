"""Locks that allow one writer at a time and are released when the process ends.

The lock of an output is the file `.NAME.lock` next to it, locked with `flock`; a killed process
leaves at most the file, which by itself locks nothing. On file systems without such locks, the
lock is a file `.NAME.lock.held` that only one process can create; one left by a dead process of
this machine is taken over.
"""

import errno
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from darklens.errors import BadInput

__all__ = ["in_turn", "only_writer", "try_lock"]

_PATIENCE = 0.2  # time between two attempts [s]
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
_UNSUPPORTED |= {errno.EBADF}  # locking a folder, if locks require a file open for writing


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Make this the only process that writes an output, until the end of the block.

    Args:
        path: The output, a file or a folder; it need not exist.

    Raises:
        BadInput: If another process is writing it, or no file can be created next to it.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor, files = _acquire(lock, path)
    except OSError as error:
        raise BadInput(f"cannot write next to {path}: {error.strerror}") from error
    try:
        yield
    finally:
        for file in files:
            with suppress(OSError):  # Windows cannot remove an open file
                file.unlink()
        os.close(descriptor)


@contextmanager
def in_turn(lock: Path) -> Iterator[None]:
    """Let processes do the same work one after another, so that the later ones find it done.

    Args:
        lock: File to lock, which stays; without locks in its file system nobody waits.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        while try_lock(descriptor) is False:
            time.sleep(_PATIENCE)
        yield
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool | None:
    """Lock an open file or folder without waiting.

    Returns:
        Whether it is now locked, or None if the file system has no locks.
    """
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return None
        raise
    return True


def _acquire(lock: Path, path: Path) -> tuple[int, list[Path]]:
    """The open lock, and the files to remove at the end."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            locked = try_lock(descriptor)
            if locked is False:
                raise _busy(path, lock)
            if locked is None:
                held = lock.with_name(f"{lock.name}.held")
                _acquire_by_name(held, path)
                return descriptor, [lock, held]
            if _is_at(descriptor, lock):
                with suppress(OSError):  # on a full disk the lock holds without its description
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, _words().encode())
                return descriptor, [lock]
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its holder has just removed it: take the new one


def _acquire_by_name(held: Path, path: Path) -> None:
    for _ in range(2):
        try:
            with held.open("x", encoding="utf-8") as file:
                file.write(_words())
            return
        except FileExistsError:
            if not _is_left(held):
                break
            held.unlink(missing_ok=True)
    raise _busy(path, held)


def _is_left(held: Path) -> bool:
    """Whether it was left by a process of this machine that no longer exists."""
    words = _holder(held).split()
    if len(words) < 4 or words[3].rstrip(",") != platform.node():
        return False
    try:
        os.kill(int(words[1]), 0)
    except (ProcessLookupError, ValueError):
        return True
    except OSError:
        return False
    return False


def _busy(path: Path, lock: Path) -> BadInput:
    by = _holder(lock) or "another process"
    remove = f", or remove {lock} if that process is dead" if lock.suffix == ".held" else ""
    return BadInput(
        f"{path} is being written by {by}; wait until it is done or choose another name{remove}"
    )


def _is_at(descriptor: int, lock: Path) -> bool:
    """Whether the open file is still the one with that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except FileNotFoundError:
        return False


def _words() -> str:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return f"process {os.getpid()} on {platform.node()}, since {now}"


def _holder(lock: Path) -> str:
    """Description written by the holder, if readable."""
    try:
        with lock.open("rb") as file:
            return file.read(200).decode("utf-8", "replace").strip()
    except OSError:
        return ""
