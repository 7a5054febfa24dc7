"""The verb `detect`: subhalos in image files and folders, as a table, maps and pictures."""

from functools import partial
from pathlib import Path

import pandas as pd

from darklens.detection import Distances, SubhaloDetector
from darklens.evaluate.detect.figures import detection_figure
from darklens.evaluate.detect.maps import lens_summary, write_detection
from darklens.evaluate.detect.table import FileDetection, detection_row, detection_table
from darklens.evaluate.figures import save_figure
from darklens.evaluate.image_files import ImageRun, attempt, only_images
from darklens.evaluate.lenses import LensImages, counted, lens_images, title_of, write_coolest
from darklens.files.atomic import atomic_file
from darklens.observations import ImageOptions

__all__ = ["detect", "detect_in_lens"]


def detect(
    inputs: list[str],
    *,
    output: Path | None = None,
    maps: Path | None = None,
    figures: Path | None = None,
    options: ImageOptions = ImageOptions(),  # noqa: B008  frozen
    survey: Path | None = None,
    lens_light: bool = True,
    lens_redshift: float | None = None,
    source_redshift: float | None = None,
    draws: int = 200,
    seed: int = 0,
    workers: int = 1,
    quiet: bool = False,
) -> pd.DataFrame:
    """Look for a subhalo in each lens: where, how heavy, how significant, what could be seen.

    Images with the same name in `lens`, one in each band, are searched together: the mass is
    shared, and each band has its own source, lens light, noise and PSF. Places refer to the first.

    Files that cannot be read or fitted keep a row with the reason in the column `error`. On the
    command line they make the exit code 1, or 2 if no file can be searched; the table is written in
    any case.

    Args:
        inputs: Image files, folders (searched recursively) and globs, on this machine or at URLs
            such as s3://BUCKET/FOLDER, which are copied first, and manifests: tables in CSV or YAML
            with a column image and any of the options that say what the images are.
        output: Table to write: .csv, .parquet or .json. Without it the command prints the table.
        maps: Folder for the maps of each image as FITS, and its lens as COOLEST JSON.
        figures: Folder for a picture of each search.
        options: What is said about the images, and how they are prepared.
        survey: YAML with the same for all images of a folder. By default darklens.yaml in the
            folder, or FOLDER.yaml beside it.
        lens_light: Whether the lens galaxy is visible.
        lens_redshift: Redshift of the lens. Without redshifts masses are squared Einstein radii
            [arcsec^2], and 0.5 and 2 are assumed for the sizes of the subhalos.
        source_redshift: Redshift of the source.
        draws: Number of simulations without a subhalo that give the false alarms of each lens.
        seed: Seed of these simulations.
        workers: Threads that fit.
        quiet: Show no progress.

    Returns:
        One row per lens: `path`, `verdict`, the subhalo, the limits, the smooth lens, and `error`.

    Raises:
        BadInput: If an argument is invalid or no image is found.
        BadConfig: If the survey's YAML is not valid.
    """
    with ImageRun("detect", locals()) as run:
        detector = SubhaloDetector(
            Distances(lens_redshift, source_redshift), draws=draws, seed=seed
        )
        work = partial(detect_in_lens, detector=detector, lens_light=lens_light)
        lenses = lens_images(only_images(run.targets))
        rows = []
        stage = f"looking for subhalos in {counted(lenses)}"
        for name, found in run.results(work, lenses, stage):
            _write_images(name, found, maps, figures)
            rows.append(detection_row(found))
        return run.finish(detection_table(rows))


def detect_in_lens(
    lens: LensImages, *, detector: SubhaloDetector, lens_light: bool = True
) -> FileDetection:
    """Read, prepare and search all images of one lens together; errors are in the result.

    Args:
        lens: The images.
        detector: The detector.
        lens_light: Whether the lens galaxy is visible.
    """

    def search(lens: LensImages) -> FileDetection:
        first, *others = lens.read()
        found = detector.detect([first, *others], lens_light=lens_light)
        return FileDetection(lens.path, first, found, lens=lens.name, others=tuple(others))

    def failed(path: Path, reason: str) -> FileDetection:
        return FileDetection(path, error=reason, lens=lens.name)

    return attempt(search, lens, failed)


def _write_images(name: str, row: FileDetection, maps: Path | None, figures: Path | None) -> None:
    """The maps, the lens as COOLEST JSON and the picture of one search."""
    if row.seen is None or row.detection is None:
        return
    stem = Path(name).stem
    if maps is not None:
        with atomic_file(maps / f"{stem}.fits") as temporary:
            write_detection(temporary, (row.seen, *row.others), row.detection)
        with atomic_file(maps / f"{stem}.coolest.json") as temporary:
            lens, meta = row.detection.lens, lens_summary(row.detection)
            write_coolest(temporary, row.seen, lens, row.detection.distances, meta)
    if figures is not None:
        with atomic_file(figures / name) as temporary:
            save_figure(detection_figure(row.detection, title=title_of(row.path)), temporary)
