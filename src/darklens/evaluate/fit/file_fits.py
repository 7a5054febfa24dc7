"""Smooth fits of image files and folders: a table, and a figure for each fit."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import pandas as pd

from darklens.errors import BadInput
from darklens.evaluate.figures import save_figure
from darklens.evaluate.fit.figures import fit_figure
from darklens.evaluate.fit.files import FileFit, FileFitter, fit_files, fit_row, fit_table
from darklens.files.atomic import atomic_file
from darklens.files.configuration import write_configuration
from darklens.files.tables import check_outputs, picture_name, write_table
from darklens.observations import ImageOptions, Preparation, Target, find_targets
from darklens.progress import progress, say
from darklens.simulation import Preset, load_preset

__all__ = ["fit"]


def fit(
    inputs: list[str],
    *,
    preset: str = "common-test-1",
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
            YAML with a column image and any of the options of `darklens inspect`.
        preset: Kind of lens: a shipped preset or a YAML file. galaxy takes any image of a
            telescope, and only with it do the options from images to survey count.
        output: Table to write: .csv, .parquet or .json. Without it the command prints the table.
        figures: Folder for a figure of each fit: data, model, residual, source.
        images: Which files of a folder are images, such as `*_sci.fits`.
        extension: Name or number of the extension to fit in FITS files.
        band: Band of files with several: a name, such as VIS, or the number of a plane, from 1; of
            colour pictures red, green, blue or luminance.
        noise_map: Noise map: FILE, FILE[EXTENSION], [EXTENSION] of the same file, or a pattern such
            as `*_rms.fits`. By default it is looked for by name, in the file and beside it, and
            else estimated. Pixels of infinite noise are masked.
        psf: PSF likewise, or the full width at half maximum of a Gaussian [arcsec]. By default the
            preset's, if none is found.
        mask: Mask likewise: nonzero where pixels are bad.
        pixel_scale: Pixel scale [arcsec/pixel], if the header does not give it.
        centre: Where the lens is: x,y [pixel, from 0], RA,Dec, middle or brightest.
        size: Side of the square around the centre to fit [pixel]. By default the whole image.
        prepare: What else is said about the images, and how to prepare them.
        survey: YAML with any of these options. By default that of the folder: darklens.yaml in it,
            or FOLDER.yaml beside it.
        mass: Spherical or elliptical lens mass. By default as in the preset.
        lens_light: Whether to fit the light of the lens galaxy. By default as in the preset.
        workers: Threads that fit.
        quiet: Show no progress.

    Returns:
        One row per image: `path`, the parameters with their errors, `chi_square`, and `error`.

    Raises:
        BadInput: If an argument is invalid or no image is found.
        BadPreset: If the preset is not valid.
    """
    settings = dict(locals())
    check_outputs(output, figures)
    if workers < 1:
        raise BadInput("--workers must be at least 1")
    kind = load_preset(preset)
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
    targets = _targets(inputs, options, survey, kind)
    place = check_outputs(output, figures, [target.path for target in targets])
    fitter = FileFitter(kind, mass=mass, lens_light=lens_light)
    rows = []
    stage = f"fitting {len(targets)} images with the preset '{preset}'"
    found = fit_files(fitter, targets, workers=workers)
    for index, row in enumerate(progress(found, stage, total=len(targets), quiet=quiet)):
        if figures is not None:
            _write_figure(figures / picture_name(index, row.path), row)
        rows.append(fit_row(row))
    table = fit_table(rows)
    if output is not None:
        write_table(table, output)
    if place is not None:
        write_configuration(place, "fit", settings)
    return table


def _targets(
    inputs: list[str], options: ImageOptions, survey: Path | None, preset: Preset
) -> list[Target]:
    """The images to fit. Only those of telescopes come with files that are no images."""
    targets, messages = find_targets(inputs, options, survey=survey)
    for message in messages:
        say(message)
    if not preset.general:
        return [replace(target, role="image") for target in targets]
    images = [target for target in targets if target.role == "image"]
    if not images:
        raise BadInput("all files are noise maps, masks or PSFs by their names: none is an image")
    if others := len(targets) - len(images):
        say(f"left out {others} files that are noise maps, masks or PSFs by their names")
    return images


def _write_figure(path: Path, row: FileFit) -> None:
    if row.image is None or row.fit is None or row.model is None:
        return
    figure = fit_figure(
        row.image, row.fit, row.model, title=str(Path(row.path.parent.name, row.path.name))
    )
    with atomic_file(path) as temporary:
        save_figure(figure, temporary)
