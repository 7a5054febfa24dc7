"""Class probabilities of image files, one row per file, readable or not."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Num

from darklens.classify import Classifier
from darklens.data import read_image
from darklens.data.headers import Declared, declared
from darklens.data.steps import Panel
from darklens.errors import reason_of
from darklens.evaluate.classifier.scores import same_shape_batches
from darklens.hub import ModelCard, card_of
from darklens.naming import visible

__all__ = ["FilePrediction", "predict_files", "prediction_table"]

_MEMORY = 2**28  # bytes of images that are read together; a larger one is read alone


@dataclass(frozen=True)
class FilePrediction:
    """The result for one file: probabilities, or the reason why there are none.

    Attributes:
        path: The file.
        image: Its image, or None when there is an error.
        probabilities: Class probabilities, or None when there is an error.
        error: The reason, or empty.
        panels: Panels that explain the image, if they were asked for.
        said: Columns that the model's preprocessing adds.
    """

    path: Path
    image: Num[np.ndarray, "c h w"] | None
    probabilities: Float[np.ndarray, " k"] | None
    error: str = ""
    panels: Sequence[Panel] = ()
    said: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        if self.probabilities is None:
            answer = visible(self.error) or "not classified"
        else:
            answer = f"probabilities {', '.join(f'{p:.3f}' for p in self.probabilities)}"
        return f"FilePrediction({visible(self.path)!r}: {answer})"


def predict_files(
    classifier: Classifier,
    paths: Sequence[Path],
    *,
    extension: str | None = None,
    batch: int = 64,
    workers: int = 1,
    panels: bool = False,
) -> Iterator[FilePrediction]:
    """Classify files in order, with one batch of images in memory at a time.

    A file that cannot be read or does not suit the model gets a reason and does not stop the
    others. A file whose header declares an image too large for the model is not read.

    Args:
        classifier: A model that was loaded with its card.
        paths: Image files, and images of stacks by their names.
        extension: Name or number of the extension of FITS files; the first image if None.
        batch: Images read and classified together, at most; large ones are fewer.
        workers: Threads that read.
        panels: Keep the panels that explain each image.

    Raises:
        BadModel: If the classifier has no card.
    """
    read_one = partial(_read, card=card_of(classifier), extension=extension)
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for chunk in _chunks(paths, batch):
            read = pool.map(read_one, *zip(*chunk, strict=True))
            for group in same_shape_batches(read, _kind, batch):
                yield from _classify(classifier, group, panels=panels)


def prediction_table(rows: Sequence[FilePrediction], classes: Sequence[str]) -> pd.DataFrame:
    """Table with path, label, p_CLASS for each class, the model's own columns, and error."""
    further = dict.fromkeys(name for row in rows for name in row.said)
    missing = np.full(len(classes), np.nan)
    values = [missing if row.probabilities is None else row.probabilities for row in rows]
    columns = np.array(values, dtype=np.float64).reshape(-1, len(classes))
    labels = [
        None if row.probabilities is None else classes[int(row.probabilities.argmax())]
        for row in rows
    ]
    return pd.DataFrame(
        {
            "path": [visible(row.path) for row in rows],
            "label": pd.Series(labels, dtype="string"),
            **{f"p_{name}": columns[:, index] for index, name in enumerate(classes)},
            **{name: [row.said.get(name) for row in rows] for name in further},
            "error": pd.Series([visible(row.error) or None for row in rows], dtype="string"),
        }
    )


def _chunks(paths: Sequence[Path], batch: int) -> Iterator[list[tuple[Path, Declared]]]:
    """Files that are read together: at most `batch`, and no more than fit in memory."""
    chunk: list[tuple[Path, Declared]] = []
    memory = 0
    for path in paths:
        header = declared(path)
        if chunk and (len(chunk) == batch or memory + header.memory > _MEMORY):
            yield chunk
            chunk, memory = [], 0
        chunk.append((path, header))
        memory += header.memory
    if chunk:
        yield chunk


def _read(
    path: Path, header: Declared, *, card: ModelCard, extension: str | None
) -> FilePrediction:
    try:
        channels = card.input.channels
        reason = card.unsuitable((channels, *header.size)) if header.size else None
        if reason is None:
            image = read_image(path, extension=extension, allow_nan=True)
            reason = card.unsuitable(image.shape)
    except Exception as error:  # noqa: BLE001  one file, whatever it does, stops no other
        reason = reason_of(error)
    return FilePrediction(path, None if reason else image, None, reason or "")


def _kind(row: FilePrediction) -> tuple[object, ...]:
    """Key of the files that are classified together: same state, shape and type."""
    if row.image is None:
        return ("error",)
    return (row.image.shape, row.image.dtype)


def _classify(
    classifier: Classifier, group: list[FilePrediction], *, panels: bool
) -> list[FilePrediction]:
    """Fill in the probabilities of one batch; if that fails, go image by image."""
    images = [row.image for row in group if row.image is not None]
    if not images:
        return group
    try:
        shown: Sequence[Sequence[Panel]] = [()] * len(images)
        if panels:
            probabilities, said, shown = classifier.illustrate(np.stack(images))
        else:
            probabilities, said = classifier.explain(np.stack(images))
    except Exception as error:  # noqa: BLE001  one image, whatever it does, stops no other
        if len(group) > 1:
            return [
                row for single in group for row in _classify(classifier, [single], panels=panels)
            ]
        return [replace(group[0], image=None, error=reason_of(error))]
    return [
        replace(
            row,
            probabilities=probabilities[index],
            panels=shown[index],
            said={name: column[index] for name, column in said.items()},
        )
        for index, row in enumerate(group)
    ]
