"""Classify uploaded images: the answers of `darklens predict`, with pictures."""

import base64
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from darklens.classify import Classifier
from darklens.errors import BadInput
from darklens.evaluate.classifier.prediction import FilePrediction, predict_files, prediction_table
from darklens.files.tables import reasons, write_table
from darklens.hub import card_of
from darklens.naming import visible
from darklens.serve.messages import Classification, Classified, PanelPlane
from darklens.serve.planes import plane_of
from darklens.serve.uploads import BinaryFile, store_uploads

__all__ = ["classify_files", "table_bytes"]

_MOST_PICTURES = 64  # images of one answer that come with pictures


def classify_files(
    classifier: Classifier,
    files: Sequence[tuple[str, BinaryFile]],
    *,
    coverage: float,
    extension: str | None,
    limit: int,
) -> tuple[Classification, pd.DataFrame]:
    """Classify uploaded files.

    Args:
        classifier: The model.
        files: Names given by the client, and contents.
        coverage: Probability with which a set is to hold the true class.
        extension: Name or number of the extension of FITS files.
        limit: Most bytes in all.

    Returns:
        The answers, and the table of `darklens predict`.

    Raises:
        BadInput: If no file can be classified.
    """
    card = card_of(classifier)
    with tempfile.TemporaryDirectory(prefix="darklens-") as name:
        uploads = store_uploads(files, Path(name), channels=card.input.channels, limit=limit)
        found = predict_files(
            classifier,
            [upload.path for upload in uploads],
            extension=extension,
            coverage=coverage,
            panels=len(uploads) <= _MOST_PICTURES,
        )
        with closing(found):
            predictions = list(found)
    table = prediction_table(predictions, card.classes)
    table["path"] = [upload.label for upload in uploads]
    failed = [prediction.error for prediction in predictions if prediction.error]
    if len(failed) == len(predictions):
        names = f" ({uploads[0].label})" if len(uploads) == 1 else ""
        raise BadInput(
            f"none of {len(failed)} images can be classified{names}: {visible(reasons(failed))}"
        )
    rows = [
        _classified(prediction, upload.label, card.classes, pictures=index < _MOST_PICTURES)
        for index, (prediction, upload) in enumerate(zip(predictions, uploads, strict=True))
    ]
    answer = Classification(
        model=card.name,
        classes=list(card.classes),
        coverage=coverage,
        pixel_scale=card.input.pixel_scale,
        rows=rows,
        csv=table_bytes(table, ".csv").decode("utf-8"),
        parquet=base64.b64encode(table_bytes(table, ".parquet")).decode("ascii"),
    )
    return answer, table


def table_bytes(table: pd.DataFrame, ending: str) -> bytes:
    """A table as the bytes of a CSV, Parquet or JSON file."""
    with tempfile.TemporaryDirectory(prefix="darklens-") as folder:
        path = Path(folder) / f"table{ending}"
        write_table(table, path)
        return path.read_bytes()


def _classified(
    prediction: FilePrediction, label: str, classes: Sequence[str], *, pictures: bool
) -> Classified:
    answer = prediction.answer
    if answer is None:
        return Classified(label, error=visible(prediction.error))
    columns = {name: _plain(value) for name, value in answer.columns.items()}
    note = columns.pop("note", None)
    image = prediction.image
    return Classified(
        name=label,
        label=answer.label,
        probabilities={
            name: _plain(value) for name, value in zip(classes, answer.probabilities, strict=True)
        },
        possible=list(answer.possible),
        familiarity=_plain(answer.familiarity),
        summary=answer.summary,
        note=note,
        columns=columns,
        image=plane_of(image[0]) if pictures and image is not None else None,
        panels=[
            PanelPlane(panel.title, plane_of(panel.values), panel.limit)
            for panel in (answer.panels if pictures else ())
        ],
    )


def _plain(value: Any) -> Any:
    """A value that JSON can hold; numbers that are not finite are null."""
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain
