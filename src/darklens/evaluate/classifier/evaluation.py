"""Evaluate a classifier: metrics with intervals, figures and an HTML report."""

import datetime
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darklens import __version__
from darklens.classify import Answer, check_coverage
from darklens.cluster import open_workers
from darklens.data import open_dataset
from darklens.errors import BadInput
from darklens.evaluate import (
    ClassifierScores,
    LabelledImages,
    LensCard,
    SimulatedImages,
    answer_images,
    classifier_report,
    confident_mistakes,
    confusion_figure,
    labels_for,
    lens_card,
    reliability_figure,
    roc_figure,
    score_classifier,
    stated_probabilities,
    write_figure,
)
from darklens.evaluate.classifier.held_out import open_held_out
from darklens.evaluate.classifier.stress import (
    StressTable,
    base_preset,
    stress_classifier,
    stress_figure,
    write_stress,
)
from darklens.evaluate.folder import EVALUATION
from darklens.files.atomic import atomic_folder
from darklens.files.configuration import write_configuration
from darklens.files.places import check_folder
from darklens.files.remote import fetched
from darklens.hub import Metric, ModelCard, card_of, find_model, load_classifier, record_metrics
from darklens.progress import progress, say
from darklens.simulation import Simulator

__all__ = ["evaluate_classifier"]

_MISTAKES_SHOWN = 12


def evaluate_classifier(
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
    coverage: float = 0.95,
    stress: bool = False,
    stress_count: int = 300,
    batch: int = 64,
    workers: int = 0,
    cluster: str | None = None,
    device: str = "cpu",
    record: bool = False,
    quiet: bool = False,
) -> ClassifierScores:
    """Evaluate a classifier: metrics with 95 % intervals, figures and an HTML report.

    Args:
        model: Name of a shipped model, path of a model folder, or owner/name on the hub.
        data: Folder in the DeepLense layout, a store, or the URL of one, to evaluate on.
        split: Part of the data, such as test; all of it by default.
        run: Folder of a training run: evaluate its model, unless --model names another, on
            exactly the images of --part in that run. --data gives their present location.
        part: Part of that run, such as test.
        preset: Evaluate on new simulations of this preset (name or YAML file) instead of data.
            Optional with --stress: by default the preset of the model's training.
        count: Number of new simulations.
        seed: Seed of the new simulations; use one that no training run used.
        output: Folder to write; an earlier evaluation there is replaced.
        resamples: Bootstrap resamples.
        coverage: Probability with which a prediction set is to hold the true class.
        stress: Also run the model over images that differ from its preset, one shift at a time,
            and over images without a lens. Adds a table to the report, and writes stress.md,
            stress.csv and stress.json.
        stress_count: Number of images of each shift.
        batch: Images in memory at once.
        workers: Processes that fit, for models that fit each image, and that simulate and
            classify for --stress; 0 for one per CPU core. The scores are the same for any number.
        cluster: Dask cluster in their place: local, the address of a scheduler (tcp://HOST:PORT),
            or a YAML profile of dask-jobqueue.
        device: Torch device, such as cpu or cuda.
        record: Write accuracy, mean AUC and calibration error into the model's card.
        quiet: Show no progress.

    Returns:
        The scores with their intervals.

    Raises:
        BadInput: If arguments contradict each other or are out of range.
        BadData: If images cannot be read or do not suit the model.
        BadModel: If the model cannot be loaded.
    """
    settings = dict(locals())
    if run is not None and (preset is not None or split is not None):
        raise BadInput("--run takes the images of the run: give neither --preset nor --split")
    if run is None and (data is None) == (preset is None) and not (stress and preset is None):
        raise BadInput("give either --data PATH, --preset NAME or --run FOLDER")
    if min(count, resamples, stress_count, batch) < 1:
        raise BadInput("--count, --resamples, --stress-count and --batch must be at least 1")
    check_coverage(coverage)
    check_folder(output, replaces=EVALUATION)
    of_run = run is not None and model == "default"
    with ExitStack() as held:  # of copies of data at URLs
        chosen = held.enter_context(_of_run(run, part, data)) if run is not None else None
        folder = find_model(run / "model" if of_run and run is not None else model)
        classifier = load_classifier(folder, device)
        card = card_of(classifier)
        base = base_preset(card, preset) if stress else preset
        if chosen is None and data is not None:
            chosen = held.enter_context(_of_data(data, split))
        elif chosen is None:
            chosen = _of_preset(str(base), count, seed)
        labels = labels_for(chosen.images, card.classes)
        shifts = None
        with open_workers(cluster, workers, quiet=quiet) as opened:
            answers = answer_images(
                classifier,
                chosen.images,
                coverage=coverage,
                batch=batch,
                workers=opened,
                progress=lambda loop: progress(loop, f"classifying {chosen.words}", quiet=quiet),
            )
            if stress:
                shifts = stress_classifier(
                    model=str(folder),
                    preset=base,
                    count=stress_count,
                    seed=seed,
                    coverage=coverage,
                    batch=batch,
                    workers=opened,
                    device=device,
                    quiet=quiet,
                )
        say("bootstrap intervals, figures and report", quiet=quiet)
        probabilities = stated_probabilities(answers)
        scores = score_classifier(
            labels, probabilities, card.classes, answers=answers, resamples=resamples
        )
        with atomic_folder(output, replaces=EVALUATION) as temporary:
            _write_report(temporary, chosen, labels, answers, scores, card, shifts)
            write_configuration(temporary / "config.yaml", "evaluate classifier", settings)
    if record:
        command = f"darklens evaluate classifier --model {card.name} {chosen.source}"
        record_metrics(folder, _card_metrics(scores, data=chosen.words, command=command))
    return scores


