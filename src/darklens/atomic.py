"""Files and folders that appear under their final name only when they are complete."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darklens.errors import BadInput

__all__ = ["atomic_file", "atomic_folder"]


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block succeeds.

    The temporary name keeps the ending, because writers choose the format by it.

    Raises:
        BadInput: If `path` is a folder or its parent cannot be made.
    """
    if path.is_dir():
        raise BadInput(f"{path} is a folder; give the name of a file to write")
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    _make_parent(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, *, replace_if_has: str | None = None) -> Iterator[Path]:
    """Give an empty temporary folder beside `path`; rename it to `path` when the block succeeds.

    Args:
        path: Folder to make.
        replace_if_has: An existing folder with a file of this name in it is replaced.

    Raises:
        BadInput: If `path` exists and may not be replaced, or its parent cannot be made.
    """
    old = replace_if_has is not None and (path / replace_if_has).is_file()
    if path.exists() and not old and (not path.is_dir() or any(path.iterdir())):
        raise BadInput(f"{path} exists already; choose another name or remove it first")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    _make_parent(path)
    try:
        temporary.mkdir()
        yield temporary
        if old:
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _make_parent(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot make the folder {path.parent}: {error.strerror}") from error
