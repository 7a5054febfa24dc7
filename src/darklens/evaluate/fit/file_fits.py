"""The verb `fit`: smooth lenses in image files, as a table with a figure for each fit.

A worker fits one image after another, or one lens with all of its bands, writes the figures and
gives back the rows of the table.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from darklens.cluster import open_workers
from darklens.detection import LensFitter
from darklens.errors import BadInput
from darklens.evaluate.figures import save_figure
from darklens.evaluate.fit.figures import fit_figure
from darklens.evaluate.fit.files import FileFit, FileFitter, fit_row, fit_table
from darklens.evaluate.fit.flexible import (
    fit_flexible,
    flexible_row,
    flexible_table,
    write_flexible,
)
from darklens.evaluate.image_files import ImageRun, Worked, only_images
from darklens.evaluate.lenses import LensImages, counted, lens_images, title_of
from darklens.files.atomic import atomic_file
from darklens.files.tables import picture_name, write_table
from darklens.modelling import Posterior, conventional_parameters
from darklens.naming import visible
from darklens.observations import ImageOptions, Target
from darklens.progress import progress, say
from darklens.simulation import Preset, load_preset
from darklens.workers import Workers, in_order, one_blas_thread, workers_for

__all__ = ["fit"]

_LEAST = 96  # images for each process: it needs about as long to start as to fit that many
_TOGETHER = 8  # images of one call
_PRESET, _FLEXIBLE_PRESET = "common-test-1", "galaxy"


def fit(
    inputs: list[str],
    *,
    preset: str | None = None,
    flexible: bool = False,
    output: Path | None = None,
    figures: Path | None = None,
    maps: Path | None = None,
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
        preset: Kind of lens: a shipped preset or a YAML file; common-test-1 by default. galaxy
            takes any image of a telescope; the others know their images, and of those only
            extension, noise map and PSF can be said.
        flexible: Fit the flexible lens of detect, without the search for subhalos: slope and
            multipoles of the mass, satellites, and structure in the source are free, the bands of
            a lens are fitted together, and errors include all of it. The preset is then galaxy.
        output: Table to write: .csv, .parquet or .json. Without it the command prints the table.
        figures: Folder for a figure of each fit: data, model, residual, source.
        maps: Folder for the maps of each flexible lens as FITS, with the covariance, and the lens
            as COOLEST JSON.
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
        One row per image, or per flexible lens: `path`, the parameters with their errors,
        `chi_square`, and `error`.

    Raises:
        BadInput: If an argument is invalid or no image is found.
        BadConfig: If the survey's YAML is not valid.
        BadPreset: If the preset is not valid.
    """
    preset = preset or (_FLEXIBLE_PRESET if flexible else _PRESET)
    with ImageRun("fit", locals()) as run:
        if posterior is not None and posterior_steps < 2:
            raise BadInput("--posterior-steps must be at least 2")
        sampling = None if posterior is None else _Sampling(posterior, posterior_steps, seed)
        kind = load_preset(preset)
        job = _Job(kind, mass, lens_light, flexible, figures, maps, sampling)
        _check(job)
        _begin(job)  # arguments that contradict each other fail here
        works, what = _works(job, run.targets)
        with (
            open_workers(cluster, workers, quiet=quiet) as opened,
            closing(_rows(job, works, opened)) as rows,
        ):
            found = list(progress(rows, f"fitting {what}", total=len(works), quiet=quiet))
        return run.finish(flexible_table(found) if flexible else fit_table(found))


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
    flexible: bool
    figures: Path | None
    maps: Path | None
    sampling: _Sampling | None


def _check(job: _Job) -> None:
    """Refuse what the flexible lens, or the parametric one, does not have."""
    if not job.flexible:
        if job.maps is not None:
            raise BadInput("--maps are those of the flexible lens: add --flexible, or omit them")
        return
    if job.preset.name != _FLEXIBLE_PRESET:
        raise BadInput(
            f"--flexible fits the lens of the preset {_FLEXIBLE_PRESET}: omit --preset "
            f"{job.preset.name}"
        )
    if job.mass is not None:
        raise BadInput("the mass of --flexible is an elliptical power law: omit --mass")
    if job.sampling is not None:
        raise BadInput(
            "--posterior samples the parametric lens: omit it, or --flexible, whose errors are "
            "marginal already"
        )


