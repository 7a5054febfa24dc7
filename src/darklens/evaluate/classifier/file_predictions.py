"""Class probabilities for image files and folders, as a table with a figure for each image."""

from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from darklens.classify import check_coverage
from darklens.cluster import open_workers
from darklens.data import expand_stacks, find_images
from darklens.data.files import IMAGE_ENDINGS
from darklens.errors import BadInput
from darklens.evaluate.classifier.prediction import (
    FilePrediction,
    predict_files,
    prediction_table,
)
from darklens.files.atomic import atomic_file
from darklens.files.configuration import write_configuration
from darklens.files.remote import fetched_files
from darklens.files.tables import check_outputs, picture_name, write_table
from darklens.hub import ModelCard, card_of, load_classifier
from darklens.progress import progress, say

if TYPE_CHECKING:
    from darklens.evaluate.classifier.catalogue import Catalogue

__all__ = ["predict"]


def predict(
    inputs: list[str],
    *,
    model: str = "default",
    output: Path | None = None,
    coverage: float = 0.95,
    figures: Path | None = None,
    html: Path | None = None,
    extension: str | None = None,
    stack: bool | None = None,
    batch: int = 64,
    workers: int = 0,
    cluster: str | None = None,
    device: str = "cpu",
    quiet: bool = False,
) -> pd.DataFrame:
    """Class probabilities for image files and folders.

    Files that cannot be read or do not suit the model keep a row with the reason in the column
    `error`. On the command line they make the exit code 1, or 2 if no file can be classified; the
    table is written in any case.

    Args:
        inputs: Image files, folders (searched recursively) and globs, on this machine or at URLs
            such as s3://BUCKET/FOLDER, which are copied first. Each image of a stack, an
            array of images in one .npy or .npz file, has its own row, such as lenses.npz[17];
            such a name can also be given as input.
        model: Name of a shipped model, path of a model folder, or owner/name on the hub.
        output: Table to write, at a URL too: .csv, .parquet or .json. Without it the command
            prints the table.
        coverage: Probability with which the classes in the column `set` hold the true one.
        figures: Folder for a figure of each image with its answer and probabilities. Models that
            fit the smooth lens also show the fit and its residual.
        html: Page to write, with a row for each of at most 3,000 images: pictures of the image and
            of the residual of its fit, the answer, and what to do. One file, which asks for
            nothing from elsewhere; sort, filter and enlarge it in a browser, or print it.
        extension: Name or number of the extension to read from FITS files.
        stack: Whether 2 to 16 planes in a .npy file are separate images (true) or the channels
            of one image (false). By default the number of channels of the model decides.
        batch: Maximum number of images in memory.
        workers: Processes that fit, for models that fit each image; threads that read files, for
            others. 0 for one per CPU core. The table is the same for any number.
        cluster: Dask cluster in their place: local, the address of a scheduler (tcp://HOST:PORT),
            or a YAML profile of dask-jobqueue.
        device: Torch device, such as cpu or cuda.
        quiet: Show no progress.

    Returns:
        One row per image: `path`, `label`, `p_CLASS` for each class, `set`, `familiarity`, the
        model's own columns, and `error`. The label is `unknown` where the image is unlike those
        that the model was calibrated on; `note` says why.

    Raises:
        BadInput: If an argument does not fit or no image is found.
        BadModel: If the model cannot be loaded.
    """
    settings = dict(locals())
    check_outputs(output, figures, page=html)
    check_coverage(coverage)
    if batch < 1 or workers < 0:
        raise BadInput("--batch must be at least 1, and --workers at least 0")
    with ExitStack() as closed:
        fetched = closed.enter_context(fetched_files(inputs, IMAGE_ENDINGS))
        files = find_images(fetched.inputs)
        place = check_outputs(output, figures, files, page=html)
        classifier = load_classifier(model, device)
        card = card_of(classifier)
        paths = expand_stacks(files, channels=card.input.channels, stacked=stack, say=say)
        stage = f"classifying {len(paths)} images with the model '{card.name}'"
        page = _catalogue(card, coverage) if html is not None else None
        rows = []
        opened = closed.enter_context(open_workers(cluster, workers, quiet=quiet))
        found = predict_files(
            classifier,
            paths,
            extension=extension,
            coverage=coverage,
            batch=batch,
            workers=opened,
            panels=figures is not None or html is not None,
        )
        closed.enter_context(closing(found))
        for index, made in enumerate(progress(found, stage, total=len(paths), quiet=quiet)):
            row = replace(made, path=fetched.known_path(made.path))
            if figures is not None:
                _write_figure(figures / picture_name(index, row.path), row, card.classes)
            if page is not None:
                page.add(row)
            answer = replace(row.answer, panels=()) if row.answer else None
            rows.append(replace(row, image=None, answer=answer))
    table = prediction_table(rows, card.classes)
    if output is not None:
        write_table(table, output)
    if page is not None and html is not None:
        page.write(html)
    if place is not None:
        write_configuration(place, "predict", settings)
    return table


def _catalogue(card: ModelCard, coverage: float) -> "Catalogue":
    from darklens.evaluate.classifier.catalogue import Catalogue  # loads Matplotlib

    return Catalogue(card, coverage)


def _write_figure(path: Path, row: FilePrediction, classes: tuple[str, ...]) -> None:
    if row.image is None or row.answer is None:
        return
    from darklens.evaluate.classifier.figures import prediction_figure
    from darklens.evaluate.figures import save_figure

    name = str(Path(row.path.parent.name, row.path.name))
    with atomic_file(path) as temporary:
        save_figure(prediction_figure(row.image, row.answer, classes, title=name), temporary)
