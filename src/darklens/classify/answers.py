"""The answer of a classifier for an image: its label, or `unknown` if it cannot judge.

An image is *unfamiliar* if fewer than 5 % of the calibration images are at least as unusual. It is
`unknown`, without a label, if fewer than 1 % are, or if its smooth fit failed in a way that no fit
of a calibration image did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from darklens.data.steps import Panel

__all__ = ["UNFAMILIAR", "UNKNOWN", "Answer", "answer_table", "answerable", "judged"]

UNKNOWN = "unknown"
"""Label of an image that the model cannot judge."""
UNFAMILIAR = 0.05
"""Familiarity below which an image is called unfamiliar."""

_UNLIKE = 0.01
_FAILED = "failed"
_OUTSIDE = frozenset({_FAILED, "noise differs", "not converged", "unlike the preset"})

_BAD_FIT = (
    "no label: the fit is '{fit}', and the probabilities do not hold for such images; check the "
    "pixel scale, the unit and the centring, or take a model of another preset"
)
_UNLIKE_NOTE = (
    "no label: unlike the images that the model was calibrated on (familiarity {value:.3f}); "
    "check the pixel scale, the unit and the centring, or train a model on such images"
)
_UNFAMILIAR_NOTE = (
    "unfamiliar: {value:.1%} of the calibration images are as unusual; read the set, not the "
    "label alone, and look at the fit and its residual"
)


@dataclass(frozen=True)
class Answer:
    """The answer of a classifier for one image.

    Attributes:
        label: The most probable class, or `unknown`.
        probabilities: Class probabilities; NaN if the fit failed.
        possible: Classes that cannot be excluded, in their order: all if the label is
            `unknown`, none if the model has no calibration.
        familiarity: Share of the calibration images that are at least as unusual, from 0 to 1;
            NaN if the model has no calibration.
        columns: Results of the preprocessing, such as `fit` and `chi_square`, and `note`.
        panels: Panels that explain the image, if requested.
    """

    label: str
    probabilities: Float[np.ndarray, " k"]
    possible: tuple[str, ...] = ()
    familiarity: float = np.nan
    columns: Mapping[str, Any] = field(default_factory=dict)
    panels: Sequence[Panel] = ()

    def __repr__(self) -> str:
        words = ", ".join(f"{value:.3f}" for value in self.probabilities)
        return f"Answer({self.label}; probabilities {words}; familiarity {self.familiarity:.3f})"

    def _repr_html_(self) -> str:
        from darklens.display import facts_html, lens_picture, pictures_html, signed_picture

        facts = {
            "probabilities": ", ".join(f"{value:.3f}" for value in self.probabilities),
            "possible": ", ".join(self.possible) or "not known: no calibration",
            "familiarity": "not known" if np.isnan(self.familiarity) else f"{self.familiarity:.3f}",
            **{
                name: f"{value:.4g}" if isinstance(value, float) else value
                for name, value in self.columns.items()
                if value is not None
            },
        }
        pictures = [
            (
                lens_picture(panel.values[None])
                if panel.limit is None
                else signed_picture(panel.values, panel.limit),
                panel.title,
            )
            for panel in self.panels
        ]
        return facts_html(self.summary, facts, pictures_html(pictures) if pictures else "")

    @property
    def summary(self) -> str:
        """The answer in a few words, as pictures show it."""
        if self.label == UNKNOWN:
            fit = self.columns.get("fit")
            bad = fit in _OUTSIDE
            return f"{UNKNOWN}: {f'fit {fit}' if bad else 'unlike the calibration images'}"
        flag = ", unfamiliar" if self.familiarity < UNFAMILIAR else ""
        others = f" (possible: {', '.join(self.possible)})" if len(self.possible) > 1 else ""
        return f"{self.label}{others}{flag}"


def judged(
    classes: Sequence[str],
    probabilities: Float[np.ndarray, " k"],
    *,
    members: Bool[np.ndarray, " k"] | None = None,
    familiarity: float = np.nan,
    columns: Mapping[str, Any] | None = None,
    panels: Sequence[Panel] = (),
) -> Answer:
    """The answer for one image.

    Args:
        classes: Class names.
        probabilities: Class probabilities.
        members: Whether each class is in the set; None if the model has no calibration.
        familiarity: Familiarity, or NaN.
        columns: Results of the preprocessing.
        panels: Panels that explain the image.
    """
    found = dict(columns or {})
    fit = found.get("fit")
    unlike = bool(familiarity < _UNLIKE)
    unknown = fit in _OUTSIDE or unlike
    words = [_BAD_FIT.format(fit=fit)] if fit in _OUTSIDE else []
    if familiarity < UNFAMILIAR:
        words.append((_UNLIKE_NOTE if unlike else _UNFAMILIAR_NOTE).format(value=familiarity))
    if words or members is not None or "note" in found:
        found["note"] = "; ".join(filter(None, [*words, found.get("note")])) or None
    return Answer(
        label=UNKNOWN if unknown else classes[int(probabilities.argmax())],
        probabilities=np.full_like(probabilities, np.nan) if fit == _FAILED else probabilities,
        possible=_possible(classes, members, unknown=unknown),
        familiarity=float(familiarity),
        columns=found,
        panels=panels,
    )


def _possible(
    classes: Sequence[str], members: Bool[np.ndarray, " k"] | None, *, unknown: bool
) -> tuple[str, ...]:
    """Classes that cannot be excluded: all of them if the model cannot judge the image."""
    if members is None:
        return ()
    return tuple(name for name, inside in zip(classes, members, strict=True) if inside or unknown)


def answerable(columns: Mapping[str, Sequence[Any]], count: int) -> Bool[np.ndarray, " n"]:
    """Whether the fit of each image is good enough for the probabilities to hold."""
    fits = columns.get("fit", [None] * count)
    return np.array([fit not in _OUTSIDE for fit in fits], dtype=bool)


def answer_table(answers: Sequence[Answer | None], classes: Sequence[str]) -> pd.DataFrame:
    """Columns label, p_CLASS, set, familiarity and those of the preprocessing.

    Args:
        answers: Answer for each image; None for one that could not be used.
        classes: Class names.
    """
    missing = np.full(len(classes), np.nan)
    values = [missing if answer is None else answer.probabilities for answer in answers]
    numbers = np.array(values, dtype=np.float64).reshape(-1, len(classes))
    found = [{} if answer is None else answer.columns for answer in answers]
    labels = [None if answer is None else answer.label for answer in answers]
    sets = [None if answer is None else "|".join(answer.possible) or None for answer in answers]
    familiar = [np.nan if answer is None else answer.familiarity for answer in answers]
    return pd.DataFrame(
        {
            "label": pd.Series(labels, dtype="string"),
            **{f"p_{name}": numbers[:, index] for index, name in enumerate(classes)},
            "set": pd.Series(sets, dtype="string"),
            "familiarity": np.array(familiar, dtype=np.float64),
            **{
                name: [row.get(name) for row in found]
                for name in dict.fromkeys(name for row in found for name in row)
            },
        }
    )
