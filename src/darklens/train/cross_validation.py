"""Cross-validation: a model for each fold of the training images, and their scores together.

Each model is a run of its own in `fold-1`, `fold-2` and so on, tested on the fold that it has not
seen. `folds.json` holds the mean and the standard deviation of the scores over the folds.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from darklens.errors import BadConfig, BadInput
from darklens.files.atomic import atomic_file
from darklens.files.configuration import write_configuration
from darklens.hub import load_card
from darklens.nn import can_resume, is_first_process
from darklens.progress import say
from darklens.train.data import PREPARED
from darklens.train.results import CrossValidation, TrainedModel
from darklens.train.run import data_here
from darklens.train.settings import RunSettings

__all__ = ["SUMMARY", "cross_validate"]

SUMMARY = "folds.json"

Settings = TypeVar("Settings", bound=RunSettings)


def cross_validate(
    train: Callable[[Settings, Path], TrainedModel], settings: Settings
) -> CrossValidation:
    """Train a model for each fold and write a summary of their scores.

    Args:
        train: Trains one model, on images at a place on this machine.
        settings: The settings of the run, with `data.fold` all.

    Raises:
        DarklensError: If a fold cannot be trained; the models before it stay.
    """
    data = settings.data
    if data.path is None:
        raise BadConfig("--data.fold: all splits the images of --data.path; give it")
    quiet = settings.quiet or not is_first_process()
    folder = settings.folder
    places = [folder / f"fold-{number}" for number in range(1, data.folds + 1)]
    begun = _begun(folder, places, resume=settings.resume)
    models = []
    with data_here(data.path, quiet=quiet) as images:  # copied once for all folds
        for number, place in enumerate(places, 1):
            if (place / "model" / "card.yaml").is_file():
                say(f"fold {number} of {data.folds}: done before", quiet=quiet)
                models.append(TrainedModel(place / "model", load_card(place / "model")))
                continue
            say(f"fold {number} of {data.folds}", quiet=quiet)
            fold = replace(data, fold=number, cache=data.cache or folder / PREPARED)
            own = replace(settings, data=fold, output=place, resume=place in begun)
            models.append(train(own, images))
    if is_first_process():
        write_configuration(folder / "config.yaml", settings.verb, vars(settings))
        _summarise(models, folder / SUMMARY, quiet=quiet)
    return CrossValidation(folder, tuple(models))


def _begun(folder: Path, places: list[Path], *, resume: bool) -> list[Path]:
    """The folds that have been started before.

    Raises:
        BadInput: If there are any and the cross-validation is not to be resumed.
    """
    begun = [place for place in places if (place / "model").exists() or can_resume(place)]
    if begun and not resume:
        raise BadInput(
            f"{folder} holds a cross-validation; continue it with --resume or choose another"
            " --output"
        )
    return begun


def _summarise(models: list[TrainedModel], path: Path, *, quiet: bool) -> None:
    """Write and report mean and standard deviation of each score over the folds that have it."""
    scores: dict[str, list[float]] = {}
    for model in models:
        for metric in model.card.metrics:
            scores.setdefault(metric.name, []).append(metric.value)
    summary = {
        name: {
            "mean": float(np.mean(values)),
            "spread": float(np.std(values, ddof=1)) if len(values) > 1 else None,
            "values": values,
        }
        for name, values in scores.items()
    }
    document = {
        "models": [f"{model.folder.parent.name}/model" for model in models],
        "scores": summary,
    }
    with atomic_file(path) as temporary:
        text = json.dumps(document, indent=2, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    for name, found in summary.items():
        spread = "" if found["spread"] is None else f" +- {found['spread']:.4f}"
        count = len(scores[name])
        say(f"{name} {found['mean']:.4f}{spread}, mean and spread of {count} folds", quiet=quiet)
    say(f"summary: {path}", quiet=quiet)
