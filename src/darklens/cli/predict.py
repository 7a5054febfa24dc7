"""`darklens predict`: class probabilities for image files and folders, as a table."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from darklens.data import expand_stacks, find_images
from darklens.errors import BadInput
from darklens.evaluate import (
    FilePrediction,
    predict_files,
    prediction_figure,
    prediction_table,
    save_figure,
)
from darklens.files.atomic import atomic_file
from darklens.files.configuration import write_configuration
from darklens.files.tables import check_outputs, picture_name, printable, reasons, write_table
from darklens.hub import find_model, load_card, load_classifier
from darklens.progress import progress, say

if TYPE_CHECKING:
    from darklens.classify import Classifier

__all__ = ["predict"]


def predict(
    inputs: list[str],
    *,
    model: str = "default",
    output: Path | None = None,
    figures: Path | None = None,
    extension: str | None = None,
    stack: bool | None = None,
    batch: int = 64,
    workers: int = 1,
    device: str = "cpu",
    quiet: bool = False,
) -> int:
    """Class probabilities for image files and folders.

    Files that cannot be read or do not suit the model are listed with their reason and make the
    exit code 1; when no file can be classified, it is 2. The table is written all the same.

    Args:
        inputs: Image files, folders (searched recursively) and globs. Each image of a stack, an
            array of images in one .npy or .npz file, has a row of its own, as lenses.npz[17]; such
            a name can be given, too.
        model: Name of a shipped model, path of a model folder, or owner/name on the hub.
        output: Table to write: .csv, .parquet or .json. Without it the table is printed.
        figures: Folder for a picture of each image with its probabilities; models that fit the
            smooth lens show it, too, and what it leaves.
        extension: Name or number of the extension of FITS files that is read.
        stack: Whether 2 to 16 planes in a .npy file are so many images (true), or the channels
            of one (false). By default the number of channels that the model takes decides.
        batch: Images in memory at once, at most.
        workers: Threads that read files.
        device: Torch device, such as cpu or cuda.
        quiet: Show no progress.
    """
    settings = dict(locals())
    check_outputs(output, figures)
    if batch < 1 or workers < 1:
        raise BadInput("--batch and --workers must be at least 1")
    files = find_images(inputs)
    place = check_outputs(output, figures, files)
    folder = find_model(model)
    card = load_card(folder)
    classifier = load_classifier(folder, device)
    paths = expand_stacks(files, channels=card.input.channels, stacked=stack, say=say)
    rows = []
    found = predict_files(
        classifier, card, paths, extension=extension, batch=batch, workers=workers
    )
    stage = f"classifying {len(paths)} images with the model '{card.name}'"
    for index, row in enumerate(progress(found, stage, total=len(paths), quiet=quiet)):
        if figures is not None and row.probabilities is not None:
            picture = figures / picture_name(index, row.path)
            _write_picture(picture, row, card.classes, classifier)
        rows.append(replace(row, image=None))
    failed = [row for row in rows if row.error]
    table = prediction_table(rows, card.classes)
    if output is None:
        print(printable(table, "{:.3f}"))
    else:
        write_table(table, output)
    if place is not None:
        write_configuration(place, "predict", settings)
    if len(failed) == len(rows):
        why = reasons(row.error for row in failed)
        raise BadInput(f"none of {len(rows)} images can be classified: {why}")
    if failed:
        say(f"{len(failed)} of {len(rows)} images could not be classified; see the column error")
    notes = sum(bool(row.said.get("note")) for row in rows)
    if notes:
        say(f"{notes} of {len(rows)} images do not match the model's preset; see the column note")
    return 1 if failed else 0


def _write_picture(
    path: Path, row: FilePrediction, classes: tuple[str, ...], classifier: "Classifier"
) -> None:
    if row.image is None or row.probabilities is None:
        return
    panels = classifier.preprocessing.panels(row.image)
    title = str(Path(row.path.parent.name, row.path.name))
    figure = prediction_figure(row.image, row.probabilities.tolist(), classes, panels, title=title)
    with atomic_file(path) as temporary:
        save_figure(figure, temporary)
