"""The checkpoints of a run: written so that a valid one always exists, read as plain tensors.

`last.ckpt` is the whole state of the run, `previous.ckpt` the one before it, `best.ckpt` the
weights with the best validation. A checkpoint is written to a temporary file, flushed to disk and
renamed, so that neither a kill nor a full disk can damage an existing one. No code in a checkpoint
is executed.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from darklens.errors import BadModel, TrainingFailed
from darklens.nn.metrics_table import MetricsTable
from darklens.nn.stopping import StopSignals

__all__ = [
    "CHECKPOINTS",
    "CheckpointFiles",
    "LastCheckpoint",
    "best_weights",
    "can_resume",
    "last_checkpoint",
    "read_checkpoint",
    "recover",
]

CHECKPOINTS = "checkpoints"
_LAST, _PREVIOUS, _BEST, _DAMAGED = "last.ckpt", "previous.ckpt", "best.ckpt", "damaged.ckpt"
_PARTS = ("state_dict", "loops", "optimizer_states", "counts")  # needed to resume
_UNREADABLE = (
    OSError,
    RuntimeError,
    UnpicklingError,
    EOFError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
)


class CheckpointFiles(TorchCheckpointIO):
    """Writes checkpoints atomically, and keeps the one before as the previous checkpoint."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint.

        Raises:
            TrainingFailed: If it cannot be written; existing checkpoints are unchanged.
        """
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            if path.name == _LAST and path.is_file():
                _keep(path, path.with_name(_PREVIOUS))
            temporary.replace(path)
            _flush_names(path.parent)
        except (OSError, RuntimeError) as error:
            kept = "; earlier checkpoints are kept, and --resume continues from them"
            raise TrainingFailed(
                f"cannot write the checkpoint {path}: {_why_not_written(error)}"
                f"{kept if can_resume(path.parent.parent) else ''}"
            ) from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


class LastCheckpoint(Checkpoint):
    """Saves the whole state of the run after each epoch, every few minutes, and when it is stopped.

    Args:
        path: The file, overwritten each time.
        minutes: Time between two saves within an epoch [min].
        stop: Signals on which the run saves its state and ends; handled between training steps,
            or at once during validation.
    """

    def __init__(self, path: Path, *, minutes: float, stop: StopSignals | None = None) -> None:
        self.path = path
        self.seconds = 60 * minutes
        self.stop = StopSignals() if stop is None else stop
        self._saved = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._saved = time.monotonic()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Defer signals to the end of a step from here on."""
        self.stop.patient = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if due; after the last batch of an epoch the end of the epoch does it."""
        due = time.monotonic() - self._saved >= self.seconds
        if trainer.world_size > 1:  # a signal may reach one process alone
            due = bool(trainer.strategy.broadcast(due))
        else:
            due = due or self.stop.received is not None
        if due and not trainer.is_last_batch and not trainer.should_stop:
            self._save(trainer, pl_module)
        self.stop.check()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The weights do not change here, so a signal ends the run at once."""
        self.stop.patient = False
        self.stop.check()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Defer signals again, until the next checkpoint."""
        self.stop.patient = trainer.state.fn == "fit"

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after the validation of the epoch."""
        self._save(trainer, pl_module)
        self.stop.check()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """From here on a signal ends the process at once."""
        self.stop.patient = False

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Stop deferring signals, as the current step will not end."""
        self.stop.patient = False

    def _save(self, trainer: Trainer, module: LightningModule) -> None:
        if not all(bool(weight.isfinite().all()) for weight in module.parameters()):
            raise TrainingFailed(
                "the training diverged: a weight is not finite; no checkpoint holds this "
                "state. Lower --training.learning-rate, or limit the gradients with "
                "--trainer.gradient-clip-val 1"
            )
        for logger in trainer.loggers:
            if isinstance(logger, MetricsTable):
                logger.write()
        trainer.save_checkpoint(self.path)
        self._saved = time.monotonic()


def last_checkpoint(folder: Path) -> Path:
    """File of the whole state of the run in a folder."""
    return folder / CHECKPOINTS / _LAST


def can_resume(folder: Path) -> bool:
    """Whether there is a checkpoint from which the run can continue."""
    last = last_checkpoint(folder)
    return last.is_file() or last.with_name(_PREVIOUS).is_file()


def recover(folder: Path, report: Callable[[str], None]) -> None:
    """Check that the last checkpoint can be read, or replace it by the previous one.

    Args:
        folder: Folder of the run.
        report: Called with one line for each damaged checkpoint.

    Raises:
        BadModel: If no checkpoint can be read.
    """
    last = last_checkpoint(folder)
    previous = last.with_name(_PREVIOUS)
    if last.is_file():
        try:
            _check_state(last)
            return
        except BadModel as error:
            if not previous.is_file():
                raise
            _check_state(previous)
            report(f"{error}; the run continues from the one before it")
            last.replace(last.with_name(_DAMAGED))
    else:
        _check_state(previous)
        report(f"{last} is missing; the run continues from the one before it")
    previous.replace(last)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Content of a checkpoint.

    Raises:
        BadModel: If it is damaged or not a darklens checkpoint.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {**state, "state_dict": dict(state["state_dict"])}
    except UnpicklingError as error:
        raise BadModel(f"cannot resume from {path}: it is not a darklens checkpoint") from error
    except _UNREADABLE as error:
        raise BadModel(f"cannot resume from {path}: it is damaged ({_one_line(error)})") from error


def best_weights(
    folder: Path, report: Callable[[str], None] | None = None
) -> Mapping[str, Any] | None:
    """State of the task at its best validation, or None if there is none.

    Args:
        folder: Folder of the run.
        report: Called with one line if the file is damaged; the result is then None.
    """
    path = folder / CHECKPOINTS / _BEST
    if not path.is_file():
        return None
    try:
        weights: Mapping[str, Any] = read_checkpoint(path)["state_dict"]
    except BadModel as error:
        if report is not None:
            report(f"{error}; using the last weights")
        return None
    return weights


def _check_state(path: Path) -> None:
    state = read_checkpoint(path)
    missing = [name for name in _PARTS if name not in state]
    if missing:
        raise BadModel(f"cannot resume from {path}: it has no {missing[0]}")


def _keep(path: Path, older: Path) -> None:
    """Link the file under a second name; it exists under a name at all times."""
    link = path.with_name(f".{older.name}.{os.getpid()}.partial")
    try:
        os.link(path, link)
        link.replace(older)
        link.unlink(missing_ok=True)  # still there if both were the same file
    except OSError:  # a file system without hard links
        path.replace(older)


def _flush_names(folder: Path) -> None:
    """Flush the entries of a folder to disk, if the system supports it."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _why_not_written(error: OSError | RuntimeError) -> str:
    """Reason in words; torch reports its own source line instead of the system's reason."""
    if isinstance(error, OSError):
        return error.strerror or _one_line(error)
    if "inline_container" in str(error) or "PytorchStreamWriter" in str(error):
        return "the disk is full, or the file exceeds a size limit"
    return _one_line(error)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
