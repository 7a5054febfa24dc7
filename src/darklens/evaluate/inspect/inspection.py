"""What image files hold and what will be done with them, as a table with a figure for each."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from darklens.errors import BadInput
from darklens.evaluate.figures import save_figure
from darklens.evaluate.inspect.figures import inspection_figure
from darklens.evaluate.inspect.rows import (
    Inspected,
    inspect_target,
    inspection_row,
    inspection_table,
)
from darklens.files.atomic import atomic_file
from darklens.files.configuration import write_configuration
from darklens.files.tables import check_outputs, picture_name, write_table
from darklens.observations import ImageOptions, Preparation, Target, find_targets
from darklens.observations.companions import files_beside
from darklens.observations.known_lenses import catalogue_file
from darklens.progress import progress, say
from darklens.workers import in_threads

__all__ = ["inspect"]


def inspect(
    inputs: list[str],
    *,
    output: Path | None = None,
    figures: Path | None = None,
    images: str | None = None,
    extension: str | None = None,
    band: str | None = None,
    noise_map: str | None = None,
    psf: str | None = None,
    mask: str | None = None,
    pixel_scale: float | None = None,
    centre: str | None = None,
    size: int | None = None,
    prepare: Preparation = Preparation(),  # noqa: B008  frozen
    survey: Path | None = None,
    workers: int = 1,
    quiet: bool = False,
) -> pd.DataFrame:
    """Tell what image files hold, and what a fit will do with them.

    Nothing is fitted, and no file is changed. An image that cannot be used keeps a row with the
    reason in the column `error`. On the command line it makes the exit code 1, or 2 if no image
    can be used.

    Args:
        inputs: Image files, folders (searched recursively), globs, and manifests: tables in CSV or
            YAML with a column image and any of the options below.
        output: Table to write: .csv, .parquet or .json. Without it the command prints the table.
        figures: Folder for a figure of each image: as read, as prepared, its noise, its PSF.
        images: Which files of a folder are images, such as `*_sci.fits`. By default those whose
            names do not say noise map, mask or PSF.
        extension: Name or number of the extension of FITS files.
        band: Band of files with several: a name, such as VIS, or the number of a plane, from 1; of
            colour pictures red, green, blue or luminance.
        noise_map: Noise map: FILE, FILE[EXTENSION], [EXTENSION] of the same file, or a pattern such
            as `*_rms.fits`. By default it is looked for by name, in the file and beside it.
        psf: PSF likewise, or the full width at half maximum of a Gaussian [arcsec].
        mask: Mask likewise: nonzero where pixels are bad.
        pixel_scale: Pixel scale [arcsec/pixel], if the header does not give it.
        centre: Where the lens is: x,y [pixel, from 0], RA,Dec, middle or brightest.
        size: Side of the square around the centre [pixel]. By default the whole image.
        prepare: What else is said about the images, and how to prepare them.
        survey: YAML with any of these options. By default that of the folder: darklens.yaml in it,
            or FOLDER.yaml beside it.
        workers: Threads that read.
        quiet: Show no progress.

    Returns:
        One row per file: `path`, `role`, what was found, `note`, and `error`.

    Raises:
        BadInput: If an argument is invalid or no image is found.
        BadConfig: If the survey's YAML is not valid.
    """
    settings = dict(locals())
    check_outputs(output, figures)
    if workers < 1:
        raise BadInput("--workers must be at least 1")
    options = ImageOptions(
        extension=extension,
        band=band,
        noise_map=noise_map,
        psf=psf,
        mask=mask,
        pixel_scale=pixel_scale,
        centre=centre,
        size=size,
        images=images,
        **asdict(prepare),
    )
    targets, messages = find_targets(inputs, options, survey=survey)
    place = check_outputs(output, figures, [target.path for target in targets])
    for message in messages:
        say(message)
    rows = []
    stage, owners = f"inspecting {len(targets)} files", _owners(targets)
    found = in_threads(inspect_target, targets, workers=workers)
    for index, row in enumerate(progress(found, stage, total=len(targets), quiet=quiet)):
        if figures is not None:
            _write_figure(figures / picture_name(index, row.target.path), row)
        rows.append(inspection_row(row, owners))
    table = inspection_table(rows)
    if catalogue_file() is None and table["ra"].notna().any():
        say("known lenses are not looked up: pip install --no-deps lenscat", quiet=quiet)
    if output is not None:
        write_table(table, output)
    if place is not None:
        write_configuration(place, "inspect", settings)
    return table


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
