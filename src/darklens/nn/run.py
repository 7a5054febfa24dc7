"""One training run with Lightning: trainer, loggers, stopping criteria.

The folder of a run holds `metrics.csv`, the TensorBoard logs and `checkpoints/`, from which a
stopped run continues; see `darklens.nn.checkpoints`.
"""

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Any, Literal

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from darklens.errors import BadConfig, BadModel, TrainingFailed
from darklens.nn.checkpoints import (
    CHECKPOINTS,
    CheckpointFiles,
    LastCheckpoint,
    can_resume,
    last_checkpoint,
    read_checkpoint,
)
from darklens.nn.metrics_table import MetricsTable
from darklens.nn.stopping import StopSignals

__all__ = ["RunConfig", "build_trainer", "fit", "is_first_process"]

_OURS = ("callbacks", "default_root_dir", "plugins")  # arguments set by the run itself
_IGNORED_WARNINGS = (
    ".*does not have many workers.*",  # machines with two cores are common
    ".*exists and is not empty.*",  # always so for a resumed run
    ".*smaller than the logging interval.*",
    ".*your dataloader is not resumable.*",  # the data module is
    ".*isinstance.treespec, LeafSpec.*",  # Lightning 2.6 on torch 2.14
    ".*recommended to use `self.log.*sync_dist=True.*",  # all devices log the same value
    ".*GPU available but not used.*",
    ".*in eval mode at the start of training.*",  # frozen parts
)


@dataclass(frozen=True)
class RunConfig:
    """When a run writes checkpoints, and how the best one is chosen.

    Attributes:
        checkpoint_minutes: Time between checkpoints, besides those after each epoch [min].
        monitor: Validation metric that decides.
        mode: Whether the highest or the lowest value is best.
        patience: Validations without improvement after which training stops; 0 means never.
    """

    checkpoint_minutes: float = 3.0
    monitor: str = "val_accuracy"
    mode: Literal["max", "min"] = "max"
    patience: int = 0

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not 0 <= self.checkpoint_minutes < math.inf or self.patience < 0:
            raise BadConfig("--run.checkpoint-minutes and --run.patience must be at least 0")


def build_trainer(
    folder: Path,
    config: RunConfig,
    *,
    progress_bar: bool,
    report: Callable[[str], None] | None,
    arguments: Mapping[str, Any],
    callbacks: Sequence[Callback] = (),
    stop: StopSignals | None = None,
) -> Trainer:
    """Build a Lightning trainer that logs and saves into the folder; writes nothing yet.

    Args:
        folder: Folder of the run.
        config: When to save.
        progress_bar: Whether to show a progress bar.
        report: Called with one line after each validation, or None.
        arguments: Further arguments of `lightning.pytorch.Trainer`, which override ours. The
            `precision` may be `auto`: bf16 in the layers that bear it where the processor or GPU
            computes in it, else single precision.
        callbacks: Further callbacks.
        stop: Signals that end the run between steps.

    Raises:
        BadConfig: If the trainer does not accept the arguments, or not on this machine.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for pattern in _IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", pattern)
    for name in _OURS:
        if name in arguments:
            raise BadConfig(f"trainer.{name} cannot be set: the run sets it")
    settings: dict[str, Any] = {
        "default_root_dir": folder,
        "logger": [
            MetricsTable(folder / "metrics.csv"),
            TensorBoardLogger(folder, name="", version="tensorboard"),
        ],
        "callbacks": [*callbacks, *_callbacks(folder, config, report, stop)],
        "plugins": [CheckpointFiles()],
        "enable_progress_bar": progress_bar,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 10,
        **arguments,
    }
    if settings.get("precision") == "auto":
        settings["precision"] = "bf16-mixed" if _computes_in_bf16(settings) else "32-true"
    try:
        return Trainer(**settings)
    except (
        MisconfigurationException,
        TypeError,
        ValueError,
        RuntimeError,
        ImportError,
        AttributeError,
        KeyError,
    ) as error:
        raise BadConfig(f"trainer: {_one_line(error)}") from error


def _computes_in_bf16(settings: Mapping[str, Any]) -> bool:
    """Whether the device of the run has instructions for bf16, which is slow without them."""
    if torch.cuda.is_available() and settings.get("accelerator", "auto") != "cpu":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    found: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # of recent torch
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "sve_bf16"))


def is_first_process() -> bool:
    """Whether this is the process that writes files and messages in a run on many devices."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)


def fit(
    trainer: Trainer,
    task: LightningModule,
    data: LightningDataModule,
    folder: Path,
    *,
    stop: StopSignals | None = None,
) -> None:
    """Train until the budget is used up, from the last checkpoint if there is one.

    Args:
        trainer: A trainer from `build_trainer`.
        task: The task to train.
        data: Its data.
        folder: Folder of the run.
        stop: The signals that the trainer was built with.

    Raises:
        BadModel: If the checkpoint is damaged or belongs to another network.
        BadConfig: If the trainer's arguments do not suit the data.
        TrainingFailed: If training cannot continue.
        Stopped: If a signal ended it.
    """
    resumed = last_checkpoint(folder) if can_resume(folder) else None
    if resumed is not None:
        _check_fits(task, resumed)
    with _explained(trainer, folder, stop):
        if resumed is None:
            trainer.fit(task, data)
        else:
            trainer.fit(task, data, ckpt_path=resumed, weights_only=True)


@contextmanager
def _explained(trainer: Trainer, folder: Path, stop: StopSignals | None) -> Iterator[None]:
    """Turn exceptions during training into our own errors; end its other processes too."""
    try:
        yield
    except BaseException as error:
        if trainer.world_size > 1:
            launcher: Any = trainer.strategy.launcher
            with suppress(AttributeError):  # only some strategies have child processes
                launcher.kill(SIGTERM)
        if stop is not None:
            stop.check()  # a worker stopped by the same signal may have failed first
        explained = _explanation(error, folder)
        if explained is None:
            raise
        raise explained from error


def _explanation(error: BaseException, folder: Path) -> Exception | None:
    """Our own error for an exception, or None if it is one already or unforeseen."""
    kept = " --resume continues from the last checkpoint." if can_resume(folder) else ""
    if isinstance(error, MisconfigurationException):
        return BadConfig(f"trainer: {_one_line(error)}")
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return TrainingFailed(
            f"not enough memory for a training step: lower --data.batch-size.{kept}"
        )
    if isinstance(error, RuntimeError | OSError | ValueError):
        return TrainingFailed(f"the training stopped: {_one_line(error)}.{kept}")
    return None


def _check_fits(task: LightningModule, checkpoint: Path) -> None:
    """Load the weights of a checkpoint, to check that they fit this network."""
    try:
        task.load_state_dict(read_checkpoint(checkpoint)["state_dict"])
    except (RuntimeError, TypeError, AttributeError) as error:
        raise BadModel(f"cannot resume from {checkpoint}: {_one_line(error)}") from error


class ValidationLines(Callback):
    """Reports one line after each validation.

    Args:
        report: Called with the line.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.report = report

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the validation metrics and the counts logged with them."""
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
    folder: Path,
    config: RunConfig,
    report: Callable[[str], None] | None,
    stop: StopSignals | None,
) -> list[Callback]:
    callbacks: list[Callback] = [
        LastCheckpoint(last_checkpoint(folder), minutes=config.checkpoint_minutes, stop=stop),
        ModelCheckpoint(
            folder / CHECKPOINTS,
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


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
