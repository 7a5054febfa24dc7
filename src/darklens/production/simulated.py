"""Labelled lenses with their true parameters, as a store, a folder of files or a grid of images.

Each worker process simulates whole shards and writes them itself. A killed run continues where it
stopped when the same call is made again, and ends with the same bytes.
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from darklens import __version__
from darklens.cluster import open_workers
from darklens.data import NpyTreeWriter, StoreWriter
from darklens.errors import BadInput
from darklens.files.atomic import atomic_file, writing
from darklens.files.configuration import write_configuration
from darklens.files.locks import only_writer
from darklens.files.remote import sent_to, shown_path
from darklens.production.outputs import WrittenImages, configuration_place, kind_of_output
from darklens.progress import progress_bar, say
from darklens.simulation import Simulator
from darklens.simulation.digest import preset_digest
from darklens.simulation.presets import preset_text
from darklens.workers import Workers, in_processes, workers_for

__all__ = ["simulate"]

_SHARD = 512


@dataclass(frozen=True)
class _Job:
    """What a worker process needs to make any shard of the output."""

    output: Path
    simulator: Simulator
    declaration: str
    count: int
    seed: int
    store: bool

    def writer(self) -> StoreWriter | NpyTreeWriter:
        simulator = self.simulator
        tree = partial(NpyTreeWriter, scaled=simulator.preset.scaled_files)
        kind = StoreWriter if self.store else tree
        return kind(
            self.output,
            shape=simulator.shape,
            dtype=simulator.dtype,
            count=self.count,
            classes=simulator.classes,
            attributes={
                "preset": simulator.preset.name,
                "declaration": self.declaration,
                "resolved": preset_digest(simulator.preset),
                "seed": self.seed,
                "version": __version__,
            },
            # A shard is also the unit of work: small sets are cut so that every worker has some.
            shard=min(_SHARD, max(16, -(-self.count // 64) * 16)),
        )


def simulate(
    output: Path,
    preset: str = "common-test-1",
    count: int = 1000,
    seed: int = 0,
    classes: str | None = None,
    format: Literal["zarr", "npy"] | None = None,
    workers: int = 0,
    cluster: str | None = None,
    quiet: bool = False,
) -> WrittenImages:
    """Simulate labelled lenses and write them with their true parameters.

    Args:
        output: Where to write. A name ending in .zarr gives a store, .png a grid of up to 400
            lenses, any other name a folder of .npy files with a subfolder for each class. A URL
            ending in .zarr, such as s3://BUCKET/NAME.zarr, gets the store when it is complete.
        preset: Name of a shipped preset, or a YAML file.
        count: Total number of images, over all classes.
        seed: The same seed gives the same bytes, whatever the number of workers.
        classes: Comma-separated subset of the preset's classes. All by default.
        format: Format of the output when its name has no ending.
        workers: Number of processes; 0 uses one per core.
        cluster: Simulate on a Dask cluster: local, the address of a scheduler (tcp://HOST:PORT),
            or a YAML profile of dask-jobqueue. The bytes are the same.
        quiet: Show no progress.

    Returns:
        Where the images are and what they are.

    Raises:
        BadInput: If an argument does not fit, or the output cannot be written.
        BadPreset: If the preset is not valid or draws impossible values.
    """
    settings = dict(locals())
    if workers < 0:
        raise BadInput(f"workers {workers} must not be negative")
    with sent_to(output) as place:
        kind = kind_of_output(place, count, format)
        chosen = None if classes is None else tuple(part.strip() for part in classes.split(","))
        simulator = Simulator(preset, classes=chosen)
        for index in range(min(count, len(simulator.classes))):
            simulator.lens(index, seed=seed)  # a preset that draws impossible values fails here
        with only_writer(place), writing(place):
            if kind == "png":
                _write_grid(place, simulator, count, seed)
            else:
                job = _Job(place, simulator, preset_text(preset), count, seed, kind == "zarr")
                with open_workers(cluster, workers, quiet=quiet) as opened:
                    _write_images(job, opened, shown_path(output), quiet)
            write_configuration(configuration_place(place), "simulate", settings)
    return WrittenImages(output, count, simulator.classes)


def _write_grid(output: Path, simulator: Simulator, count: int, seed: int) -> None:
    """A grid of all images, with separate columns for each class."""
    from darklens.display import grid_picture, write_picture

    images = simulator.simulate(count, seed=seed).images
    classes = len(simulator.classes)
    columns = min(count, classes * max(1, round(count**0.5 / classes)))
    with atomic_file(output) as temporary:
        write_picture(temporary, grid_picture(images, columns=columns))


def _write_images(job: _Job, workers: int | Workers, shown: str, quiet: bool) -> None:
    """Write the images that are still missing, in several processes."""
    writer = job.writer()
    pending = writer.pending()
    remaining = sum(stop - start for start, stop in pending)
    if remaining < job.count and not quiet:
        say(f"{shown}: {job.count - remaining} of {job.count} images are already there")
    line = f"simulating {remaining} images of {job.simulator.preset.name}"
    with (
        progress_bar(remaining, "simulating", line, quiet=quiet) as bar,
        closing(_run(job, pending, workers_for(len(pending), workers))) as shards,
    ):
        for made in shards:
            bar.update(made)
    writer.finish()


def _run(job: _Job, pending: list[tuple[int, int]], workers: Workers) -> Generator[int, None, None]:
    """Make the pending shards; yields the number of images of each that is done."""
    if workers.here:
        _begin(job)
        yield from (_make_shard(start, stop) for start, stop in pending)
        return
    yield from in_processes(_make_shard, pending, workers=workers, begin=_begin, arguments=(job,))


_worker: tuple[_Job, StoreWriter | NpyTreeWriter]


def _begin(job: _Job) -> None:
    """Prepare a worker process."""
    global _worker
    _worker = (job, job.writer())


def _make_shard(start: int, stop: int) -> int:
    job, writer = _worker
    lenses = job.simulator.simulate(stop - start, seed=job.seed, start=start)
    writer.write(start, lenses.images, lenses.labels, lenses.parameters)
    return stop - start
