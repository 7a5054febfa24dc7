"""Cross-validation: a model for each fold of the training images, and what they score together.

Each model is a run of its own in `fold-1`, `fold-2` and so on, tested on the fold that it has not
seen. `folds.json` holds mean and spread of the scores.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from darklens.errors import BadConfig, BadInput
from darklens.files.atomic import atomic_file
from darklens.files.configuration import write_configuration
from darklens.hub import load_card
from darklens.nn import can_resume, is_first_process
from darklens.progress import say
from darklens.train.data import DataOptions
from darklens.train.run import folder_of

__all__ = ["SUMMARY", "cross_validate"]

SUMMARY = "folds.json"


def cross_validate(
    train: Callable[..., int | None], settings: Mapping[str, Any], *, verb: str
) -> int:
    """Train a model for each fold and write what they score.

    Args:
        train: The verb, which trains one model and returns its exit code.
        settings: Its arguments, with `data.fold` all.
        verb: Words after `darklens`, for the configuration.

    Returns:
        The highest exit code of a fold.

    Raises:
        DarklensError: If a fold cannot be trained; those before it stay.
    """
    data: DataOptions = settings["data"]
    if data.path is None or data.preset is not None:
        raise BadConfig(
            "--data.fold: all divides the images of --data.path; give it, and no preset"
        )
    quiet = settings["quiet"] or not is_first_process()
    folder = folder_of(settings["name"], settings["output"])
    places = [folder / f"fold-{number}" for number in range(1, data.folds + 1)]
    begun = [place for place in places if (place / "model").exists() or can_resume(place)]
    if begun and not settings["resume"]:
        raise BadInput(
            f"{folder} holds a cross-validation; continue it with --resume or choose another"
            " --output"
        )
    codes = [0]
    for number, place in enumerate(places, 1):
        if (place / "model" / "card.yaml").is_file():
            say(f"fold {number} of {data.folds}: done before", quiet=quiet)
            continue
        say(f"fold {number} of {data.folds}", quiet=quiet)
        own = {"data": replace(data, fold=number), "output": place, "resume": place in begun}
        codes.append(train(**{**settings, **own}) or 0)
    if is_first_process():
        write_configuration(folder / "config.yaml", verb, settings)
        _summarise(places, folder / SUMMARY, quiet=quiet)
    return max(codes)


def _summarise(places: list[Path], path: Path, *, quiet: bool) -> None:
    """Write and say mean and spread of each score over the folds that have it."""
    cards = [load_card(place / "model") for place in places]
    scores: dict[str, list[float]] = {}
    for card in cards:
        for metric in card.metrics:
            scores.setdefault(metric.name, []).append(metric.value)
    summary = {
        name: {
            "mean": float(np.mean(values)),
            "spread": float(np.std(values, ddof=1)) if len(values) > 1 else None,
            "values": values,
        }
        for name, values in scores.items()
    }
    document = {"models": [f"{place.name}/model" for place in places], "scores": summary}
    with atomic_file(path) as temporary:
        text = json.dumps(document, indent=2, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    for name, found in summary.items():
        spread = "" if found["spread"] is None else f" +- {found['spread']:.4f}"
        count = len(scores[name])
        say(f"{name} {found['mean']:.4f}{spread}, mean and spread of {count} folds", quiet=quiet)
    say(f"summary: {path}", quiet=quiet)
