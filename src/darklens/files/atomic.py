"""Write files and folders atomically: the final name appears only when they are complete.

Unfinished output is next to its final place under a hidden name, `.NAME.xxxxxxxxxxxx.partial`,
unique to each process. What a killed process leaves behind is removed by the next one that writes
there. `places` defines what may be written where.
"""

import ctypes
import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from darklens.errors import BadInput
from darklens.files.locks import try_lock
from darklens.files.places import OwnFolder, check_file, check_folder

__all__ = ["atomic_file", "atomic_folder", "temporary_folder", "writing"]

_PARTIAL = re.compile(r"\..+\.([0-9a-f]{4})[0-9a-f]{8}\.partial(\.[^.]*)?", re.DOTALL)
_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:4]
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_swept: set[Path] = set()


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Provide a temporary file next to `path`, renamed to `path` when the block succeeds.

    The temporary name keeps the suffix, because writers infer the format from it.

    Raises:
        BadInput: If `path` is not a valid name for a new file, or the disk is full.
    """
    check_file(path)
    with writing(path):
        _prepare(path)
        temporary = _temporary(path)
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            try_lock(descriptor)
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            os.close(descriptor)
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, *, replaces: OwnFolder | None = None) -> Iterator[Path]:
    """Provide an empty temporary folder next to `path`, renamed to `path` when the block succeeds.

    An existing folder stays intact until the new one replaces it, and is then removed. If `path`
    becomes unavailable meanwhile, the new folder is kept under a name given in the error.

    Args:
        path: Folder to create.
        replaces: Kind of existing folder that may be replaced; None to replace nothing.

    Raises:
        BadInput: If `path` exists and may not be replaced, cannot be created, or the disk is full.
    """
    check_folder(path, replaces=replaces)
    with writing(path), temporary_folder(path) as temporary:
        yield temporary
        _put_in_place(temporary, path, replaces)


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Provide an empty folder next to `path`, removed at the end unless renamed."""
    _prepare(path)
    temporary = _temporary(path)
    temporary.mkdir()
    descriptor = _lock_folder(temporary)
    try:
        yield temporary
    finally:
        if descriptor is not None:
            os.close(descriptor)
        shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(temporary: Path, path: Path, replaces: OwnFolder | None) -> None:
    try:
        check_folder(path, replaces=replaces)  # again, as the work may have taken hours
        old = path.is_dir() and any(path.iterdir())
        if not old:
            temporary.replace(path)
            return
    except (OSError, BadInput) as error:
        kept = path.with_name(f"{path.name}.new-{secrets.token_hex(4)}")
        temporary.rename(kept)
        raise BadInput(f"{error}; the new output is kept in {kept}") from error
    if not _exchange(temporary, path):
        aside = _temporary(path)
        path.rename(aside)
        temporary.rename(path)
        aside.rename(temporary)
    if replaces is not None:
        _remove_old(temporary, path, replaces)


def _remove_old(folder: Path, path: Path, kind: OwnFolder) -> None:
    """Remove our own files and nothing else."""
    for file in folder.rglob("*"):
        if kind.owns(file.relative_to(folder)) and not file.is_dir():
            with suppress(OSError):
                file.unlink()
    for below in sorted((item for item in folder.rglob("*") if item.is_dir()), reverse=True):
        with suppress(OSError):
            below.rmdir()
    try:
        folder.rmdir()
    except OSError as error:
        kept = path.with_name(f"{path.name}.old-{secrets.token_hex(4)}")
        folder.rename(kept)
        raise BadInput(
            f"{path} is written, but other files were added to the previous one meanwhile; they "
            f"are kept in {kept}"
        ) from error


def _exchange(one: Path, other: Path) -> bool:
    """Swap the names of two folders atomically, if the system supports it (Linux)."""
    if sys.platform != "linux":
        return False
    here, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    done: int = function(here, os.fsencode(one), here, os.fsencode(other), exchange)
    return done == 0


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's errors about a path or a full disk into one line.

    Raises:
        BadInput: If the disk is full or the path cannot be written.
    """
    try:
        yield
    except OSError as error:
        own = error.filename is not None and _PARTIAL.fullmatch(Path(str(error.filename)).name)
        if not own and error.errno not in _FULL:
            raise
        raise BadInput(f"cannot write {path}: {error.strerror}") from error


def _prepare(path: Path) -> None:
    """Create the parent folder, and once per folder remove what killed processes left in it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot create the folder {path.parent}: {error.strerror}") from error
    parent = path.parent.absolute()
    if parent not in _swept:
        _swept.add(parent)
        with suppress(OSError):
            for item in list(os.scandir(parent)):
                _remove_left(Path(item.path))


def _remove_left(item: Path) -> None:
    """Remove an unfinished file or folder of this machine whose writer no longer exists."""
    match = _PARTIAL.fullmatch(item.name)
    if match is None or match.group(1) != _MACHINE or item.is_symlink():
        return
    with suppress(OSError):
        if abs(time.time() - item.stat().st_mtime) < 1.0:  # later than now by a wrong clock
            return  # its writer may be about to lock it
        descriptor = os.open(item, os.O_RDONLY)
        try:
            if try_lock(descriptor):
                shutil.rmtree(item) if item.is_dir() else item.unlink()
        finally:
            os.close(descriptor)


def _temporary(path: Path) -> Path:
    stem = os.fsencode(path.stem)[:60].decode("utf-8", "ignore").lstrip(".") or "output"
    return path.with_name(f".{stem}.{_MACHINE}{secrets.token_hex(4)}.partial{path.suffix}")


def _lock_folder(folder: Path) -> int | None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot open folders
        return None
    try_lock(descriptor)
    return descriptor
