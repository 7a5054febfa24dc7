"""Answers for image files, one row per file, readable or not."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Num

from darklens.classify import Answer, Classifier, answer_table, check_coverage
from darklens.data import read_image
from darklens.data.headers import Declared, declared
from darklens.errors import reason_of
from darklens.evaluate.classifier.scores import same_shape_batches
from darklens.hub import ModelCard, card_of
from darklens.naming import visible

__all__ = ["FilePrediction", "predict_files", "prediction_table"]

_MEMORY = 2**28  # bytes of images that are read together; a larger one is read alone


@dataclass(frozen=True)
class FilePrediction:
    """The result for one file: the model's answer, or the reason why there is none.

    Attributes:
        path: The file.
        image: Its image, or None when there is an error.
        answer: The model's answer, or None when there is an error.
        error: The reason, or empty.
    """

    path: Path
    image: Num[np.ndarray, "c h w"] | None
    answer: Answer | None
    error: str = ""

    def __repr__(self) -> str:
        answer = repr(self.answer) if self.answer else visible(self.error) or "not classified"
        return f"FilePrediction({visible(self.path)!r}: {answer})"


def predict_files(
    classifier: Classifier,
    paths: Sequence[Path],
    *,
    extension: str | None = None,
    coverage: float = 0.95,
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
        coverage: Probability with which a set is to hold the true class.
        batch: Images read and classified together, at most; large ones are fewer.
        workers: Threads that read.
        panels: Keep the panels that explain each image.

    Raises:
        BadInput: If `coverage` is out of range.
        BadModel: If the classifier has no card.
    """
    check_coverage(coverage)
    classify = partial(_classify, partial(classifier.answer, coverage=coverage, panels=panels))
    read_one = partial(_read, card=card_of(classifier), extension=extension)
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for chunk in _chunks(paths, batch):
            read = pool.map(read_one, *zip(*chunk, strict=True))
            for group in same_shape_batches(read, _kind, batch):
                yield from classify(group)


def prediction_table(rows: Sequence[FilePrediction], classes: Sequence[str]) -> pd.DataFrame:
    """Table with path, label, p_CLASS for each class, set, familiarity, further columns, error."""
    table = answer_table([row.answer for row in rows], classes)
    table.insert(0, "path", [visible(row.path) for row in rows])
    errors = [visible(row.error) or None for row in rows]
    table["error"] = pd.Series(errors, dtype="string")
    return table


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
    answer: Callable[[Num[np.ndarray, "n c h w"]], Sequence[Answer]], group: list[FilePrediction]
) -> list[FilePrediction]:
    """Fill in the answers of one batch; if that fails, go image by image."""
    images = [row.image for row in group if row.image is not None]
    if not images:
        return group
    try:
        answers = answer(np.stack(images))
    except Exception as error:  # noqa: BLE001  one image, whatever it does, stops no other
        if len(group) > 1:
            return [row for single in group for row in _classify(answer, [single])]
        return [replace(group[0], image=None, error=reason_of(error))]
    return [replace(row, answer=found) for row, found in zip(group, answers, strict=True)]
