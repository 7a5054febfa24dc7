"""`darklens simulate`: labelled lenses with their true parameters, as a store or a tree of files.

A name that ends in .png gets a picture of a few instead.

Each worker process simulates whole shards and writes them itself. A killed run continues where it
stopped when the same command is given again, and ends with the same bytes.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from darklens import __version__
from darklens.atomic import atomic_file
from darklens.cli.configuration import write_configuration
from darklens.cli.progress import say
from darklens.cli.workers import end_with_parent, processors
from darklens.data import NpyTreeWriter, StoreWriter
from darklens.errors import BadInput
from darklens.lensing import Simulator
from darklens.lensing.presets import preset_text

__all__ = ["simulate"]

_SHARD = 512
_GRID = 400


@dataclass(frozen=True)
class _Job:
    """All that a worker process needs to make any shard of the output."""

    output: Path
    preset: str
    classes: tuple[str, ...] | None
    count: int
    seed: int
    format: Literal["zarr", "npy"]

    def simulator(self) -> Simulator:
        return Simulator(self.preset, classes=self.classes)

    def writer(self, simulator: Simulator) -> StoreWriter | NpyTreeWriter:
        tree = partial(NpyTreeWriter, scaled=simulator.preset.scaled_files)
        kind = StoreWriter if self.format == "zarr" else tree
        return kind(
            self.output,
            shape=simulator.shape,
            dtype=simulator.dtype,
            count=self.count,
            classes=simulator.classes,
            attributes={
                "preset": simulator.preset.name,
                "declaration": preset_text(self.preset),
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
    quiet: bool = False,
) -> None:
    """Simulate labelled lenses.

    Args:
        output: A name that ends in .zarr is a store, one in .png a picture of up to 400 lenses,
            any other a folder of .npy files by class.
        preset: Name of a shipped preset, or a YAML file.
        count: Number of images in all, over all classes.
        seed: The same seed gives the same bytes, whatever the number of workers.
        classes: Which of the preset's classes, parted by commas; all of them if not given.
        format: What to write, if the ending of `output` does not say it.
        workers: Number of processes; 0 is one for each core.
        quiet: Show no progress.
    """
    if workers < 0:
        raise BadInput(f"workers {workers} must not be negative")
    if output.name in ("", ".."):
        raise BadInput(f"{output} is not the name of a new folder or file")
    settings = dict(locals())
    chosen = None if classes is None else tuple(part.strip() for part in classes.split(","))
    ending: Literal["zarr", "npy"] = "zarr" if output.suffix == ".zarr" else "npy"
    job = _Job(output, preset, chosen, count, seed, format or ending)
    simulator = job.simulator()
    for index in range(min(count, len(simulator.classes))):
        simulator.lens(index, seed=seed)  # a preset that draws impossible values fails here
    if output.suffix == ".png":
        _write_grid(output, simulator, count, seed)
    else:
        _write_images(job, simulator, workers, quiet)
    # Beside a folder, too: what lies in it does not depend on its name or the number of workers.
    place = output.with_name(f"{output.name}.config.yaml")
    write_configuration(place, "simulate", settings)
    say(f"wrote {count} images to {output}", quiet=quiet)


def _write_grid(output: Path, simulator: Simulator, count: int, seed: int) -> None:
    """A picture of all images, each class in columns of its own."""
    from darklens.evaluate import grid_picture, write_picture  # torch, which workers do without

    if not 1 <= count <= _GRID:
        raise BadInput(f"a picture holds 1 to {_GRID} images, not {count}: give --count")
    images = simulator.simulate(count, seed=seed).images
    classes = len(simulator.classes)
    columns = min(count, classes * max(1, round(count**0.5 / classes)))
    with atomic_file(output) as temporary:
        write_picture(temporary, grid_picture(images, columns=columns))


def _write_images(job: _Job, simulator: Simulator, workers: int, quiet: bool) -> None:
    """All images that are not there yet, by several processes."""
    count = job.count
    writer = job.writer(simulator)
    pending = writer.pending()
    remaining = sum(stop - start for start, stop in pending)
    if remaining < count and not quiet:
        say(f"{job.output}: {count - remaining} of {count} images are there already")
    workers = min(workers or processors(), max(1, len(pending)))
    if quiet or not sys.stderr.isatty():
        say(f"simulating {remaining} images of {simulator.preset.name}", quiet=quiet)
    disable = quiet or not sys.stderr.isatty()
    with tqdm(total=remaining, unit=" images", desc="simulating", disable=disable) as bar:
        for made in _run(job, pending, workers):
            bar.update(made)
    writer.finish()


def _run(job: _Job, pending: list[tuple[int, int]], workers: int) -> Iterator[int]:
    """Make the pending shards; yields the number of images of each that is done."""
    if workers == 1:
        _begin(job)
        yield from (_make_shard(start, stop) for start, stop in pending)
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(job,)) as pool:
        futures = [pool.submit(_make_shard, start, stop) for start, stop in pending]
        try:
            yield from (future.result() for future in as_completed(futures))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_worker: tuple[_Job, Simulator, StoreWriter | NpyTreeWriter]


def _begin(job: _Job) -> None:
    """Prepare a worker process."""
    global _worker
    end_with_parent()
    simulator = job.simulator()
    _worker = (job, simulator, job.writer(simulator))


def _make_shard(start: int, stop: int) -> int:
    job, simulator, writer = _worker
    lenses = simulator.simulate(stop - start, seed=job.seed, start=start)
    writer.write(start, lenses.images, lenses.labels, lenses.parameters)
    return stop - start
