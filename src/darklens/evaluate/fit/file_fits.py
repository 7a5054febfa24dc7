"""Smooth fits of image files and folders: a table, and a figure for each fit."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from darklens.data import expand_stacks, find_images, read_plane
from darklens.errors import BadInput, BadPreset, UnreadableImage
from darklens.evaluate.figures import save_figure
from darklens.evaluate.fit.figures import fit_figure
from darklens.evaluate.fit.files import FileFit, FileFitter, fit_files, fit_row, fit_table
from darklens.files.atomic import atomic_file
from darklens.files.configuration import write_configuration
from darklens.files.tables import check_outputs, picture_name, write_table
from darklens.lensing import GaussianPSF, PixelPSF
from darklens.progress import progress
from darklens.simulation import load_preset

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Num

__all__ = ["fit"]

_TRUNCATION = 4.0  # standard deviations of a Gaussian PSF


def fit(
    inputs: list[str],
    *,
    preset: str = "common-test-1",
    output: Path | None = None,
    figures: Path | None = None,
    noise_map: str | None = None,
    psf: str | None = None,
    pixel_scale: float | None = None,
    extension: str | None = None,
    size: int | None = None,
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
        inputs: Image files, folders (searched recursively) and globs.
        preset: Kind of lens: a shipped preset or a YAML file. galaxy takes any FITS image.
        output: Table to write: .csv, .parquet or .json. Without it the command prints the table.
        figures: Folder for a figure of each fit: data, model, residual, source.
        noise_map: Standard deviation of each pixel, for all images: FILE or FILE[EXTENSION].
            Infinite for pixels to mask. By default the noise of the preset or of the sky.
        psf: PSF at the pixel scale of the image, FILE or FILE[EXTENSION], or the full width at
            half maximum of a Gaussian [arcsec]. By default the preset's.
        pixel_scale: Pixel scale [arcsec/pixel], if the header does not give it.
        extension: Name or number of the extension to fit in FITS files.
        size: Side of the central square to fit [pixel]. By default the whole image.
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
    files = find_images(inputs)
    place = check_outputs(output, figures, files)
    paths = expand_stacks(files, channels=1)
    fitter = FileFitter(
        load_preset(preset),
        noise_map=None if noise_map is None else _plane("noise-map", noise_map),
        psf=None if psf is None else _psf(psf),
        pixel_scale=pixel_scale,
        extension=extension,
        size=size,
        mass=mass,
        lens_light=lens_light,
    )
    rows = []
    stage = f"fitting {len(paths)} images with the preset '{preset}'"
    found = fit_files(fitter, paths, workers=workers)
    for index, row in enumerate(progress(found, stage, total=len(paths), quiet=quiet)):
        if figures is not None:
            _write_figure(figures / picture_name(index, row.path), row)
        rows.append(fit_row(row))
    table = fit_table(rows)
    if output is not None:
        write_table(table, output)
    if place is not None:
        write_configuration(place, "fit", settings)
    return table


def _plane(option: str, name: str) -> "Num[np.ndarray, 'h w']":
    """The pixels of a file given with an option."""
    try:
        return read_plane(name).image
    except UnreadableImage as error:
        raise BadInput(f"--{option} {name}: {error}") from None


def _psf(text: str) -> GaussianPSF | PixelPSF:
    """A PSF from a width in arcsec or from a file."""
    try:
        width = float(text)
    except ValueError:
        pixels = _plane("psf", text).astype("float64")
        try:
            return PixelPSF(pixels)
        except BadPreset as error:
            raise BadInput(f"--psf {text}: {error}") from None
    if not 0 < width < 60:
        raise BadInput(f"--psf {text}: the width must be positive, in arcsec")
    return GaussianPSF(width, _TRUNCATION)


def _write_figure(path: Path, row: FileFit) -> None:
    if row.image is None or row.fit is None or row.model is None:
        return
    figure = fit_figure(
        row.image, row.fit, row.model, title=str(Path(row.path.parent.name, row.path.name))
    )
    with atomic_file(path) as temporary:
        save_figure(figure, temporary)
