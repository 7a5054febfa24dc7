"""The answers of a classifier as arrays, whichever columns its table has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, Num

from darklens.classify import UNKNOWN, Classifier
from darklens.errors import BadInput

__all__ = ["Answers", "answers_in", "answers_to", "joined"]


@dataclass(frozen=True)
class Answers:
    """Answers to n images of k classes.

    Attributes:
        labels: True classes; -1 for images of no class.
        probabilities: Class probabilities; NaN if there are none.
        answered: Whether an image was given one of the classes.
        in_set: Which classes are in the prediction set; None if the model has none.
        familiarity: How similar each image is to the calibration images, from 0 to 1; None if
            the model has no calibration. Zero for images that the model could not use.
    """

    labels: Int[np.ndarray, " n"]
    probabilities: Float[np.ndarray, "n k"]
    answered: Bool[np.ndarray, " n"]
    in_set: Bool[np.ndarray, "n k"] | None
    familiarity: Float[np.ndarray, " n"] | None

    def __len__(self) -> int:
        return len(self.labels)


def answers_to(
    classifier: Classifier,
    images: Num[np.ndarray, "n c h w"],
    labels: Int[np.ndarray, " n"],
    *,
    coverage: float = 0.95,
) -> Answers:
    """Answers of a classifier for images of known classes, with sets of this coverage."""
    try:
        table = classifier.predict(images, coverage=coverage)
    except BadInput:  # none of them can be used
        table = pd.DataFrame({"label": pd.Series([None] * len(images), dtype="string")})
    return answers_in(table, labels, classifier.classes)


def answers_in(
    table: pd.DataFrame, labels: Int[np.ndarray, " n"], classes: Sequence[str]
) -> Answers:
    """Answers from a table of predictions.

    Args:
        table: Result of `Classifier.predict`: `label`, `p_CLASS`, perhaps `set`, `familiarity`.
        labels: True classes.
        classes: Names of the classes.
    """
    names = [f"p_{name}" for name in classes]
    probabilities = table.reindex(columns=names).to_numpy(dtype=np.float64)
    answer = table["label"]
    familiarity = in_set = None
    if "familiarity" in table and table["familiarity"].notna().any():
        familiarity = table["familiarity"].astype(np.float64).fillna(0.0).to_numpy()
    if "set" in table and table["set"].notna().any():
        members = [_members(value) for value in table["set"]]
        in_set = np.array([[name in found for name in classes] for found in members])
    return Answers(
        labels=labels,
        probabilities=probabilities,
        answered=(answer.notna() & (answer != UNKNOWN).fillna(False)).to_numpy(dtype=bool),
        in_set=in_set,
        familiarity=familiarity,
    )


def joined(parts: Sequence[Answers]) -> Answers:
    """Answers to several batches as one.

    A batch without a usable image does not show which columns the model has.
    """
    return Answers(
        labels=np.concatenate([part.labels for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
        answered=np.concatenate([part.answered for part in parts]),
        in_set=_stacked([part.in_set for part in parts], parts),
        familiarity=_stacked([part.familiarity for part in parts], parts),
    )


def _members(value: Any) -> set[str]:
    """Classes in a set, which a table may hold as text."""
    if isinstance(value, str):
        return set(value.split("|"))
    return set(value) if isinstance(value, list | tuple | set | frozenset) else set()


def _stacked(columns: Sequence[Any], parts: Sequence[Answers]) -> Any:
    """Columns of all batches, zero if a batch lacks it; None if all lack it."""
    there = [column for column in columns if column is not None]
    if not there:
        return None
    kind, shape = there[0].dtype, there[0].shape[1:]
    filled = [
        np.zeros((len(part), *shape), kind) if column is None else column
        for column, part in zip(columns, parts, strict=True)
    ]
    return np.concatenate(filled)
