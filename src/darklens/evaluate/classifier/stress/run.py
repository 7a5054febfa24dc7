"""A classifier under shifts: images that differ from its preset, and images of no lens at all.

Image `i` of every row is drawn with the same seed, so that rows differ by their shift alone where
the shift leaves the draws as they are.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from darklens.classify import Classifier
from darklens.errors import BadInput, BadPreset, DarklensError
from darklens.evaluate.classifier.stress.answers import Answers, answers_to, joined
from darklens.evaluate.classifier.stress.changes import PresetContent, read_content
from darklens.evaluate.classifier.stress.not_lenses import NOT_LENSES
from darklens.evaluate.classifier.stress.scores import StressScores, score_answers
from darklens.evaluate.classifier.stress.shifts import NO_SHIFT, Shift, load_shifts, shifted_preset
from darklens.evaluate.classifier.stress.sources import ImageSource, NotLenses, ShiftedLenses
from darklens.evaluate.classifier.stress.tables import NOT_LENS_GROUPS, StressTable
from darklens.hub import ModelCard, card_of, find_model, load_classifier
from darklens.progress import progress_bar
from darklens.simulation import Preset, preset_names
from darklens.workers import in_processes

__all__ = ["stress_classifier"]


@dataclass(frozen=True)
class Row:
    """One row of the table: its images, or the reason why there are none."""

    group: str
    shift: str
    source: ImageSource | None
    reason: str = ""


def stress_classifier(
    *,
    model: str = "default",
    preset: str | None = None,
    shifts: Sequence[Shift] | None = None,
    count: int = 300,
    seed: int = 1_000_003,
    batch: int = 64,
    workers: int = 1,
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
        batch: Images in memory at once.
        workers: Processes that simulate and classify; the table is the same for any number.
        device: Torch device, such as cpu or cuda.
        quiet: Show no progress.

    Returns:
        One row for each shift, those that do not apply with the reason.

    Raises:
        BadInput: If an argument is out of range, or the model names no preset and none is given.
        BadPreset: If the preset is wrong.
        BadModel: If the model cannot be loaded.
    """
    if count < 1 or batch < 1:
        raise BadInput("--stress-count and --batch must be at least 1")
    folder = find_model(model)
    classifier = load_classifier(folder, device)
    card = card_of(classifier)
    name = preset or own_preset(card)
    rows = _rows(name, card, load_shifts() if shifts is None else shifts)
    jobs = [
        (number, row.source, range(start, min(start + batch, count)), seed)
        for number, row in enumerate(rows)
        if row.source is not None
        for start in range(0, count, batch)
    ]
    found: dict[int, dict[int, Answers]] = {number: {} for number, _ in enumerate(rows)}
    reasons = {number: row.reason for number, row in enumerate(rows)}
    total = sum(len(indices) for _, _, indices, _ in jobs)
    with progress_bar(total, "shifts", f"classifying {total} shifted images", quiet=quiet) as bar:
        for number, start, answers in _all_answers(jobs, classifier, folder, device, workers):
            if isinstance(answers, Answers):
                found[number][start] = answers
                bar.update(len(answers))
            else:
                reasons[number] = answers
    return StressTable(
        model=card.name,
        weights_sha256=card.weights.sha256 if card.weights else None,
        preset=Path(name).name,
        count=count,
        seed=seed,
        rows=_scored(rows, found, reasons, card.classes),
    )


def own_preset(card: ModelCard) -> str:
    """The preset that a model was trained on.

    Raises:
        BadInput: If its card names none.
    """
    if card.training.preset is None:
        raise BadInput(f"the card of '{card.name}' names no preset to shift: give --preset")
    return card.training.preset


def _rows(name: str, card: ModelCard, shifts: Sequence[Shift]) -> list[Row]:
    """All rows of the table; the first is of the preset's own images."""
    content = read_content(name)
    own = content.preset()
    unsuitable = card.unsuitable((1, *own.grid.shape))
    if unsuitable:
        raise BadInput(f"an image of the preset {name} {unsuitable}")
    labels = {label: card.classes.index(label) for label in own.classes if label in card.classes}
    if len(labels) < 2:
        raise BadInput(
            f"the preset {name} has not the classes {', '.join(card.classes)} of '{card.name}'"
        )
    lenses = [_shifted(content, labels, shift) for shift in (NO_SHIFT, *shifts)]
    kinds = [Row(NOT_LENS_GROUPS[0], kind, NotLenses(kind, own)) for kind in NOT_LENSES]
    others = [_other(content, other, name) for other in preset_names() if other != name]
    return [*lenses, *kinds, *others]


def _shifted(content: PresetContent, labels: dict[str, int], shift: Shift) -> Row:
    try:
        preset = shifted_preset(content, shift)
    except BadPreset as error:
        return Row(shift.group, shift.name, None, str(error))
    return Row(shift.group, shift.name, ShiftedLenses(preset, labels, shift.image))


def _other(content: PresetContent, other: str, name: str) -> Row:
    """Lenses of another preset on the model's own pixel grid."""
    group = NOT_LENS_GROUPS[1]
    if f"{other}-".startswith(f"{name}-") or f"{name}-".startswith(f"{other}-"):
        return Row(group, other, None, f"of one family with {name}")
    theirs = read_content(other)
    values = {**theirs.values, "grid": content.values["grid"]}
    preset: Preset = PresetContent(values, theirs.folder).preset()
    return Row(group, other, ShiftedLenses(preset, dict.fromkeys(preset.classes, -1)))


Job = tuple[int, ImageSource, range, int]
Answered = tuple[int, int, Answers | str]


def _all_answers(
    jobs: Sequence[Job], classifier: Classifier, folder: Path, device: str, workers: int
) -> Iterator[Answered]:
    """Row, first image and answers of each job, in any order; or why there are none."""
    if workers <= 1:
        for job in jobs:
            yield _answered(classifier, *job)
        return
    arguments = (str(folder), device)
    answered = in_processes(
        _answer_in_worker, jobs, workers=workers, begin=_begin, arguments=arguments
    )
    with closing(answered):
        yield from answered


_worker: dict[str, Classifier] = {}


def _begin(folder: str, device: str) -> None:
    """Set up a worker process: one thread for each."""
    import torch

    torch.set_num_threads(1)
    _worker["classifier"] = load_classifier(folder, device)


def _answer_in_worker(number: int, source: ImageSource, indices: range, seed: int) -> Answered:
    return _answered(_worker["classifier"], number, source, indices, seed)


def _answered(
    classifier: Classifier, number: int, source: ImageSource, indices: range, seed: int
) -> Answered:
    try:
        images, labels = zip(*(source.image(index, seed) for index in indices), strict=True)
    except DarklensError as error:
        return number, indices.start, str(error)
    return number, indices.start, answers_to(classifier, np.stack(images), np.array(labels))


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
