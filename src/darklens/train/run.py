"""A training run from its folder to its best weights, for classifiers and generators alike."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import Callback

from darklens.data import Augmentation, LensDataModule
from darklens.errors import BadConfig
from darklens.files.configuration import write_configuration
from darklens.files.locks import only_writer
from darklens.files.remote import fetched, url_of
from darklens.nn import (
    Budget,
    BudgetedTask,
    RunConfig,
    Stopped,
    StopSignals,
    best_weights,
    build_trainer,
    can_resume,
    fit,
    is_first_process,
)
from darklens.progress import say
from darklens.train.data import TrainingData
from darklens.train.run_folder import prepare_folder
from darklens.train.settings import RunSettings

__all__ = ["Run", "data_here", "open_run"]


@dataclass(frozen=True)
class Run:
    """An open training run, after all checks that need no data.

    Attributes:
        folder: Folder of the run.
        trainer: Lightning's trainer.
        stop: Signals that end the run.
        quiet: Show no progress.
        data_place: Where the images of `data.path` are on this machine, if there is such a path.
    """

    folder: Path
    trainer: Trainer
    stop: StopSignals
    quiet: bool
    data_place: Path | None = None

    def train(
        self,
        settings: RunSettings,
        task: BudgetedTask,
        data: TrainingData,
        *,
        augmentation: Augmentation,
        callbacks: Sequence[Callback] = (),
    ) -> bool:
        """Train until the budget is spent and give the task its best weights.

        Args:
            settings: The settings of the run, which are written to `config.yaml`.
            task: What is trained.
            data: The data.
            augmentation: Random changes of the training images.
            callbacks: Further callbacks of the trainer.

        Returns:
            Whether this process is the one that writes the model.
        """
        module = LensDataModule(
            data.train,
            data.preprocessing,
            val=data.val,
            augmentation=augmentation,
            batch_size=settings.data.batch_size,
            workers=data.workers,
            seed=settings.seed,
            images_per_epoch=settings.data.epoch_images,
            check_leaks=False,  # training_data has compared all parts already
        )
        trainer: Any = self.trainer  # its list of callbacks has no type
        trainer.callbacks[:0] = callbacks
        if is_first_process():
            write_configuration(self.folder / "config.yaml", settings.verb, vars(settings))
        say(f"training '{settings.name}' in {self.folder}", quiet=self.quiet)
        fit(self.trainer, task, module, self.folder, stop=self.stop)
        if not is_first_process():
            return False
        best = best_weights(self.folder, say)
        if best is not None:
            task.load_state_dict(best)
        return True


@contextmanager
def open_run(
    settings: RunSettings, metrics: Sequence[str], data_place: Path | None = None
) -> Iterator[Run]:
    """Open a run, and end it properly when the process receives SIGINT or SIGTERM.

    Errors in the settings of the run itself (its name, budget, folder, monitored metric, trainer)
    and damaged checkpoints are reported here, before any data are read or simulated. Data at a URL
    are copied to this machine, and the copy is removed at the end. All randomness starts from the
    seed.

    Args:
        settings: The settings of the run.
        metrics: Names of the validation metrics.
        data_place: Where the images of `data.path` are, if they have been copied already.

    Raises:
        BadInput: If the folder cannot be used, or data at a URL cannot be read.
        BadConfig: If a setting is wrong.
        BadModel: If the run is to be resumed and its checkpoints are damaged.
        Stopped: If a signal ended the work.
    """
    quiet = settings.quiet or not is_first_process()
    folder = settings.folder
    _check_settings(settings.budget, settings.run, metrics)
    with StopSignals() as stop, ExitStack() as held:
        try:
            trainer = _trainer(settings, folder, stop, quiet=quiet)
            if is_first_process():
                held.enter_context(only_writer(folder))
                prepare_folder(folder, resume=settings.resume, report=say)
            seed_everything(settings.seed, verbose=False)
            if data_place is None and settings.data.path is not None:
                data_place = held.enter_context(data_here(settings.data.path, quiet=quiet))
            yield Run(folder, trainer, stop, quiet, data_place)
        except Stopped:
            if is_first_process():
                on = "; --resume continues the run" if can_resume(folder) else ""
                say(f"darklens: stopped{on}")
            raise


@contextmanager
def data_here(path: Path, *, quiet: bool) -> Iterator[Path]:
    """Where the images of a run are on this machine; a copy of those at a URL ends with the block.

    Args:
        path: Folder, store or URL.
        quiet: Do not say what is copied.

    Raises:
        BadInput: If there is nothing at a URL, or it cannot be read.
    """
    if (url := url_of(path)) is not None:
        say(f"copying {url} to this machine", quiet=quiet)
    with fetched(path) as place:
        yield place


def _trainer(settings: RunSettings, folder: Path, stop: StopSignals, *, quiet: bool) -> Trainer:
    """The trainer, with a progress bar on a terminal and a line for each validation without one."""
    bar = sys.stderr.isatty() and not quiet
    return build_trainer(
        folder,
        settings.run,
        progress_bar=bar,
        report=None if quiet or bar else say,
        arguments={"max_epochs": settings.budget.epochs or -1, **(settings.trainer or {})},
        stop=stop,
    )


def _check_settings(budget: Budget, run: RunConfig, metrics: Sequence[str]) -> None:
    """Refuse a run without an end, and a metric that no validation measures."""
    budget.check_ends()
    if run.monitor not in metrics:
        raise BadConfig(
            f"--run.monitor: there is no '{run.monitor}'; choose from {', '.join(metrics)}"
        )
