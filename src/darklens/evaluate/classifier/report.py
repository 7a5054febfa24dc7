"""The HTML report of a classifier's evaluation."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from darklens.display import data_uri
from darklens.evaluate.classifier.scores import ClassifierScores
from darklens.evaluate.classifier.stress import StressTable
from darklens.evaluate.report import LensCard, render_page
from darklens.hub import ModelCard
from darklens.metrics import Interval

__all__ = ["classifier_report"]

_CAPTIONS = {
    "roc": "ROC curve of each class against the rest, with the area under it.",
    "confusion": (
        "True class (rows) and predicted class (columns): share of the row, its interval, and "
        "the number of images."
    ),
    "reliability": (
        "Accuracy against confidence. On the dashed line the probabilities are calibrated. The "
        "pale bars show the distribution of the images."
    ),
}
_SHIFTS = (
    "Images whose most probable class is the true one, and false alarms: lenses without "
    "substructure that are called something else. Bars are 95 % intervals; the dashed line is "
    "what the model reaches on its own preset."
)
_NAMES = {
    "accuracy": "Accuracy",
    "macro_auc": "Mean AUC of the classes",
    "expected_calibration_error": "Expected calibration error",
    "set_coverage": "Coverage of the prediction sets",
    "mean_set_size": "Mean number of classes in a set",
    "share_unfamiliar": "Share of unfamiliar images",
    "share_unknown": "Share of images with the label unknown",
    "accuracy_answered": "Accuracy of the answered images",
}
_TILES = (
    "accuracy",
    "macro_auc",
    "expected_calibration_error",
    "share_unknown",
    "accuracy_answered",
)


def classifier_report(
    card: ModelCard,
    scores: ClassifierScores,
    *,
    data: str,
    figures: Path,
    mistakes: Sequence[LensCard],
    shifts: StressTable | None = None,
) -> str:
    """Make the HTML report of an evaluation.

    Args:
        card: The model's card.
        scores: Its scores.
        data: Description of the data.
        figures: Folder with `roc.svg`, `confusion.svg` and `reliability.svg`, and with
            `stress.svg` if there are shifts.
        mistakes: The most confident mistakes.
        shifts: Its scores on images that differ from its preset, if measured.
    """
    rows = [_row(name, interval) for name, interval in scores.scalars.items()]
    counts = scores.confusion.value
    return render_page(
        "classifier.html",
        title=f"The classifier “{card.name}”",
        data=data,
        count=sum(scores.counts),
        class_counts=", ".join(
            f"{count} {name}" for name, count in zip(scores.classes, scores.counts, strict=True)
        ),
        resamples=scores.resamples,
        tiles=[row for row in rows if row["key"] in _TILES],
        figures=[_figure(figures, name) for name in _CAPTIONS],
        rows=[(row["name"], row["value"], row["interval"]) for row in rows],
        mistakes=mistakes,
        mistake_count=int(counts.sum() - np.trace(counts)),
        shifts=shifts,
        shifts_figure=_figure(figures, "stress", _SHIFTS) if shifts else None,
        model=_facts(card),
    )


def _figure(folder: Path, name: str, caption: str = "") -> dict[str, str]:
    source = data_uri((folder / f"{name}.svg").read_bytes(), "image/svg+xml")
    return {"name": name, "caption": caption or _CAPTIONS[name], "source": source}


def _row(key: str, interval: Interval) -> dict[str, str]:
    defined = not np.isnan(interval.value)
    return {
        "key": key,
        "name": _name(key),
        "value": f"{interval.value:.3f}" if defined else "-",
        "interval": f"{interval.low:.3f} to {interval.high:.3f}" if defined else "not defined",
    }


def _name(key: str) -> str:
    if key.startswith("auc_"):
        return f"AUC of {key.removeprefix('auc_')} against the rest"
    return _NAMES.get(key, key.replace("_", " ").capitalize())


def _facts(card: ModelCard) -> dict[str, str]:
    """Facts about the model for the report, in the order of the rows."""
    size, training = card.input, card.training
    scale = f", {size.pixel_scale} arcsec a pixel" if size.pixel_scale else ""
    steps = (name for step in card.preprocessing for name in step)
    return {
        "Description": card.description,
        "Input": f"{size.channels} x {size.height} x {size.width}{scale}; {size.values}",
        "Preprocessing": ", ".join(steps) or "none",
        "Network": str(card.network["name"]),
        "Temperature": f"{card.temperature:.3f}",
        "Trained on": training.preset or training.data or "not stated",
        "Training": f"{training.images} images in {training.seconds:.0f} s on {training.machine}",
        "Command": training.command,
        "Licence": card.licence,
        "SHA-256 of the weights": card.weights.sha256 if card.weights else "",
    }