@dataclass(frozen=True)
class _Chosen:
    """Images to evaluate on, their description, and the options that select them again."""

    images: LabelledImages
    words: str
    source: str


@contextmanager
def _of_run(run: Path, part: str, data: Path | None) -> Iterator[_Chosen]:
    words = f"the part {part} of the run {run.name}"
    with open_held_out(run, part, data) as images:
        yield _Chosen(images, words, f"--run {run.name} --part {part}")


@contextmanager
def _of_data(data: Path, split: str | None) -> Iterator[_Chosen]:
    words = f"{data.name}, {split}" if split else data.name
    source = f"--data {data.name}" + (f" --split {split}" if split else "")
    with fetched(data) as place:
        yield _Chosen(open_dataset(place, split), words, source)


def _of_preset(preset: str, count: int, seed: int) -> _Chosen:
    name = Path(preset).name
    return _Chosen(
        SimulatedImages(Simulator(preset), count=count, seed=seed),
        f"fresh simulations of {name} (seed {seed})",
        f"--preset {name} --count {count} --seed {seed}",
    )


def _write_report(
    folder: Path,
    chosen: _Chosen,
    labels: np.ndarray,
    answers: Sequence[Answer],
    scores: ClassifierScores,
    card: ModelCard,
    shifts: StressTable | None,
) -> None:
    """Write metrics.json, the figures, the tables of shifts and report.html."""
    _write_metrics(folder / "metrics.json", scores, card, chosen.words)
    probabilities = stated_probabilities(answers)
    figures = {
        "roc": roc_figure(labels, probabilities, scores),
        "confusion": confusion_figure(scores),
        "reliability": reliability_figure(labels, probabilities, scores),
    }
    for name, figure in figures.items():
        write_figure(figure, folder, name)
    if shifts is not None:
        write_stress(shifts, folder)
        write_figure(stress_figure(shifts), folder, "stress")
    mistakes = _mistakes(chosen.images, labels, answers, card)
    html = classifier_report(
        card, scores, data=chosen.words, figures=folder, mistakes=mistakes, shifts=shifts
    )
    (folder / "report.html").write_text(html, encoding="utf-8")


def _mistakes(
    images: LabelledImages, labels: np.ndarray, answers: Sequence[Answer], card: ModelCard
) -> list[LensCard]:
    return [
        lens_card(
            images[index][0],
            answers[index],
            card.classes,
            name=images.ids[index],
            truth=card.classes[labels[index]],
        )
        for index in confident_mistakes(labels, stated_probabilities(answers), _MISTAKES_SHOWN)
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
    """The metrics for the card, where they are defined."""
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
