"""Self-contained HTML reports: text, figures and images in one file."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num
from jinja2 import Environment, PackageLoader

from darklens import __version__
from darklens.classify import Answer
from darklens.display import lens_picture, picture_uri, report_script, stylesheet
from darklens.files.atomic import atomic_file
from darklens.naming import visible

__all__ = [
    "LensCard",
    "LensSection",
    "demo_report",
    "lens_card",
    "render_page",
    "write_page",
]


@dataclass(frozen=True)
class LensCard:
    """One classified lens in a report.

    Attributes:
        name: Its origin.
        picture: Data URI of its picture.
        label: Predicted class, or `unknown`.
        probabilities: Probability of each class.
        truth: True class, or empty if unknown.
    """

    name: str
    picture: str
    label: str
    probabilities: Mapping[str, float]
    truth: str = ""


@dataclass(frozen=True)
class LensSection:
    """Lenses of one origin, with a title and a note."""

    title: str
    note: str
    lenses: Sequence[LensCard]


def lens_card(
    image: Num[np.ndarray, "c h w"],
    answer: Answer,
    classes: Sequence[str],
    *,
    name: str,
    truth: str = "",
) -> LensCard:
    """Make the card of one lens from its image, prediction and true class."""
    return LensCard(
        name=visible(name),
        picture=picture_uri(lens_picture(image)),
        label=answer.label,
        probabilities=dict(zip(classes, np.nan_to_num(answer.probabilities).tolist(), strict=True)),
        truth=truth,
    )


def demo_report(model: str, sections: Sequence[LensSection]) -> str:
    """The report of the demo as HTML."""
    return render_page("demo.html", title="darklens at a glance", model=model, sections=sections)


def render_page(template: str, **values: Any) -> str:
    """Render a page template with these values, the look of all pages, the version and the date."""
    page = "".join(_pieces(template, values))
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page piece by piece, for pages of many images; it appears when it is complete."""
    with (
        atomic_file(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace") as file,
    ):
        file.writelines(_pieces(template, values))


def _pieces(template: str, values: Mapping[str, Any]) -> Iterator[str]:
    """The text of a page in pieces. Everything is escaped but our own stylesheet and script."""
    environment = Environment(
        loader=PackageLoader("darklens.evaluate"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).generate(
        style=stylesheet(),
        script=report_script(),
        version=__version__,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        **values,
    )
