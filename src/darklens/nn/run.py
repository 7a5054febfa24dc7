"""One training run as Lightning carries it out: its folder, logs, checkpoints and resumption.

The folder of a run holds `metrics.csv`, the TensorBoard logs, `checkpoints/last.ckpt`, from which
a stopped run continues, and `checkpoints/best.ckpt`, the weights with the best validation.
Checkpoints are read as plain tensors and numbers; no code in them is run.
"""

import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from darklens.errors import BadConfig, BadModel

__all__ = ["RunConfig", "best_weights", "build_trainer", "can_resume", "fit", "is_first_process"]

_CHECKPOINTS = "checkpoints"
_IGNORED_WARNINGS = (
    ".*does not have many workers.*",  # two cores are the rule here
    ".*exists and is not empty.*",  # so it is when a run is resumed
    ".*smaller than the logging interval.*",
    ".*your dataloader is not resumable.*",  # the data module is
    ".*isinstance.treespec, LeafSpec.*",  # Lightning 2.6 on torch 2.14
    ".*recommended to use `self.log.*sync_dist=True.*",  # all devices log the same value
    ".*GPU available but not used.*",
)


@dataclass(frozen=True)
class RunConfig:
    """When a run writes checkpoints and which one is the best.

    Attributes:
        checkpoint_minutes: Time between checkpoints, besides those after each epoch [min].
        monitor: Validation metric that decides.
        mode: Whether the metric is best when highest or lowest.
        patience: Validations without improvement after which training stops; 0 means never.
    """

    checkpoint_minutes: float = 3.0
    monitor: str = "val_accuracy"
    mode: Literal["max", "min"] = "max"
    patience: int = 0


def build_trainer(
    folder: Path,
    config: RunConfig,
    *,
    progress_bar: bool,
    report: Callable[[str], None] | None,
    arguments: Mapping[str, Any],
    callbacks: Sequence[Callback] = (),
) -> Trainer:
    """A Lightning trainer that logs and saves into the folder.

    Args:
        folder: Folder of the run.
        config: When to save.
        progress_bar: Whether to draw a bar.
        report: Takes one line after each validation, or None.
        arguments: Further arguments of `lightning.pytorch.Trainer`, which win over ours.
        callbacks: Further callbacks, besides our own.

    Raises:
        BadConfig: If the trainer does not take the arguments.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for pattern in _IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", pattern)
    _keep_older_metrics(folder)
    settings: dict[str, Any] = {
        "default_root_dir": folder,
        "logger": [
            CSVLogger(folder, name="", version=""),
            TensorBoardLogger(folder, name="", version="tensorboard"),
        ],
        "callbacks": [*callbacks, *_callbacks(folder, config, report)],
        "enable_progress_bar": progress_bar,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 10,
        **arguments,
    }
    try:
        return Trainer(**settings)
    except (TypeError, ValueError) as error:
        raise BadConfig(f"trainer: {error}") from error


def is_first_process() -> bool:
    """Whether this is the one process, of a run on many devices, that writes files and speaks."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)


def can_resume(folder: Path) -> bool:
    """Whether there is a checkpoint from which the run can continue."""
    return _last(folder).is_file()


def fit(trainer: Trainer, task: LightningModule, data: LightningDataModule, folder: Path) -> None:
    """Train until the end of the budget, from the last checkpoint if there is one.

    Raises:
        BadModel: If the checkpoint is damaged or belongs to another network.
    """
    if not can_resume(folder):
        trainer.fit(task, data)
        return
    last = _last(folder)
    try:
        task.load_state_dict(torch.load(last, map_location="cpu", weights_only=True)["state_dict"])
    except UnpicklingError as error:
        raise BadModel(f"cannot resume from {last}: it is not a checkpoint of ours") from error
    except (RuntimeError, KeyError, TypeError, EOFError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadModel(f"cannot resume from {last}: {reason}") from error
    trainer.fit(task, data, ckpt_path=last, weights_only=True)


def best_weights(folder: Path) -> Mapping[str, Any] | None:
    """State of the task at its best validation, or None if there was none."""
    path = folder / _CHECKPOINTS / "best.ckpt"
    if not path.is_file():
        return None
    state = torch.load(path, map_location="cpu", weights_only=True)
    weights: Mapping[str, Any] = state["state_dict"]
    return weights


class LastCheckpoint(Checkpoint):
    """Saves the whole state of the run after each epoch and every few minutes.

    Args:
        path: The file, replaced each time.
        minutes: Time between two saves within an epoch [min].
    """

    def __init__(self, path: Path, *, minutes: float) -> None:
        self.path = path
        self.seconds = 60 * minutes
        self._saved = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._saved = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time; the last batch of an epoch leaves it to the epoch's end."""
        due = time.monotonic() - self._saved >= self.seconds
        due = bool(trainer.strategy.broadcast(due)) if trainer.world_size > 1 else due
        if due and not trainer.is_last_batch and not trainer.should_stop:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after the validation of the epoch."""
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._saved = time.monotonic()


class ValidationLines(Callback):
    """Reports one line after each validation.

    Args:
        report: Takes the line.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.report = report

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the metrics of the validation and the counts that are logged with them."""
        if not trainer.is_global_zero:
            return
        metrics = trainer.callback_metrics
        counts = [f"{name} {metrics[name]:.0f}" for name in ("images", "seconds")]
        values = [
            f"{name.removeprefix('val_')} {float(value):.4f}"
            for name, value in metrics.items()
            if name.startswith("val_")
        ]
        self.report(f"epoch {trainer.current_epoch + 1}: {', '.join(counts + values)}")


def _callbacks(
    folder: Path, config: RunConfig, report: Callable[[str], None] | None
) -> list[Callback]:
    callbacks: list[Callback] = [
        LastCheckpoint(_last(folder), minutes=config.checkpoint_minutes),
        ModelCheckpoint(
            folder / _CHECKPOINTS,
            filename="best",
            monitor=config.monitor,
            mode=config.mode,
            save_weights_only=True,
            save_on_train_epoch_end=False,
            enable_version_counter=False,
        ),
    ]
    if config.patience:
        callbacks.append(
            EarlyStopping(
                config.monitor,
                mode=config.mode,
                patience=config.patience,
                check_on_train_epoch_end=False,
            )
        )
    return callbacks if report is None else [ValidationLines(report), *callbacks]


def _last(folder: Path) -> Path:
    return folder / _CHECKPOINTS / "last.ckpt"


def _keep_older_metrics(folder: Path) -> None:
    """Number the table of the part of the run before a stop; the logger would delete it."""
    current = folder / "metrics.csv"
    if is_first_process() and current.is_file():
        parts = len(list(folder.glob("metrics.*.csv")))
        current.rename(folder / f"metrics.{parts + 1}.csv")
