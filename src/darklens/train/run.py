"""What the verbs `train classifier` and `train generator` share: the run from folder to weights."""

import datetime
import os
import platform
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, Trainer, seed_everything
from lightning.pytorch.callbacks import Callback

from darklens import __version__
from darklens.errors import BadConfig
from darklens.files.configuration import write_configuration
from darklens.files.locks import only_writer
from darklens.hub import InputCard, TrainingCard, check_name
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
from darklens.train.data import DataOptions, TrainingData
from darklens.train.run_folder import prepare_folder

__all__ = [
    "CardOptions",
    "Run",
    "command_line",
    "folder_of",
    "input_card",
    "machine_name",
    "open_run",
    "training_card",
]


@dataclass(frozen=True)
class CardOptions:
    """What the model's card says that the run does not know.

    Attributes:
        description: A sentence or two.
        values: What the pixel values of the raw images are.
        pixel_scale: Size of a pixel [arcsec]; a preset's is known.
        licence: Licence of the weights.
    """

    description: str = "A model of lens images."
    values: str = "counts"
    pixel_scale: float | None = None
    licence: str = "MIT"


@dataclass
class Run:
    """A training run that has been opened: what can be checked without its data is right.

    Attributes:
        verb: Words after `darklens`.
        settings: The verb's arguments, for the configuration.
        folder: Folder of the run.
        trainer: What carries it out.
        stop: Signals that end it.
        quiet: Whether it shows no progress.
    """

    verb: str
    settings: Mapping[str, Any]
    folder: Path
    trainer: Trainer
    stop: StopSignals
    quiet: bool

    def train(
        self, task: BudgetedTask, module: LightningDataModule, callbacks: Sequence[Callback] = ()
    ) -> bool:
        """Train to the end of the budget and give the task its best weights.

        Args:
            task: What is trained.
            module: Its data.
            callbacks: Further callbacks of the trainer.

        Returns:
            Whether this process is the one that goes on to write the model.
        """
        trainer: Any = self.trainer  # its list of callbacks has no type
        trainer.callbacks[:0] = callbacks
        if is_first_process():
            write_configuration(self.folder / "config.yaml", self.verb, self.settings)
        say(f"training '{self.settings['name']}' in {self.folder}", quiet=self.quiet)
        fit(self.trainer, task, module, self.folder, stop=self.stop)
        if not is_first_process():
            return False
        best = best_weights(self.folder, say)
        if best is not None:
            task.load_state_dict(best)
        return True


@contextmanager
def open_run(verb: str, settings: Mapping[str, Any], metrics: Sequence[str]) -> Iterator[Run]:
    """Open a run, and end it in order when the process is told to stop.

    What is wrong with the run itself shows here, before its data are read or simulated: its name,
    its end, its folder, damaged checkpoints, the metric that decides, the trainer's arguments. All
    randomness starts from the seed.

    Args:
        verb: Words after `darklens`, for the configuration.
        settings: The verb's arguments: name, budget, run, trainer, output, resume, seed, quiet.
        metrics: Names of what a validation measures.

    Raises:
        BadInput: If the folder cannot be used.
        BadConfig: If a setting is wrong.
        BadModel: If the run is to be resumed and its checkpoints are damaged.
        Stopped: If a signal ended the work.
    """
    quiet = settings["quiet"] or not is_first_process()
    folder = folder_of(settings["name"], settings["output"])
    _check_settings(settings["budget"], settings["run"], metrics)
    with StopSignals() as stop, ExitStack() as held:
        try:
            bar = sys.stderr.isatty() and not quiet
            trainer = build_trainer(
                folder,
                settings["run"],
                progress_bar=bar,
                report=None if quiet or bar else say,
                arguments={
                    "max_epochs": settings["budget"].epochs or -1,
                    **(settings["trainer"] or {}),
                },
                stop=stop,
            )
            if is_first_process():
                held.enter_context(only_writer(folder))
                prepare_folder(folder, resume=settings["resume"], report=say)
            seed_everything(settings["seed"], verbose=False)
            yield Run(verb, settings, folder, trainer, stop, quiet)
        except Stopped:
            if is_first_process():
                on = "; --resume continues the run" if can_resume(folder) else ""
                say(f"darklens: stopped{on}")
            raise


def folder_of(name: str, output: Path | None) -> Path:
    """Folder of the run that trains a model of this name.

    Raises:
        BadModel: If a model cannot have this name.
    """
    check_name(name)
    return Path("runs") / name if output is None else output


def _check_settings(budget: Budget, run: RunConfig, metrics: Sequence[str]) -> None:
    """Refuse a run without end, and a metric that nobody measures."""
    budget.check_ends()
    if run.monitor not in metrics:
        raise BadConfig(
            f"--run.monitor: there is no '{run.monitor}'; known are {', '.join(metrics)}"
        )


def input_card(parts: TrainingData, words: CardOptions) -> InputCard:
    """The raw images of the run, for the card."""
    scale = words.pixel_scale or parts.pixel_scale
    return InputCard(*parts.shape, pixel_scale=scale, values=words.values)


def training_card(
    name: str,
    task: BudgetedTask,
    data: DataOptions,
    *,
    command: str,
    preparation: float,
    init: str | None = None,
) -> TrainingCard:
    """How the weights were made, for the card.

    Args:
        name: Name of the recipe.
        task: The training, at its end.
        data: Where the images came from.
        command: Full command.
        preparation: Time of opening or preparing the images [s]; told where they are prepared.
        init: Model whose weights it began with.
    """
    return TrainingCard(
        command=command,
        images=task.images_seen,
        seconds=round(task.seconds, 1),
        machine=machine_name(),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        version=__version__,
        preset=None if data.preset is None else Path(data.preset).stem,
        data=None if data.path is None else _printable(data.path.name),
        recipe=name,
        init=init,
        preparation_seconds=round(preparation, 1) if data.prepared_images else None,
    )


def command_line(verb: str, folder: Path) -> str:
    """The command line of this run; from Python, the one that does the same."""
    words = [*verb.split(), "--config", str(folder / "config.yaml")]
    if Path(sys.argv[0]).name in ("darklens", "__main__.py"):
        words = sys.argv[1:]
    return _printable(f"darklens {shlex.join(words)}")


def _printable(text: str) -> str:
    """Text that a card can hold: bytes of file names that are not UTF-8 are spelt out."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def machine_name() -> str:
    """Processor and number of its cores, in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores"
