"""Check before the work starts that an output can be written without losing a file.

An output is never written through a symbolic link and never replaces an input. A folder is replaced
only if darklens writes every file in it.
"""

import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from darklens.errors import BadInput
from darklens.files.remote import url_of

__all__ = [
    "OwnFolder",
    "check_added_folder",
    "check_apart",
    "check_file",
    "check_folder",
    "check_folder_name",
]

_FILES = (
    "bmp bz2 cfg ckpt csv dat docx fit fits fz gif gz h5 hdf hdf5 htm html ini ipynb jpeg jpg js "
    "json jsonl log mat md nc npy npz onnx parquet pdf pickle pkl png ps pt pth py rar rst "
    "safetensors sh svg tar tex tgz tif tiff toml tsv txt webp xls xlsx xml xz yaml yml zip"
)
_FILE_ENDINGS = frozenset(f".{ending}" for ending in _FILES.split())


@dataclass(frozen=True)
class OwnFolder:
    """A kind of folder that darklens writes and may replace.

    Attributes:
        marker: File that is always in it.
        begins: Regular expression for the start of the marker's text.
        files: Names of all files that may be in it, with `/` between folders.
    """

    marker: str
    begins: str
    files: frozenset[str]

    def owns(self, name: PurePosixPath | Path) -> bool:
        """Whether darklens writes a file of this name in the folder."""
        return name.as_posix() in self.files

    def problem(self, folder: Path) -> str | None:
        """Why the folder is not of this kind, or None if it is."""
        marker = folder / self.marker
        try:
            with marker.open("rb") as file:
                head = file.read(4096).decode("utf-8", "replace")
        except OSError:
            head = ""
        if marker.is_symlink() or re.match(self.begins, head) is None:
            return "was not written by this verb"
        for item in sorted(folder.rglob("*")):
            name = item.relative_to(folder)
            ours = self._holds(name) if item.is_dir() else self.owns(name)
            if item.is_symlink() or not ours:
                return f"holds {name.as_posix()}, which darklens did not write"
        return None

    def _holds(self, folder: Path) -> bool:
        return any(name.startswith(f"{folder.as_posix()}/") for name in self.files)


def check_file(path: Path) -> None:
    """Check before the work that `atomic_file` will be able to write.

    Raises:
        BadInput: If `path` is not a valid name for a new file.
    """
    _check_place(path, "file")
    if path.is_dir():
        raise BadInput(f"{path} is a folder; give the name of a file to write")
    if path.exists() and not path.is_file():
        raise BadInput(f"{path} is not a regular file; choose another name")


def check_folder(path: Path, *, replaces: OwnFolder | None = None) -> None:
    """Check before the work that `atomic_folder` will be able to write.

    Args:
        path: Folder to create.
        replaces: Kind of existing folder that may be replaced; None to replace nothing.

    Raises:
        BadInput: If `path` exists and may not be replaced, or is not a valid folder name.
    """
    check_folder_name(path)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    problem = None
    if path.is_dir() and replaces is not None:
        problem = replaces.problem(path)
        if problem is None:
            return
    what = f"{path} exists already" + (f" and {problem}" if problem else "")
    raise BadInput(f"{what}; choose another name or remove it first")


def check_added_folder(path: Path) -> None:
    """Check before the work that files, such as figures, can be added to a folder.

    Raises:
        BadInput: If `path` is neither a folder nor a valid name for one, or is not writable.
    """
    _check_here(path, "folder")
    if os.path.isdir(path):  # noqa: PTH112 - false for names that the system does not accept
        if os.access(path, os.W_OK | os.X_OK):
            return
        raise BadInput(f"cannot write into {path}: Permission denied")
    check_folder_name(path)
    if path.exists():
        raise BadInput(f"{path} is a file; give the name of a folder")


def check_folder_name(path: Path, advice: str = "choose another name") -> None:
    """Refuse a folder that cannot be created, or whose name looks like a file name.

    Args:
        path: Folder to create; it may exist.
        advice: What to do if the name looks like a file name.

    Raises:
        BadInput: If it is refused.
    """
    _check_place(path, "folder")
    if path.suffix.lower() in _FILE_ENDINGS:
        raise BadInput(f"{path} should be a folder, but its name ends in {path.suffix}; {advice}")


def check_apart(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output that is one of the inputs, or a folder that contains one.

    Raises:
        BadInput: If it is.
    """
    place = output.resolve()
    for item in inputs:
        found = item.resolve()
        if found == place:
            raise BadInput(f"{output} is an input; choose another name for the output")
        if place in found.parents:
            raise BadInput(f"{output} contains the input {item}; choose another output folder")


def _check_here(path: Path, what: str) -> None:
    if (url := url_of(path)) is not None:
        raise BadInput(f"cannot write {url}: this {what} is made on this machine; give a path here")


def _check_place(path: Path, what: str) -> None:
    _check_here(path, what)
    if path.name in ("", "..") or "\0" in str(path):
        raise BadInput(f"{str(path)!r} is not a valid name for a new {what}")
    try:
        _check_parents(path)
    except OSError as error:  # such as a name that is too long
        raise BadInput(f"cannot write {path}: {error.strerror}") from error


def _check_parents(path: Path) -> None:
    if path.is_symlink():
        raise BadInput(f"{path} is a symbolic link; give its target instead")
    missing = [path]
    for parent in path.absolute().parents:
        if parent.is_dir():
            _check_writable(parent, path)
            _check_lengths(parent, missing)
            return
        if parent.exists() or parent.is_symlink():
            kind = "a file" if parent.exists() else "a broken symbolic link"
            raise BadInput(f"cannot create {path}: {parent} is {kind}")
        missing.append(parent)


def _check_writable(folder: Path, path: Path) -> None:
    """Try to write: permissions alone do not reveal read-only or full disks."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror} ({folder})") from error


def _check_lengths(folder: Path, names: list[Path]) -> None:
    try:
        longest = os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # Windows, or unknown
        return
    for item in names:
        if len(os.fsencode(item.name)) > longest:
            raise BadInput(f"cannot write {item}: File name too long")
