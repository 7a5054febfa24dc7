"""Answers for image files, one row per file, readable or not."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import tee
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Num

from darklens.classify import Answer, Classifier, answer_table, check_coverage
from darklens.classify.fitted_answers import TOGETHER
from darklens.data import read_image
from darklens.data.headers import Declared, declared
from darklens.data.preparation import PreparedImage, prepare_images, preparing_workers
from darklens.errors import reason_of
from darklens.evaluate.classifier.scores import same_shape_batches
from darklens.files.remote import shown_path
from darklens.hub import ModelCard, card_of
from darklens.naming import visible
from darklens.workers import Workers, in_order, processors

__all__ = ["FilePrediction", "predict_files", "prediction_table"]

Answering = Callable[[Num[np.ndarray, "n c h w"]], Sequence[Answer]]
Reading = Callable[[Path, Declared], "FilePrediction"]

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
    workers: int | Workers = 1,
    panels: bool = False,
) -> Generator[FilePrediction, None, None]:
    """Classify files in order, with one batch of images in memory at a time.

    A file that cannot be read or does not suit the model gets a reason and does not stop the
    others. A file whose header declares an image too large for the model is not read.

    Args:
        classifier: A model that was loaded with its card.
        paths: Image files, and images of stacks by their names.
        extension: Name or number of the extension of FITS files; the first image if None.
        coverage: Probability with which a set is to hold the true class.
        batch: Images read and classified together, at most; large ones are fewer.
        workers: Processes that fit, for models that fit each image; threads that read, for others.
            0 for one per CPU core. Or workers, which fit, or read and classify. The answers are
            the same for any number.
        panels: Keep the panels that explain each image.

    Raises:
        BadInput: If `coverage` is out of range.
        BadModel: If the classifier has no card.
        WorkerDied: If a worker process was killed.
    """
    check_coverage(coverage)
    read_one = partial(_read, card=card_of(classifier), extension=extension)
    fits = classifier.preprocessing.explains
    answer = partial(classifier.answer, coverage=coverage, panels=panels)
    if not fits and isinstance(workers, Workers):
        arguments = (answer, read_one, batch, panels)
        calls = ((chunk,) for chunk in _chunks(paths, batch))
        found = in_order(
            _answer_in_worker, calls, workers=workers, begin=_begin, arguments=arguments
        )
        with closing(found):
            for answered in found:
                yield from answered
        return
    threads = 1 if isinstance(workers, Workers) or fits else workers or processors()
    with ThreadPoolExecutor(threads) as pool:
        read = (pool.map(read_one, *zip(*chunk, strict=True)) for chunk in _chunks(paths, batch))
        if not fits:
            for rows in read:
                for group in same_shape_batches(rows, _kind, batch):
                    yield from _classify(answer, group)
            return
        one_by_one, again = tee(row for rows in read for row in rows)
        prepared = prepare_images(
            classifier.preprocessing,
            (row.image for row in one_by_one),
            workers=preparing_workers(workers, len(paths)),
            panels=panels,
        )
        with closing(prepared):
            pairs = zip(again, prepared, strict=True)
            for fitted in same_shape_batches(pairs, _fitted_kind, min(batch, TOGETHER)):
                yield from _judge(partial(classifier.answer_prepared, coverage=coverage), fitted)


_worker: dict[str, Any] = {}


def _begin(answer: Answering, read_one: Reading, batch: int, images: bool) -> None:
    """Set up a worker that reads and classifies."""
    _worker.update(answer=answer, read=read_one, batch=batch, images=images)


def _answer_in_worker(chunk: Sequence[tuple[Path, Declared]]) -> list[FilePrediction]:
    """Read and classify the files of one chunk; their images only if they are shown."""
    rows = [_worker["read"](path, header) for path, header in chunk]
    groups = same_shape_batches(rows, _kind, _worker["batch"])
    answered = [row for group in groups for row in _classify(_worker["answer"], group)]
    return answered if _worker["images"] else [replace(row, image=None) for row in answered]


def prediction_table(rows: Sequence[FilePrediction], classes: Sequence[str]) -> pd.DataFrame:
    """Table with path, label, p_CLASS for each class, set, familiarity, further columns, error."""
    table = answer_table([row.answer for row in rows], classes)
    table.insert(0, "path", [visible(shown_path(row.path)) for row in rows])
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


def _classify(answer: Answering, group: list[FilePrediction]) -> list[FilePrediction]:
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


Fitted = tuple[FilePrediction, PreparedImage | None]


def _fitted_kind(fitted: Fitted) -> object:
    """Key of the fitted images that the network takes together."""
    _, image = fitted
    return None if image is None or image.values is None else image.values.shape


def _judge(
    answer: Callable[[Sequence[PreparedImage]], Sequence[Answer]], group: Sequence[Fitted]
) -> list[FilePrediction]:
    """Fill in the answers of fitted images; if that fails, go image by image."""
    images = [image for _, image in group if image is not None and image.values is not None]
    if not images:
        return [
            row if image is None else replace(row, image=None, error=image.problem)
            for row, image in group
        ]
    try:
        answers = answer(images)
    except Exception as error:  # noqa: BLE001  one image, whatever it does, stops no other
        if len(group) > 1:
            return [row for single in group for row in _judge(answer, [single])]
        return [replace(group[0][0], image=None, error=reason_of(error))]
    return [replace(row, answer=found) for (row, _), found in zip(group, answers, strict=True)]
