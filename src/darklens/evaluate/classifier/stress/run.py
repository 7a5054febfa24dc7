"""A classifier under shifts: images that differ from its preset, and images without a lens.

Image `i` of every row is drawn with the same seed, so that rows differ only by their shift, unless
the shift changes the order of the draws.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from darklens.classify import Classifier, check_coverage
from darklens.errors import BadInput, DarklensError
from darklens.evaluate.classifier.stress.answers import Answers, answers_to, joined
from darklens.evaluate.classifier.stress.rows import Row, base_preset, table_rows
from darklens.evaluate.classifier.stress.scores import StressScores, score_answers
from darklens.evaluate.classifier.stress.shifts import Shift, load_shifts
from darklens.evaluate.classifier.stress.sources import ImageSource
from darklens.evaluate.classifier.stress.tables import StressTable
from darklens.hub import card_of, find_model, load_classifier
from darklens.progress import progress_bar
from darklens.workers import Workers, in_processes, workers_for

__all__ = ["stress_classifier"]


def stress_classifier(
    *,
    model: str = "default",
    preset: str | None = None,
    shifts: Sequence[Shift] | None = None,
    count: int = 300,
    seed: int = 1_000_003,
    coverage: float = 0.95,
    batch: int = 64,
    workers: int | Workers = 1,
    device: str = "cpu",
    quiet: bool = False,
) -> StressTable:
    """Run a classifier over images that differ from its preset, one shift at a time.

    Args:
        model: Name of a shipped model, path of a model folder, or owner/name on the hub.
        preset: Preset that is shifted (name or YAML file); that of the model's training if None.
        shifts: The shifts; the shipped ones if None. Images without a shift always come first.
        count: Number of images of each shift, of all classes in turn.
        seed: Seed of the images; use one that no training run used.
        coverage: Probability with which a prediction set is to hold the true class.
        batch: Images in memory at once.
        workers: Processes that simulate and classify, 0 for one per CPU core; or workers. The
            table is the same for any number.
        device: Torch device, such as cpu or cuda.
        quiet: Show no progress.

    Returns:
        One row for each shift; if it does not apply, with the reason.

    Raises:
        BadInput: If an argument is out of range, or the model names no preset and none is given.
        BadPreset: If the preset is wrong.
        BadModel: If the model cannot be loaded.
    """
    check_coverage(coverage)
    if count < 1 or batch < 1:
        raise BadInput("--stress-count and --batch must be at least 1")
    folder = find_model(model)
    classifier = load_classifier(folder, device)
    card = card_of(classifier)
    name = base_preset(card, preset)
    rows = table_rows(name, card, load_shifts() if shifts is None else shifts)
    jobs = [
        (number, row.source, range(start, min(start + batch, count)), seed, coverage)
        for number, row in enumerate(rows)
        if row.source is not None
        for start in range(0, count, batch)
    ]
    found: dict[int, dict[int, Answers]] = {number: {} for number, _ in enumerate(rows)}
    reasons = {number: row.reason for number, row in enumerate(rows)}
    failed: dict[int, int] = {}  # first image of the first batch without answers
    total = sum(len(indices) for _, _, indices, *_ in jobs)
    with progress_bar(total, "shifts", f"classifying {total} shifted images", quiet=quiet) as bar:
        for number, start, answers in _all_answers(jobs, classifier, folder, device, workers):
            if isinstance(answers, Answers):
                found[number][start] = answers
                bar.update(len(answers))
            elif start <= failed.get(number, start):
                failed[number], reasons[number] = start, answers
    return StressTable(
        model=card.name,
        weights_sha256=card.weights.sha256 if card.weights else None,
        preset=Path(name).name,
        count=count,
        seed=seed,
        rows=_scored(rows, found, reasons, card.classes),
    )


Job = tuple[int, ImageSource, range, int, float]
Answered = tuple[int, int, Answers | str]


def _all_answers(
    jobs: Sequence[Job],
    classifier: Classifier,
    folder: Path,
    device: str,
    workers: int | Workers,
) -> Iterator[Answered]:
    """Row, first image and answers of each job, in any order, or the reason for having none."""
    chosen = workers_for(len(jobs), workers)
    if chosen.here:
        for job in jobs:
            yield _answered(classifier, *job)
        return
    arguments = (str(folder), device)
    answered = in_processes(
        _answer_in_worker, jobs, workers=chosen, begin=_begin, arguments=arguments
    )
    with closing(answered):
        yield from answered


_worker: dict[str, Classifier] = {}


def _begin(folder: str, device: str) -> None:
    """Set up a worker process, with one thread."""
    import torch

    torch.set_num_threads(1)
    _worker["classifier"] = load_classifier(folder, device)


def _answer_in_worker(
    number: int, source: ImageSource, indices: range, seed: int, coverage: float
) -> Answered:
    return _answered(_worker["classifier"], number, source, indices, seed, coverage)


def _answered(
    classifier: Classifier,
    number: int,
    source: ImageSource,
    indices: range,
    seed: int,
    coverage: float,
) -> Answered:
    try:
        images, labels = zip(*(source.image(index, seed) for index in indices), strict=True)
    except DarklensError as error:
        return number, indices.start, str(error)
    answers = answers_to(classifier, np.stack(images), np.array(labels), coverage=coverage)
    return number, indices.start, answers


def _scored(
    rows: Sequence[Row],
    found: dict[int, dict[int, Answers]],
    reasons: dict[int, str],
    classes: Sequence[str],
) -> pd.DataFrame:
    """The table; the first row is of the preset's own images."""
    own = None
    made = []
    for number, row in enumerate(rows):
        scores = StressScores(0)
        if not reasons[number]:
            answers = joined([part for _, part in sorted(found[number].items())])
            own = answers.familiarity if number == 0 else own
            scores = score_answers(answers, classes, own)
        made.append({"group": row.group, "shift": row.shift, **asdict(scores)})
        made[-1]["reason"] = reasons[number] or None
    table = pd.DataFrame(made)
    return table.astype({"reason": "string"})
