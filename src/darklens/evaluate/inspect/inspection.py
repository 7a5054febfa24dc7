"""What image files hold and what will be done with them, as a table with a figure for each."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from darklens.evaluate.figures import save_figure
from darklens.evaluate.image_files import ImageRun
from darklens.evaluate.inspect.figures import inspection_figure
from darklens.evaluate.inspect.rows import (
    Inspected,
    inspect_target,
    inspection_row,
    inspection_table,
)
from darklens.files.atomic import atomic_file
from darklens.observations import ImageOptions, Target
from darklens.observations.companions import files_beside
from darklens.observations.known_lenses import catalogue_file
from darklens.progress import say

__all__ = ["inspect"]


def inspect(
    inputs: list[str],
    *,
    output: Path | None = None,
    figures: Path | None = None,
    options: ImageOptions = ImageOptions(),  # noqa: B008  frozen
    survey: Path | None = None,
    workers: int = 1,
    quiet: bool = False,
) -> pd.DataFrame:
    """Tell what image files hold, and what a fit will do with them.

    Nothing is fitted, and no file is changed. An image that cannot be used keeps a row with the
    reason in the column `error`. On the command line it makes the exit code 1, or 2 if no image
    can be used.

    Args:
        inputs: Image files, folders (searched recursively) and globs, on this machine or at URLs
            such as s3://BUCKET/FOLDER, which are copied first, and manifests: tables in CSV or YAML
            with a column image and any of the options that say what the images are.
        output: Table to write: .csv, .parquet or .json. Without it the command prints the table.
        figures: Folder for a figure of each image: as read, as prepared, its noise, its PSF.
        options: What is said about the images, and how they are prepared.
        survey: YAML with the same for all images of a folder. By default darklens.yaml in the
            folder, or FOLDER.yaml beside it.
        workers: Threads that read.
        quiet: Show no progress.

    Returns:
        One row per file: `path`, `role`, what was found, `note`, and `error`.

    Raises:
        BadInput: If an argument is invalid or no image is found.
        BadConfig: If the survey's YAML is not valid.
    """
    with ImageRun("inspect", locals()) as run:
        owners = _owners(run.targets)
        rows = []
        stage = f"inspecting {len(run.targets)} files"
        for name, found in run.results(inspect_target, run.targets, stage):
            if figures is not None:
                _write_figure(figures / name, found)
            rows.append(inspection_row(found, owners))
        table = inspection_table(rows)
        if catalogue_file() is None and table["ra"].notna().any():
            say("known lenses are not looked up: pip install --no-deps lenscat", quiet=quiet)
        return run.finish(table)


def _write_figure(path: Path, row: Inspected) -> None:
    if row.found is None:
        return
    name = Path(row.found.name)
    figure = inspection_figure(
        row.found, row.prepared, title=str(Path(name.parent.name, name.name))
    )
    with atomic_file(path) as temporary:
        save_figure(figure, temporary)


def _owners(targets: Sequence[Target]) -> dict[Path, Path]:
    """For each companion, the first image that it is found beside by name."""
    owners: dict[Path, Path] = {}
    if all(target.role == "image" for target in targets):
        return owners
    for target in targets:
        if target.role == "image" and not target.error:
            beside = files_beside(target.path)
            noise = None if beside.noise is None else beside.noise[0]
            for file in (noise, beside.psf, beside.mask):
                if file is not None:
                    owners.setdefault(file, target.path)
    return owners
