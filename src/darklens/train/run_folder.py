"""The folder of a training run: check whether a run can start or continue there.

A folder with only files of darklens and no checkpoint is from a run that ended before it saved
anything; a new run may start there. Files of the user are never removed or replaced.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

from darklens.errors import BadInput
from darklens.files.places import check_folder
from darklens.hub.weights import MODEL_FOLDER
from darklens.nn import can_resume, recover

__all__ = ["prepare_folder"]

_PARTIAL = r"\..*\.partial(\..*)?"
_FILES = {  # names of our files, by folder
    "": r"config\.yaml|metrics(\.\d+)?\.csv|hparams\.yaml|parts\.csv|bad_files\.csv",
    "tensorboard": r"events\.out\.tfevents\..*|hparams\.yaml",
    "checkpoints": r"(last|previous|best|damaged)\.ckpt",
    "previews": r"epoch-\d+\.png",
    "prepared": r"(train|val)\.(npy|yaml)|codes\.npz",
    "prepared/files": r"[0-9a-f]{16}-[0-9a-f]{16}\.(npy|json)",
    "prepared/train.done": r"\d+",
    "prepared/val.done": r"\d+",
}
_CONFIGURATION = re.compile(r"# darklens \S+: darklens train ")


def prepare_folder(folder: Path, *, resume: bool, report: Callable[[str], None]) -> None:
    """Create the folder of a run, or prepare an existing one for a run that continues or restarts.

    Args:
        folder: Folder of the run.
        resume: Whether to continue the run in the folder.
        report: Called with one line for each damaged checkpoint.

    Raises:
        BadInput: If the folder already has a run that should not be continued, holds other files,
            or cannot be written to.
        BadModel: If the run should be continued and its checkpoints are damaged.
    """
    _check_writable(folder)
    begun, finished = can_resume(folder), (folder / "model").exists()
    if resume and begun:
        check_folder(folder / "model", replaces=MODEL_FOLDER)  # before training, not after it
        _remove_partial(folder)
        recover(folder, report)
        return
    if finished and not begun:
        raise BadInput(
            f"{folder} holds a model, but no checkpoint of its run; choose another --output"
        )
    if begun:
        raise BadInput(
            f"{folder} holds a run; continue it with --resume or choose another --output"
        )
    strange = _strange(folder)
    if strange is not None:
        raise BadInput(
            f"{folder} is not the folder of a training run, as it holds {strange}; "
            "choose another --output"
        )
    _remove_partial(folder)
    for left in ("metrics.csv", "checkpoints/best.ckpt"):  # of a run that saved nothing else
        (folder / left).unlink(missing_ok=True)


def _check_writable(folder: Path) -> None:
    probe = folder / f".{os.getpid()}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except FileExistsError as error:
        raise BadInput(f"{folder} is a file; give --output the name of a folder") from error
    except OSError as error:
        raise BadInput(f"cannot write to the folder {folder}: {error.strerror}") from error


def _strange(folder: Path) -> str | None:
    """The first file in the folder that was not written by a run; None if there is none."""
    for place, known in _FILES.items():
        inside = folder / place
        for path in sorted(inside.iterdir()) if inside.is_dir() else ():
            if not _is_ours(path, f"{place}/{path.name}".lstrip("/"), known):
                return path.relative_to(folder).as_posix()
    return None


def _is_ours(path: Path, place: str, known: str) -> bool:
    """Whether a run writes a file or folder of this name here."""
    if path.is_symlink():
        return False
    if path.is_dir():
        return place in _FILES or re.fullmatch(_PARTIAL, place) is not None
    if place == "config.yaml":
        return _is_configuration(path)
    return re.fullmatch(f"{known}|{_PARTIAL}", path.name) is not None


def _is_configuration(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return _CONFIGURATION.match(file.readline(200)) is not None


def _remove_partial(folder: Path) -> None:
    """Remove unfinished temporary files of killed processes."""
    for path in (*folder.glob(".*.partial*"), *folder.glob("checkpoints/.*.partial*")):
        if path.is_file():
            path.unlink(missing_ok=True)
