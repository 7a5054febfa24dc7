"""What the verbs `train classifier` and `train generator` share: the run from folder to weights."""

import datetime
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, seed_everything
from lightning.pytorch.callbacks import Callback

from darklens import __version__
from darklens.cli.configuration import write_configuration
from darklens.cli.progress import say
from darklens.cli.training_data import DataOptions, TrainingData
from darklens.errors import BadInput
from darklens.hub import InputCard, TrainingCard
from darklens.nn import (
    BudgetedTask,
    RunConfig,
    best_weights,
    build_trainer,
    fit,
    is_first_process,
)

__all__ = [
    "CardOptions",
    "carry_out",
    "command_line",
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


def open_run(name: str, output: Path | None, *, resume: bool, seed: int) -> Path:
    """Folder of a run; all randomness starts from the seed.

    Raises:
        BadInput: If there is a run in the folder already that is not to be continued.
    """
    folder = Path("runs") / name if output is None else output
    if is_first_process() and folder.exists() and any(folder.iterdir()) and not resume:
        raise BadInput(f"{folder} exists; continue it with --resume or choose another --output")
    seed_everything(seed, verbose=False)
    return folder


def carry_out(
    task: BudgetedTask,
    module: LightningDataModule,
    folder: Path,
    *,
    verb: str,
    settings: Mapping[str, Any],
    run: RunConfig,
    trainer: Mapping[str, Any] | None,
    quiet: bool,
    callbacks: Sequence[Callback] = (),
) -> bool:
    """Train to the end of the budget and give the task its best weights.

    Args:
        task: What is trained.
        module: Its data.
        folder: Folder of the run.
        verb: Words after `darklens`, for the configuration.
        settings: The verb's arguments, for the configuration.
        run: Checkpoints, early stopping.
        trainer: Further arguments of Lightning's trainer.
        quiet: Show no progress.
        callbacks: Further callbacks of the trainer.

    Returns:
        Whether this process is the one that goes on to write the model.
    """
    bar = sys.stderr.isatty() and not quiet
    lightning = build_trainer(
        folder,
        run,
        progress_bar=bar,
        report=None if quiet or bar else say,
        arguments={"max_epochs": task.budget.epochs or -1, **(trainer or {})},
        callbacks=callbacks,
    )
    if is_first_process():
        write_configuration(folder / "config.yaml", verb, settings)
    say(f"training '{settings['name']}' in {folder}", quiet=quiet)
    fit(lightning, task, module, folder)
    if not is_first_process():
        return False
    best = best_weights(folder)
    if best is not None:
        task.load_state_dict(best)
    return True


def input_card(parts: TrainingData, words: CardOptions) -> InputCard:
    """The raw images of the run, for the card."""
    scale = words.pixel_scale or parts.pixel_scale
    return InputCard(*parts.shape, pixel_scale=scale, values=words.values)


def training_card(
    name: str, task: BudgetedTask, data: DataOptions, *, command: str, preparation: float
) -> TrainingCard:
    """How the weights were made, for the card.

    Args:
        name: Name of the recipe.
        task: The training, at its end.
        data: Where the images came from.
        command: Full command.
        preparation: Time of opening or preparing the images [s]; told where they are prepared.
    """
    return TrainingCard(
        command=command,
        images=task.images_seen,
        seconds=round(task.seconds, 1),
        machine=machine_name(),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        version=__version__,
        preset=None if data.preset is None else Path(data.preset).stem,
        data=None if data.path is None else data.path.name,
        recipe=name,
        preparation_seconds=round(preparation, 1) if data.prepared_images else None,
    )


def command_line(verb: str, folder: Path) -> str:
    """The command line of this run; from Python, the one that does the same."""
    words = [*verb.split(), "--config", str(folder / "config.yaml")]
    if Path(sys.argv[0]).name in ("darklens", "__main__.py"):
        words = sys.argv[1:]
    return f"darklens {shlex.join(words)}"


def machine_name() -> str:
    """Processor and number of its cores, in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores"
