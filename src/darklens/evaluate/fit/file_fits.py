"""The verb `fit`: smooth lenses in image files, as a table with a figure for each fit.

A worker fits one image after another, writes their figures and gives back the rows of the table.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from darklens.cluster import open_workers
from darklens.errors import BadInput
from darklens.evaluate.figures import save_figure
from darklens.evaluate.fit.figures import fit_figure
from darklens.evaluate.fit.files import FileFit, FileFitter, fit_row, fit_table
from darklens.evaluate.image_files import ImageRun, only_images
from darklens.files.atomic import atomic_file
from darklens.files.tables import picture_name, write_table
from darklens.modelling import Posterior, conventional_parameters
from darklens.observations import ImageOptions, Target
from darklens.progress import progress
from darklens.simulation import Preset, load_preset
from darklens.workers import Workers, in_order, one_blas_thread, workers_for

__all__ = ["fit"]

_LEAST = 96  # images for each process: it needs about as long to start as to fit that many
_TOGETHER = 8  # images of one call


def fit(
    inputs: list[str],
    *,
    preset: str = "common-test-1",
    output: Path | None = None,
    figures: Path | None = None,
    posterior: Path | None = None,
    posterior_steps: int = 4000,
    seed: int = 0,
    options: ImageOptions = ImageOptions(),  # noqa: B008  frozen
    survey: Path | None = None,
    mass: Literal["sphere", "ellipsoid"] | None = None,
    lens_light: bool | None = None,
    workers: int = 1,
    cluster: str | None = None,
    quiet: bool = False,
) -> pd.DataFrame:
    """Fit the smooth lens: its parameters with errors, and the residual.

    Files that cannot be read or fitted keep a row with the reason in the column `error`. On the
    command line they make the exit code 1, or 2 if no file can be fitted; the table is written in
    any case.

    Args:
        inputs: Image files, folders (searched recursively) and globs, on this machine or at URLs
            such as s3://BUCKET/FOLDER, which are copied first, and manifests: tables in CSV or YAML
            with a column image and any of the options that say what the images are.
        preset: Kind of lens: a shipped preset or a YAML file. galaxy takes any image of a
            telescope; the others know their images, and of those only extension, noise map and PSF
            can be said.
        output: Table to write: .csv, .parquet or .json. Without it the command prints the table.
        figures: Folder for a figure of each fit: data, model, residual, source.
        posterior: Folder for samples of the posterior of each image, as Parquet tables; their
            medians and central 68 % also go into the table. The slope of the mass of a general
            preset is free in it. Takes minutes an image.
        posterior_steps: Largest number of steps of each walker; fewer if the chains are long
            enough before.
        seed: Of the samples.
        options: What is said about the images, and how they are prepared.
        survey: YAML with the same for all images of a folder. By default darklens.yaml in the
            folder, or FOLDER.yaml beside it.
        mass: Spherical or elliptical lens mass. By default as in the preset.
        lens_light: Whether to fit the light of the lens galaxy. By default as in the preset.
        workers: Processes that fit. The table is the same for any number.
        cluster: Dask cluster in their place: local, the address of a scheduler (tcp://HOST:PORT),
            or a YAML profile of dask-jobqueue.
        quiet: Show no progress.

    Returns:
        One row per image: `path`, the parameters with their errors, `chi_square`, and `error`.

    Raises:
        BadInput: If an argument is invalid or no image is found.
        BadConfig: If the survey's YAML is not valid.
        BadPreset: If the preset is not valid.
    """
    with ImageRun("fit", locals()) as run:
        kind = load_preset(preset)
        if posterior is not None and posterior_steps < 2:
            raise BadInput("--posterior-steps must be at least 2")
        sampling = None if posterior is None else _Sampling(posterior, posterior_steps, seed)
        job = _Job(kind, mass, lens_light, figures, sampling)
        _begin(job)  # arguments that contradict each other fail here
        # Only images of telescopes come with files that are no images.
        every = [replace(target, role="image") for target in run.targets]
        targets = only_images(run.targets) if kind.general else every
        stage = f"fitting {len(targets)} images with the preset '{preset}'"
        with (
            open_workers(cluster, workers, quiet=quiet) as opened,
            closing(_rows(job, targets, opened)) as rows,
        ):
            found = list(progress(rows, stage, total=len(targets), quiet=quiet))
        return run.finish(fit_table(found))


@dataclass(frozen=True)
class _Sampling:
    """Where samples of the posterior go, the most steps, and the seed."""

    folder: Path
    steps: int
    seed: int


@dataclass(frozen=True)
class _Job:
    """What a worker needs to fit any of the images."""

    preset: Preset
    mass: Literal["sphere", "ellipsoid"] | None
    lens_light: bool | None
    figures: Path | None
    sampling: _Sampling | None


def _rows(
    job: _Job, targets: Sequence[Target], workers: int | Workers
) -> Generator[dict[str, Any], None, None]:
    """A row of the table for each image, in order."""
    each = [(target, picture_name(index, target.path)) for index, target in enumerate(targets)]
    least, together = (_LEAST, _TOGETHER) if job.sampling is None else (1, 1)
    calls = ((each[i : i + together],) for i in range(0, len(each), together))
    chosen = workers_for(len(targets) // least, workers)
    if chosen.here:
        yield from (_fit_one(*one) for one in each)
        return
    with closing(
        in_order(_fit_some, calls, workers=chosen, begin=_begin, arguments=(job,))
    ) as found:
        for rows in found:
            yield from rows


_worker: tuple[FileFitter, Path | None, Path | None]


def _begin(job: _Job) -> None:
    """Prepare a worker process."""
    global _worker
    wanted = job.sampling
    fitter = FileFitter(
        job.preset,
        mass=job.mass,
        lens_light=job.lens_light,
        posterior_steps=0 if wanted is None else wanted.steps,
        seed=0 if wanted is None else wanted.seed,
    )
    _worker = (fitter, job.figures, None if wanted is None else wanted.folder)


def _fit_some(each: Sequence[tuple[Target, str]]) -> list[dict[str, Any]]:
    return [_fit_one(target, picture) for target, picture in each]


def _fit_one(target: Target, picture: str) -> dict[str, Any]:
    fitter, figures, samples = _worker
    with one_blas_thread():
        found = fitter.fit(target)
    if figures is not None:
        _write_figure(figures / picture, found)
    if samples is not None and found.posterior is not None:
        _write_samples((samples / picture).with_suffix(".parquet"), found.posterior)
    return fit_row(found)


def _write_figure(path: Path, row: FileFit) -> None:
    if row.image is None or row.fit is None or row.model is None:
        return
    figure = fit_figure(
        row.image, row.fit, row.model, title=str(Path(row.path.parent.name, row.path.name))
    )
    with atomic_file(path) as temporary:
        save_figure(figure, temporary)


def _write_samples(path: Path, found: Posterior) -> None:
    samples = pd.DataFrame(conventional_parameters(found.names, found.samples))
    samples["log_probability"] = found.log_probability
    write_table(samples, path)
