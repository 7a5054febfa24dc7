"""`darklens fit`: the smooth lens of image files and folders, as a table and pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from darklens.data import expand_stacks, find_images, read_plane
from darklens.errors import BadInput, BadPreset, UnreadableImage
from darklens.evaluate import (
    FileFit,
    FileFitter,
    fit_figure,
    fit_files,
    fit_row,
    fit_table,
    save_figure,
)
from darklens.files.atomic import atomic_file
from darklens.files.configuration import write_configuration
from darklens.files.tables import check_outputs, picture_name, printable, reasons, write_table
from darklens.lensing import GaussianPSF, PixelPSF
from darklens.progress import progress, say
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
) -> int:
    """Fit the smooth lens: its numbers with their errors, and what it leaves unexplained.

    Files that cannot be read or fitted are listed with their reason and make the exit code 1;
    when no file can be fitted, it is 2. The table is written all the same.

    Args:
        inputs: Image files, folders (searched recursively) and globs.
        preset: Family of lenses: a shipped preset or a YAML file. galaxy takes any FITS image.
        output: Table to write: .csv, .parquet or .json. Without it the table is printed.
        figures: Folder for a picture of each fit: data, model, residual, source.
        noise_map: Standard deviation of each pixel, for all images: FILE or FILE[EXTENSION].
            Infinite where a pixel is left out. By default the preset's noise, or that of the sky.
        psf: PSF at the scale of the image, FILE or FILE[EXTENSION], or the full width at half
            maximum of a Gaussian [arcsec]. By default the preset's.
        pixel_scale: Side of a pixel [arcsec], where the header does not say it.
        extension: Name or number of the extension of FITS files that is fitted.
        size: Side of the central square that is fitted [pixel]. By default the whole image.
        mass: Whether the lens is a sphere or an ellipsoid. By default as the preset has it.
        lens_light: Whether the lens shines. By default as the preset has it.
        workers: Threads that fit.
        quiet: Show no progress.
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
            _write_picture(figures / picture_name(index, row.path), row)
        rows.append(fit_row(row))
    failed = [row for row in rows if row["error"]]
    table = fit_table(rows)
    if output is None:
        print(printable(table))
    else:
        write_table(table, output)
    if place is not None:
        write_configuration(place, "fit", settings)
    if len(failed) == len(rows):
        why = reasons(row["error"] for row in failed)
        raise BadInput(f"none of {len(rows)} images can be fitted: {why}")
    _tell(rows, quiet)
    return 1 if failed else 0


def _tell(rows: list[dict[str, object]], quiet: bool) -> None:
    """What a person must know of the table: what failed, and what is only estimated."""
    failed = sum(bool(row["error"]) for row in rows)
    if failed:
        say(f"{failed} of {len(rows)} images could not be fitted; see the column error")
    unconverged = sum(row["converged"] is False for row in rows)
    if unconverged:
        say(f"{unconverged} fits did not converge; see the column converged", quiet=quiet)
    for what in ("counts", "noise"):
        guessed = sum(row[what] == "estimated" for row in rows)
        if guessed:
            say(f"{what} estimated from the sky: {guessed} of {len(rows)} images", quiet=quiet)
    notes = sum(bool(row.get("note")) for row in rows)
    if notes:
        say(f"{notes} of {len(rows)} images do not match the preset; see the column note")


def _plane(option: str, name: str) -> "Num[np.ndarray, 'h w']":
    """The pixels of a file that an option names."""
    try:
        return read_plane(name).image
    except UnreadableImage as error:
        raise BadInput(f"--{option} {name}: {error}") from None


def _psf(text: str) -> GaussianPSF | PixelPSF:
    """A width in arcsec, or pixels from a file."""
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


def _write_picture(path: Path, row: FileFit) -> None:
    if row.image is None or row.fit is None or row.model is None:
        return
    figure = fit_figure(
        row.image, row.fit, row.model, title=str(Path(row.path.parent.name, row.path.name))
    )
    with atomic_file(path) as temporary:
        save_figure(figure, temporary)
