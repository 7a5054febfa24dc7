"""The verb `detect`: subhalos in image files and folders, as a table, maps and pictures."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from darklens.data import expand_stacks, find_images, read_plane
from darklens.detection import Distances, SubhaloDetector
from darklens.errors import BadInput, BadPreset, UnreadableImage, reason_of
from darklens.evaluate.detect.coolest import write_coolest
from darklens.evaluate.detect.figures import detection_figure
from darklens.evaluate.detect.fits_maps import write_maps
from darklens.evaluate.detect.observed import ObservedImages
from darklens.evaluate.detect.table import FileDetection, detection_row, detection_table
from darklens.evaluate.figures import save_figure
from darklens.files.atomic import atomic_file
from darklens.files.configuration import write_configuration
from darklens.files.tables import check_outputs, picture_name, write_table
from darklens.lensing.instrument import PSF, GaussianPSF, PixelPSF
from darklens.progress import progress

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Num

__all__ = ["detect", "detect_files"]

_TRUNCATION = 4.0  # standard deviations of a Gaussian PSF


def detect(
    inputs: list[str],
    *,
    output: Path | None = None,
    maps: Path | None = None,
    figures: Path | None = None,
    noise_map: str | None = None,
    psf: str | None = None,
    pixel_scale: float | None = None,
    extension: str | None = None,
    size: int | None = None,
    lens_light: bool = True,
    lens_redshift: float | None = None,
    source_redshift: float | None = None,
    draws: int = 200,
    seed: int = 0,
    workers: int = 1,
    quiet: bool = False,
) -> pd.DataFrame:
    """Look for a subhalo in each lens: where, how heavy, how significant, what could be seen.

    Files that cannot be read or fitted keep a row with the reason in the column `error`. On the
    command line they make the exit code 1, or 2 if no file can be searched; the table is written in
    any case.

    Args:
        inputs: Image files, folders (searched recursively) and globs.
        output: Table to write: .csv, .parquet or .json. Without it the command prints the table.
        maps: Folder for the maps of each image as FITS, and its lens as COOLEST JSON.
        figures: Folder for a picture of each search.
        noise_map: Standard deviation of each pixel, for all images: FILE or FILE[EXTENSION].
            Infinite for pixels to mask. By default the noise of the sky.
        psf: PSF at the pixel scale of the image, FILE or FILE[EXTENSION], or the full width at
            half maximum of a Gaussian [arcsec]. By default 0.1 arcsec.
        pixel_scale: Pixel scale [arcsec/pixel], if the header does not give it.
        extension: Name or number of the extension to read in FITS files.
        size: Side of the central square to search [pixel]. By default the whole image.
        lens_light: Whether the lens galaxy is visible.
        lens_redshift: Redshift of the lens. Without redshifts masses are squared Einstein radii
            [arcsec^2], and 0.5 and 2 are assumed for the sizes of the subhalos.
        source_redshift: Redshift of the source.
        draws: Number of simulations without a subhalo that give the false alarms of each lens.
        seed: Seed of these simulations.
        workers: Threads that fit.
        quiet: Show no progress.

    Returns:
        One row per image: `path`, `verdict`, the subhalo, the limits, the smooth lens, and `error`.

    Raises:
        BadInput: If an argument is invalid or no image is found.
    """
    settings = dict(locals())
    check_outputs(output, figures)
    check_outputs(None, maps)
    if workers < 1:
        raise BadInput("--workers must be at least 1")
    files = find_images(inputs)
    beside_maps = check_outputs(None, maps, files)
    place = check_outputs(output, figures, files) or beside_maps
    paths = expand_stacks(files, channels=1)
    reader = ObservedImages(
        noise_map=None if noise_map is None else _plane("noise-map", noise_map),
        pixel_scale=pixel_scale,
        extension=extension,
        size=size,
    )
    detector = SubhaloDetector(Distances(lens_redshift, source_redshift), draws=draws, seed=seed)
    width = None if psf is None else _psf(psf)
    found = detect_files(detector, reader, paths, width, lens_light=lens_light, workers=workers)
    stage = f"looking for subhalos in {len(paths)} images"
    rows = []
    for index, row in enumerate(progress(found, stage, total=len(paths), quiet=quiet)):
        _write_images(picture_name(index, row.path), row, maps, figures)
        rows.append(detection_row(row))
    table = detection_table(rows)
    if output is not None:
        write_table(table, output)
    if place is not None:
        write_configuration(place, "detect", settings)
    return table


def detect_files(
    detector: SubhaloDetector,
    reader: ObservedImages,
    paths: Sequence[Path],
    psf: PSF | None,
    *,
    lens_light: bool = True,
    workers: int = 1,
) -> Iterator[FileDetection]:
    """Search files in order, several at a time.

    Args:
        detector: The detector.
        reader: Reads the files.
        paths: Image files.
        psf: The PSF; that of the preset `galaxy` if None.
        lens_light: Whether the lens galaxies are visible.
        workers: Threads that fit.
    """

    def search(path: Path) -> FileDetection:
        try:
            seen = reader.read(path)
            found = detector.detect(
                seen.image, seen.noise, seen.pixel_scale, psf, lens_light=lens_light
            )
        except Exception as error:  # noqa: BLE001  one bad file must not stop the others
            return FileDetection(path, error=reason_of(error))
        return FileDetection(path, seen, found)

    if workers == 1:
        yield from map(search, paths)
        return
    with ThreadPoolExecutor(workers) as pool:
        for begin in range(0, len(paths), workers):
            yield from pool.map(search, paths[begin : begin + workers])


def _write_images(name: str, row: FileDetection, maps: Path | None, figures: Path | None) -> None:
    """The maps, the lens as COOLEST JSON and the picture of one search."""
    if row.observed is None or row.detection is None:
        return
    stem = Path(name).stem
    if maps is not None:
        with atomic_file(maps / f"{stem}.fits") as temporary:
            write_maps(temporary, row.observed, row.detection)
        with atomic_file(maps / f"{stem}.coolest.json") as temporary:
            write_coolest(temporary, row.observed, row.detection)
    if figures is not None:
        title = str(Path(row.path.parent.name, row.path.name))
        with atomic_file(figures / name) as temporary:
            save_figure(detection_figure(row.detection, title=title), temporary)


def _plane(option: str, name: str) -> "Num[np.ndarray, 'h w']":
    """The pixels of a file given with an option."""
    try:
        return read_plane(name).image
    except UnreadableImage as error:
        raise BadInput(f"--{option} {name}: {error}") from None


def _psf(text: str) -> PSF:
    """A PSF from a width in arcsec or from a file."""
    try:
        width = float(text)
    except ValueError:
        try:
            return PixelPSF(_plane("psf", text).astype("float64"))
        except BadPreset as error:
            raise BadInput(f"--psf {text}: {error}") from None
    if not 0 < width < 60:
        raise BadInput(f"--psf {text}: the width must be positive, in arcsec")
    return GaussianPSF(width, _TRUNCATION)