def _works(job: _Job, targets: Sequence[Target]) -> tuple[Sequence[Worked], str]:
    """What is fitted at a time, images or lenses, and what they are, in words."""
    if job.flexible:
        lenses = lens_images(only_images(targets))
        return lenses, f"the flexible lens to {counted(lenses)}"
    # Only images of telescopes come with files that are no images.
    every = [replace(target, role="image") for target in targets]
    images = only_images(targets) if job.preset.general else every
    if job.preset.general:
        _say_bands(lens_images(images))
    return images, f"{len(images)} images with the preset '{job.preset.name}'"


def _say_bands(lenses: Sequence[LensImages]) -> None:
    """Tell that images of the same lens are fitted alone."""
    several = [lens for lens in lenses if len(lens.targets) > 1]
    if several:
        first = visible(several[0].name)
        names = first if len(several) == 1 else f"{first} and {len(several) - 1} other lenses"
        say(
            f"several images of {names}: each is fitted alone; --flexible fits the bands of a lens"
            " together"
        )


def _rows(
    job: _Job, works: Sequence[Worked], workers: int | Workers
) -> Generator[dict[str, Any], None, None]:
    """A row of the table for each image or lens, in order."""
    each = [(work, picture_name(index, work.path)) for index, work in enumerate(works)]
    slow = job.flexible or job.sampling is not None
    least, together = (1, 1) if slow else (_LEAST, _TOGETHER)
    calls = ((each[i : i + together],) for i in range(0, len(each), together))
    chosen = workers_for(len(works) // least, workers)
    if chosen.here:
        yield from (_fit_one(*one) for one in each)
        return
    with closing(
        in_order(_fit_some, calls, workers=chosen, begin=_begin, arguments=(job,))
    ) as found:
        for rows in found:
            yield from rows


_worker: Callable[[Any, str], dict[str, Any]]


def _begin(job: _Job) -> None:
    """Prepare a worker process."""
    global _worker
    if job.flexible:
        _worker = partial(_fit_lens, LensFitter(), job)
        return
    wanted = job.sampling
    fitter = FileFitter(
        job.preset,
        mass=job.mass,
        lens_light=job.lens_light,
        posterior_steps=0 if wanted is None else wanted.steps,
        seed=0 if wanted is None else wanted.seed,
    )
    _worker = partial(_fit_image, fitter, job)


def _fit_some(each: Sequence[tuple[Worked, str]]) -> list[dict[str, Any]]:
    return [_fit_one(work, picture) for work, picture in each]


def _fit_one(work: Worked, picture: str) -> dict[str, Any]:
    with one_blas_thread():
        return _worker(work, picture)


def _fit_image(fitter: FileFitter, job: _Job, target: Target, picture: str) -> dict[str, Any]:
    """Fit one image with the parametric lens, and write its figure and samples."""
    found = fitter.fit(target)
    if job.figures is not None:
        _write_figure(job.figures / picture, found)
    if job.sampling is not None and found.posterior is not None:
        _write_samples((job.sampling.folder / picture).with_suffix(".parquet"), found.posterior)
    return fit_row(found)


def _fit_lens(fitter: LensFitter, job: _Job, lens: LensImages, picture: str) -> dict[str, Any]:
    """Fit one lens with the flexible model, and write its maps and its figure."""
    found = fit_flexible(lens, fitter=fitter, lens_light=job.lens_light is not False)
    write_flexible(found, picture, maps=job.maps, figures=job.figures)
    return flexible_row(found)


def _write_figure(path: Path, row: FileFit) -> None:
    if row.image is None or row.fit is None or row.model is None:
        return
    figure = fit_figure(row.image, row.fit, row.model, title=title_of(row.path))
    with atomic_file(path) as temporary:
        save_figure(figure, temporary)


def _write_samples(path: Path, found: Posterior) -> None:
    samples = pd.DataFrame(conventional_parameters(found.names, found.samples))
    samples["log_probability"] = found.log_probability
    write_table(samples, path)
