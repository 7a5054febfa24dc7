"""The card of a trained model, from what its training run knows."""

import datetime
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

from darklens import __version__
from darklens.data import Preprocessing
from darklens.hub import InputCard, ModelCard, OutputCard, TrainingCard
from darklens.nn import BudgetedTask
from darklens.simulation import preset_names
from darklens.train.data import TrainingData
from darklens.train.settings import RunSettings

__all__ = ["command_line", "machine_name", "model_card"]


def model_card(
    settings: RunSettings,
    task: BudgetedTask,
    data: TrainingData,
    *,
    preprocessing: Preprocessing,
    network: dict[str, Any],
    preparation: float,
    output: OutputCard | None = None,
) -> ModelCard:
    """Card of a model in its present state, without scores.

    Args:
        settings: The settings of the run.
        task: The training.
        data: The data.
        preprocessing: Steps from a raw image to the network's input.
        network: Description of the network.
        preparation: Time spent on opening or preparing the images [s].
        output: Final processing of generated images; for a generator.
    """
    words = settings.card
    prepared = settings.data.prepared_images or data.preprocessing.spec != preprocessing.spec
    return ModelCard(
        name=settings.name,
        kind=settings.KIND,
        description=words.description,
        classes=data.val.classes,
        input=InputCard(
            *data.shape, pixel_scale=words.pixel_scale or data.pixel_scale, values=words.values
        ),
        preprocessing=tuple(preprocessing.spec),
        network=network,
        output=output,
        training=_training_card(settings, task, preparation if prepared else None),
        licence=words.licence,
    )


def _training_card(
    settings: RunSettings, task: BudgetedTask, preparation: float | None
) -> TrainingCard:
    """How the weights were trained; of several presets the card gives the first."""
    data = settings.data
    again = data.path is None and len(data.presets) == 1 and data.presets[0] in preset_names()
    simulations = data.prepared_images if again and data.prepared_images else None
    return TrainingCard(
        command=command_line(settings.verb, settings.folder),
        images=task.images_seen,
        seconds=round(task.seconds, 1),
        machine=machine_name(),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        version=__version__,
        preset=Path(data.presets[0]).stem if data.presets else None,
        data=None if data.path is None else _printable(data.path.name),
        recipe=settings.name,
        init=settings.init,
        preparation_seconds=None if preparation is None else round(preparation, 1),
        simulations=simulations,
        simulations_seed=None if simulations is None else data.stream_seed,
    )


def command_line(verb: str, folder: Path) -> str:
    """The command line of this run; for a run from Python, one that does the same."""
    words = [*verb.split(), "--config", str(folder / "config.yaml")]
    if Path(sys.argv[0]).name in ("darklens", "__main__.py"):
        words = sys.argv[1:]
    return _printable(f"darklens {shlex.join(words)}")


def machine_name() -> str:
    """Processor and number of cores, such as `AMD EPYC, 2 cores`."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores"


def _printable(text: str) -> str:
    """Text that a card can hold: bytes of file names that are not UTF-8 are escaped."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
