"""Files and folders that appear under their final name only when they are complete."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from darklens.errors import BadInput

__all__ = ["atomic_file", "atomic_folder", "check_file", "check_folder"]


def check_file(path: Path) -> None:
    """Refuse before the work what `atomic_file` would refuse after it.

    Raises:
        BadInput: If `path` cannot be the name of a new file.
    """
    if path.is_dir():
        raise BadInput(f"{path} is a folder; give the name of a file to write")
    _check_parents(path)


def check_folder(path: Path, *, replace_if_has: str | None = None) -> None:
    """Refuse before the work what `atomic_folder` would refuse after it.

    Raises:
        BadInput: If `path` exists and may not be replaced, or cannot be the name of a folder.
    """
    if path.name in ("", ".."):
        raise BadInput(f"{path} is not the name of a new folder")
    replaced = replace_if_has is not None and (path / replace_if_has).is_file()
    empty = path.is_dir() and not any(path.iterdir())
    if (path.exists() or path.is_symlink()) and not (replaced or empty):
        raise BadInput(f"{path} exists already; choose another name or remove it first")
    _check_parents(path)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block succeeds.

    The temporary name keeps the ending, because writers choose the format by it.

    Raises:
        BadInput: If `path` is a folder, or it or its parent cannot be made.
    """
    check_file(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    _make_parent(path)
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.filename != str(temporary):
            raise
        raise BadInput(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, *, replace_if_has: str | None = None) -> Iterator[Path]:
    """Give an empty temporary folder beside `path`; rename it to `path` when the block succeeds.

    Args:
        path: Folder to make.
        replace_if_has: An existing folder with a file of this name in it is replaced.

    Raises:
        BadInput: If `path` exists and may not be replaced, or it or its parent cannot be made.
    """
    check_folder(path, replace_if_has=replace_if_has)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    _make_parent(path)
    try:
        temporary.mkdir()
        yield temporary
        if path.is_dir() and any(path.iterdir()):
            shutil.rmtree(path)
        temporary.replace(path)
    except OSError as error:
        if error.filename != str(temporary):
            raise
        raise BadInput(f"cannot write {path}: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_parents(path: Path) -> None:
    """A file among the parents can never hold anything."""
    for parent in path.absolute().parents:
        if parent.exists() and not parent.is_dir():
            raise BadInput(f"cannot make {path}: {parent} is a file")


def _make_parent(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot make the folder {path.parent}: {error.strerror}") from error
