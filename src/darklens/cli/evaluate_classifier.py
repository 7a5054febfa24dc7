"""`darklens evaluate classifier`: metrics with intervals, figures and one HTML report."""

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np

from darklens import __version__
from darklens.data import open_dataset
from darklens.errors import BadInput
from darklens.evaluate import (
    ClassifierScores,
    LabelledImages,
    LensCard,
    SimulatedImages,
    classifier_report,
    classify_images,
    confident_mistakes,
    confusion_figure,
    labels_for,
    lens_card,
    reliability_figure,
    roc_figure,
    score_classifier,
    write_figure,
)
from darklens.evaluate.classifier.held_out import open_held_out
from darklens.files.atomic import atomic_folder
from darklens.files.configuration import own_folder, write_configuration
from darklens.files.places import check_folder
from darklens.hub import Metric, ModelCard, find_model, load_card, load_classifier, record_metrics
from darklens.naming import visible
from darklens.progress import progress, say
from darklens.simulation import Simulator

__all__ = ["EVALUATION", "classifier"]

_FIGURES = ("roc", "confusion", "reliability", "images", "physics", "frechet", "closest")
EVALUATION = own_folder(
    "evaluate",
    ["metrics.json", "report.html", *(f"{n}.{end}" for n in _FIGURES for end in ("png", "svg"))],
)
"""What either verb of `evaluate` writes; the one replaces what the other wrote."""

MISTAKES_SHOWN = 12


def classifier(
    *,
    model: str = "default",
    data: Path | None = None,
    split: str | None = None,
    run: Path | None = None,
    part: str = "test",
    preset: str | None = None,
    count: int = 3000,
    seed: int = 1_000_003,
    output: Path = Path("evaluation"),
    resamples: int = 2000,
    batch: int = 64,
    device: str = "cpu",
    record: bool = False,
    quiet: bool = False,
) -> None:
    """Measure a classifier: metrics with 95 % intervals, figures and an HTML report.

    Args:
        model: Name of a shipped model, path of a model folder, or owner/name on the hub.
        data: Folder in the DeepLense layout, or a store, to evaluate on.
        split: Part of the data, such as test; all of it by default.
        run: Folder of a training run: evaluate its model, unless --model names another, on
            exactly the images that served as --part there. --data says where they are now.
        part: Part of that run, such as test.
        preset: Evaluate on fresh simulations of this preset (name or YAML file) instead of data.
        count: Number of fresh simulations.
        seed: Seed of the fresh simulations; use one that no training run has used.
        output: Folder to write; an earlier evaluation there is replaced.
        resamples: Bootstrap resamples.
        batch: Images in memory at once.
        device: Torch device, such as cpu or cuda.
        record: Put accuracy, mean AUC and calibration error into the model's card.
        quiet: Show no progress.
    """
    settings = dict(locals())
    if run is not None and (preset is not None or split is not None):
        raise BadInput("--run takes the images of the run: give neither --preset nor --split")
    if run is None and (data is None) == (preset is None):
        raise BadInput("give either --data PATH, --preset NAME or --run FOLDER")
    if count < 1 or resamples < 1 or batch < 1:
        raise BadInput("--count, --resamples and --batch must be at least 1")
    check_folder(output, replaces=EVALUATION)
    images: LabelledImages
    if run is not None:
        images = open_held_out(run, part, data)
        words = f"the part {part} of the run {run.name}"
        source = f"--run {run.name} --part {part}"
    elif data is not None:
        images = open_dataset(data, split)
        words = f"{data.name}, {split}" if split else data.name
        source = f"--data {data.name}" + (f" --split {split}" if split else "")
    else:
        images = SimulatedImages(Simulator(str(preset)), count=count, seed=seed)
        words = f"fresh simulations of {Path(str(preset)).name} (seed {seed})"
        source = f"--preset {Path(str(preset)).name} --count {count} --seed {seed}"
    folder = find_model(str(run / "model") if run is not None and model == "default" else model)
    card = load_card(folder)
    labels = labels_for(images, card.classes)
    probabilities = classify_images(
        load_classifier(folder, device),
        card,
        images,
        batch=batch,
        progress=lambda loop: progress(loop, f"classifying {words}", quiet=quiet),
    )
    say("bootstrap intervals, figures and report", quiet=quiet)
    scores = score_classifier(labels, probabilities, card.classes, resamples=resamples)
    with atomic_folder(output, replaces=EVALUATION) as temporary:
        _write_metrics(temporary / "metrics.json", scores, card, words)
        figures = {
            "roc": roc_figure(labels, probabilities, scores),
            "confusion": confusion_figure(scores),
            "reliability": reliability_figure(labels, probabilities, scores),
        }
        for name, figure in figures.items():
            write_figure(figure, temporary, name)
        mistakes = _mistakes(images, labels, probabilities, card)
        html = classifier_report(card, scores, data=words, figures=temporary, mistakes=mistakes)
        (temporary / "report.html").write_text(html, encoding="utf-8")
        write_configuration(temporary / "config.yaml", "evaluate classifier", settings)
    _print_scores(scores)
    if record:
        command = f"darklens evaluate classifier --model {card.name} {source}"
        record_metrics(folder, _card_metrics(scores, data=words, command=command))
    say(f"report: {output / 'report.html'}", quiet=quiet)


def _mistakes(
    images: LabelledImages, labels: np.ndarray, probabilities: np.ndarray, card: ModelCard
) -> list[LensCard]:
    return [
        lens_card(
            images[index][0],
            probabilities[index],
            card.classes,
            name=images.ids[index],
            truth=card.classes[labels[index]],
        )
        for index in confident_mistakes(labels, probabilities, MISTAKES_SHOWN)
    ]


def _write_metrics(path: Path, scores: ClassifierScores, card: ModelCard, data: str) -> None:
    document: dict[str, Any] = {
        "model": card.name,
        "weights_sha256": card.weights.sha256 if card.weights else None,
        "data": data,
        "count": sum(scores.counts),
        **scores.as_dict(),
        "version": __version__,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    text = json.dumps(document, indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _card_metrics(scores: ClassifierScores, *, data: str, command: str) -> list[Metric]:
    """The numbers that a card holds, as far as they have a value."""
    names = ("accuracy", "macro_auc", "expected_calibration_error")
    items = {name: scores.scalars[name] for name in names}
    return [
        Metric(
            name=name,
            value=round(float(item.value), 5),
            low=round(float(item.low), 5),
            high=round(float(item.high), 5),
            data=data,
            command=command,
        )
        for name, item in items.items()
        if not np.isnan(item.value)
    ]


def _print_scores(scores: ClassifierScores) -> None:
    for name, item in scores.scalars.items():
        print(f"{visible(name):<28}{item.value:7.4f}   95 % {item.low:.4f} to {item.high:.4f}")
