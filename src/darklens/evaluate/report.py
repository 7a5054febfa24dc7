"""HTML reports that are one file: text, figures and pictures of lenses, nothing to load."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Num
from jinja2 import Environment, PackageLoader

from darklens import __version__
from darklens.evaluate.classifier import ClassifierScores
from darklens.evaluate.pictures import data_uri, lens_picture, picture_uri
from darklens.hub import ModelCard
from darklens.metrics import Interval
from darklens.naming import visible

__all__ = [
    "LensCard",
    "LensSection",
    "classifier_report",
    "demo_report",
    "lens_card",
    "render_page",
]

_CAPTIONS = {
    "roc": "ROC curve of each class against the rest, with the area under it.",
    "confusion": (
        "True class (rows) and predicted class (columns): share of the row, its interval, and "
        "the number of images."
    ),
    "reliability": (
        "Accuracy against confidence. On the dashed line, the probabilities can be taken at "
        "their word. The pale bars show where the images are."
    ),
}
_NAMES = {
    "accuracy": "Accuracy",
    "macro_auc": "Mean AUC of the classes",
    "expected_calibration_error": "Expected calibration error",
}


@dataclass(frozen=True)
class LensCard:
    """One classified lens as a report shows it.

    Attributes:
        name: Where it comes from.
        picture: Address of its picture, with the bytes in it.
        label: Predicted class.
        probabilities: Probability of each class.
        truth: True class, or empty where it is not known.
    """

    name: str
    picture: str
    label: str
    probabilities: Mapping[str, float]
    truth: str = ""


@dataclass(frozen=True)
class LensSection:
    """Lenses of one origin, under a title and a sentence."""

    title: str
    note: str
    lenses: Sequence[LensCard]


def lens_card(
    image: Num[np.ndarray, "c h w"],
    probabilities: Float[np.ndarray, " k"],
    classes: Sequence[str],
    *,
    name: str,
    truth: str = "",
) -> LensCard:
    """Picture, prediction and truth of one lens."""
    return LensCard(
        name=visible(name),
        picture=picture_uri(lens_picture(image)),
        label=classes[int(probabilities.argmax())],
        probabilities=dict(zip(classes, probabilities.tolist(), strict=True)),
        truth=truth,
    )


def classifier_report(
    card: ModelCard,
    scores: ClassifierScores,
    *,
    data: str,
    figures: Path,
    mistakes: Sequence[LensCard],
) -> str:
    """The report of an evaluation as HTML.

    Args:
        card: The model's card.
        scores: What it scores.
        data: What it was evaluated on, in words.
        figures: Folder with `roc.svg`, `confusion.svg` and `reliability.svg`.
        mistakes: The most confident mistakes.
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
        tiles=[row for row in rows if row["key"] in _NAMES],
        figures=[
            {"name": name, "caption": caption, "source": _embedded(figures / f"{name}.svg")}
            for name, caption in _CAPTIONS.items()
        ],
        rows=rows,
        mistakes=mistakes,
        mistake_count=int(counts.sum() - np.trace(counts)),
        model=_facts(card),
    )


def demo_report(model: str, sections: Sequence[LensSection]) -> str:
    """The report of the demo as HTML."""
    return render_page("demo.html", title="darklens at a glance", model=model, sections=sections)


def render_page(template: str, **values: Any) -> str:
    """A page of the template folder with these values, the version and the date."""
    environment = Environment(
        loader=PackageLoader("darklens.evaluate"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    page = environment.get_template(template).render(version=__version__, date=date, **values)
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _embedded(path: Path) -> str:
    return data_uri(path.read_bytes(), "image/svg+xml")


def _row(key: str, interval: Interval) -> dict[str, str]:
    defined = not np.isnan(interval.value)
    return {
        "key": key,
        "name": _NAMES.get(key, f"AUC of {key.removeprefix('auc_')} against the rest"),
        "value": f"{interval.value:.3f}" if defined else "-",
        "interval": f"{interval.low:.3f} to {interval.high:.3f}" if defined else "not defined",
    }


def _facts(card: ModelCard) -> dict[str, str]:
    """What the report says of a model, in the order of the rows."""
    size, training = card.input, card.training
    scale = f", {size.pixel_scale} arcsec a pixel" if size.pixel_scale else ""
    steps = (name for step in card.preprocessing for name in step)
    return {
        "Description": card.description,
        "Input": f"{size.channels} x {size.height} x {size.width}{scale}; {size.values}",
        "Preprocessing": ", ".join(steps) or "none",
        "Network": str(card.network["name"]),
        "Temperature": f"{card.temperature:.3f}",
        "Trained on": training.preset or training.data or "not said",
        "Training": f"{training.images} images in {training.seconds:.0f} s on {training.machine}",
        "Command": training.command,
        "Licence": card.licence,
        "SHA-256 of the weights": card.weights.sha256 if card.weights else "",
    }
