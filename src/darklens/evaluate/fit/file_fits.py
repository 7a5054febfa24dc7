"""The verb `fit`: smooth lenses in image files, as a table with a figure for each fit."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd

from darklens.evaluate.figures import save_figure
from darklens.evaluate.fit.figures import fit_figure
from darklens.evaluate.fit.files import FileFit, FileFitter, fit_row, fit_table
from darklens.evaluate.image_files import ImageRun, only_images
from darklens.files.atomic import atomic_file
from darklens.observations import ImageOptions
from darklens.simulation import load_preset

__all__ = ["fit"]


def fit(
    inputs: list[str],
    *,
    preset: str = "common-test-1",
    output: Path | None = None,
    figures: Path | None = None,
    options: ImageOptions = ImageOptions(),  # noqa: B008  frozen
    survey: Path | None = None,
    mass: Literal["sphere", "ellipsoid"] | None = None,
    lens_light: bool | None = None,
    workers: int = 1,
    quiet: bool = False,
) -> pd.DataFrame:
    """Fit the smooth lens: its parameters with errors, and the residual.

    Files that cannot be read or fitted keep a row with the reason in the column `error`. On the
    command line they make the exit code 1, or 2 if no file can be fitted; the table is written in
    any case.

    Args:
        inputs: Image files, folders (searched recursively), globs, and manifests: tables in CSV or
            YAML with a column image and any of the options that say what the images are.
        preset: Kind of lens: a shipped preset or a YAML file. galaxy takes any image of a
            telescope; the others know their images, and of those only extension, noise map and PSF
            can be said.
        output: Table to write: .csv, .parquet or .json. Without it the command prints the table.
        figures: Folder for a figure of each fit: data, model, residual, source.
        options: What is said about the images, and how they are prepared.
        survey: YAML with the same for all images of a folder. By default darklens.yaml in the
            folder, or FOLDER.yaml beside it.
        mass: Spherical or elliptical lens mass. By default as in the preset.
        lens_light: Whether to fit the light of the lens galaxy. By default as in the preset.
        workers: Threads that fit.
        quiet: Show no progress.

    Returns:
        One row per image: `path`, the parameters with their errors, `chi_square`, and `error`.

    Raises:
        BadInput: If an argument is invalid or no image is found.
        BadConfig: If the survey's YAML is not valid.
        BadPreset: If the preset is not valid.
    """
    run = ImageRun("fit", locals())
    kind = load_preset(preset)
    fitter = FileFitter(kind, mass=mass, lens_light=lens_light)
    # Only images of telescopes come with files that are no images.
    every = [replace(target, role="image") for target in run.targets]
    targets = only_images(run.targets) if kind.general else every
    rows = []
    stage = f"fitting {len(targets)} images with the preset '{preset}'"
    for name, found in run.results(fitter.fit, targets, stage):
        if figures is not None:
            _write_figure(figures / name, found)
        rows.append(fit_row(found))
    return run.finish(fit_table(rows))


def _write_figure(path: Path, row: FileFit) -> None:
    if row.image is None or row.fit is None or row.model is None:
        return
    figure = fit_figure(
        row.image, row.fit, row.model, title=str(Path(row.path.parent.name, row.path.name))
    )
    with atomic_file(path) as temporary:
        save_figure(figure, temporary)
