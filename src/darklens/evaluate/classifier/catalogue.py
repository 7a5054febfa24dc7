"""A page with one row an image: pictures, answer, how sure it is, and what to do about it.

The page holds at most 3,000 images, so that a browser can sort and filter it. Pictures are stored
small (WebP, at most 150 pixels on a side), and only those of the rows on the page are kept.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darklens.classify import UNKNOWN, Answer
from darklens.display import lens_picture, signed_picture, thumbnail_uri
from darklens.evaluate.classifier.prediction import FilePrediction
from darklens.evaluate.report import write_page
from darklens.files.remote import shown_path
from darklens.hub import ModelCard
from darklens.naming import visible

__all__ = ["MOST_ROWS", "Catalogue", "advice"]

MOST_ROWS = 3000
"""Largest number of images on a page."""

_FAILED, _CAUTION, _SEVERAL = "not classified", "caution", "several classes"
_NOTES = (
    "Pictures show the first channel in false colour, stretched for faint arcs, with row 0 at the "
    "bottom; a residual is in units of the noise σ. A set holds the classes that cannot be "
    "excluded, and familiarity is the share of the calibration images that are at least as unusual."
)


@dataclass(frozen=True)
class _Picture:
    """One picture of a row: its source, a title, and a name for those who cannot see it."""

    source: str
    title: str
    name: str


@dataclass(frozen=True)
class _Row:
    """One row of the page; a number that is not known is an empty text."""

    path: str
    folder: str
    name: str
    label: str
    mark: str
    kinds: tuple[str, ...]
    pictures: Sequence[_Picture]
    probabilities: Sequence[float | str]
    possible: str
    familiarity: float | str
    chi_square: float | str
    advice: str


class Catalogue:
    """The rows of a page, which grows image by image.

    Args:
        card: The model's card.
        coverage: Probability with which a set holds the true class.
    """

    def __init__(self, card: ModelCard, coverage: float) -> None:
        self._card, self._coverage = card, coverage
        self._rows: list[_Row] = []
        self._counts = Counter[str]()

    def add(self, row: FilePrediction) -> None:
        """Add one image, or the reason why it has no answer; beyond 3,000 only count it."""
        self._counts[row.answer.label if row.answer else _FAILED] += 1
        if len(self._rows) < MOST_ROWS:
            self._rows.append(_row(row, self._card.classes, self._coverage))

    def write(self, path: Path) -> None:
        """Write the page as HTML."""
        found = {kind for row in self._rows for kind in row.kinds}
        order = (*self._card.classes, UNKNOWN, _SEVERAL, _CAUTION, _FAILED)
        write_page(
            path,
            "catalogue.html",
            title="Lenses, image by image",
            lead=self._lead(),
            left_out=self._left_out(),
            kinds={kind: visible(kind) for kind in order if kind in found},
            classes=[visible(name) for name in self._card.classes],
            fits=any(row.chi_square != "" for row in self._rows),
            rows=self._rows,
            notes=_NOTES,
        )

    def _lead(self) -> str:
        total = self._counts.total()
        counts = ", ".join(f"{count} {visible(name)}" for name, count in self._counts.most_common())
        images = "1 image" if total == 1 else f"{total} images"
        return (
            f"{images} classified by the model {visible(self._card.name)}: {counts}. Sets hold the "
            f"true class of at least {100 * self._coverage:g} % of images like those the model was "
            "calibrated on; a probability holds for such images only."
        )

    def _left_out(self) -> str:
        total = self._counts.total()
        if total <= len(self._rows):
            return ""
        return (
            f"The first {len(self._rows)} of {total} images are on this page. The table of "
            "--output has all of them; give predict a part of the files to see the others."
        )


def advice(answer: Answer, classes: Sequence[str], coverage: float) -> str:
    """What to do with an answer, in words.

    >>> advice(Answer("no", np.array([0.9, 0.1]), ("no", "vort")), ("no", "vort", "sphere"), 0.95)
    'the image does not decide between no and vort'
    """
    if answer.columns.get("note"):
        return str(answer.columns["note"])
    if not answer.possible:
        return "the model has no calibration and does not say when it is unsure: look at the image"
    if len(answer.possible) == 1:
        return f"the other classes are excluded at {100 * coverage:g} %"
    if len(answer.possible) == len(classes):
        return "no class is excluded: the image does not say"
    return f"the image does not decide between {' and '.join(answer.possible)}"


def _row(row: FilePrediction, classes: Sequence[str], coverage: float) -> _Row:
    answer = row.answer
    if answer is None:
        return _Row(
            **_names(row.path),
            label=_FAILED,
            mark="failed",
            kinds=(_FAILED,),
            pictures=_pictures(row),
            probabilities=[""] * len(classes),
            possible="",
            familiarity="",
            chi_square="",
            advice=visible(row.error),
        )
    noted = bool(answer.columns.get("note"))
    several = answer.label != UNKNOWN and len(answer.possible) > 1
    kinds = [answer.label] + [_SEVERAL] * several + [_CAUTION] * noted
    return _Row(
        **_names(row.path),
        label=visible(answer.label),
        mark="caution" if noted else "",
        kinds=tuple(kinds),
        pictures=_pictures(row),
        probabilities=[_number(value) for value in answer.probabilities],
        possible=visible(", ".join(answer.possible)),
        familiarity=_number(answer.familiarity),
        chi_square=_number(answer.columns.get("chi_square")),
        advice=visible(advice(answer, classes, coverage)),
    )


def _names(path: Path) -> dict[str, str]:
    folder = "" if path.parent == Path() else visible(shown_path(path.parent))
    return {"path": visible(shown_path(path)), "folder": folder, "name": visible(path.name)}


def _pictures(row: FilePrediction) -> list[_Picture]:
    """The image, and what the fit leaves of it if there was one."""
    if row.image is None:
        return []
    name = visible(shown_path(row.path))
    found = [_Picture(thumbnail_uri(lens_picture(row.image)), "image", name)]
    for panel in row.answer.panels if row.answer else ():
        if panel.limit is not None and panel.title.startswith("residual"):
            source = thumbnail_uri(signed_picture(panel.values, panel.limit))
            title = f"residual, ±{panel.limit:g}σ"
            found.append(_Picture(source, title, f"{title}, of {name}"))
    return found


def _number(value: Any) -> float | str:
    """A finite number with 6 digits, or an empty text."""
    if value is None or not np.isfinite(value):
        return ""
    return float(f"{value:.6g}")
