"""Simulated images that are preprocessed once, in parallel, and kept on disk for training.

A preprocessing that fits each image takes longer than a training step. The images are therefore
simulated and preprocessed before training, in shards that several processes can make. If a run is
stopped, its finished shards are kept. The images are stored in half precision in one `.npy` file.
With several presets, image `i` of `k` classes comes from preset `i // k`, cyclically.
An image that cannot be fitted is stored as NaN and is not in the data set.
"""

import errno
import json
import math
import os
import shutil
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float16, Num

from darklens.data import ImageDataset
from darklens.errors import BadConfig, BadData
from darklens.files.atomic import atomic_file, writing
from darklens.files.plain_yaml import dump_yaml, read_yaml
from darklens.hub import model_preprocessing
from darklens.progress import progress, say
from darklens.simulation import Simulator
from darklens.simulation.digest import preset_digest
from darklens.train.fitting import fitted
from darklens.train.stored_copies import stored_copy
from darklens.workers import Workers, in_processes, workers_for

__all__ = ["PreparedSimulations", "prepare_simulations", "prepared_columns"]


@dataclass(frozen=True)
class PreparedSimulations:
    """Which images to simulate and how to preprocess them.

    Attributes:
        presets: Presets that take turns, by name or YAML file.
        steps: The declared preprocessing.
        seed: Seed of the simulations.
        count: Number of images.
        copies: Whether to make each image a random copy as found in files, see `stored_copy`.
        shard: Number of images in a shard.
    """

    presets: list[str]
    steps: list[dict[str, Any]]
    seed: int
    count: int
    copies: bool = False
    shard: int = 250

    def simulators(self) -> list[Simulator]:
        """A simulator for each preset.

        Raises:
            BadConfig: If the presets differ in their classes or in the size of their images.
        """
        simulators = [Simulator(preset) for preset in self.presets]
        first = simulators[0]
        for preset, other in zip(self.presets, simulators, strict=True):
            if (other.classes, other.shape) != (first.classes, first.shape):
                raise BadConfig(
                    f"the presets {self.presets[0]} and {preset} have different classes or sizes of"
                    " images; train on one of them"
                )
        return simulators

    def images(self, number: int) -> range:
        """Numbers of the images in a shard."""
        return range(number * self.shard, min((number + 1) * self.shard, self.count))

    @property
    def shards(self) -> range:
        """Numbers of the shards."""
        return range(-(-self.count // self.shard))


class _Shard(NamedTuple):
    """Images of one shard, NaN where they could not be fitted; None if none could."""

    number: int
    images: Float16[np.ndarray, "n c h w"] | None
    columns: dict[str, list[Any]]


def prepare_simulations(
    wanted: PreparedSimulations, path: Path, *, workers: int | Workers, quiet: bool
) -> ImageDataset:
    """Simulate and preprocess images, or reuse existing ones.

    Args:
        wanted: Which images.
        path: File of the images, ending in .npy; a .yaml next to it describes them.
        workers: Number of processes, 0 for one per CPU core; or workers.
        quiet: Show no progress.

    Raises:
        BadConfig: If the file holds other images, or the presets do not match.
        BadData: If no image can be preprocessed.
    """
    simulators = wanted.simulators()
    resolved = [preset_digest(simulator.preset) for simulator in simulators]
    content = asdict(wanted) | {"resolved": resolved}
    description, done = path.with_suffix(".yaml"), path.with_suffix(".done")
    if description.is_file():
        if read_yaml(description, BadConfig) != content:
            raise BadConfig(
                f"{path} holds other images; choose another --output or --data.cache, or remove it"
            )
    else:
        example = model_preprocessing(wanted.steps)(_image(simulators, wanted, 0))
        done.mkdir(parents=True, exist_ok=True)
        shape = (wanted.count, *example.shape)
        _make_file(path, shape)
        with atomic_file(description) as temporary:
            temporary.write_text(dump_yaml(content), encoding="utf-8")
    missing = [k for k in wanted.shards if not (done / str(k)).exists()]
    if missing:
        chosen = workers_for(len(missing), workers)
        _fill(wanted, path, missing, workers=chosen, quiet=quiet)
    return _without_failures(np.load(path, mmap_mode="r"), simulators[0].classes, quiet=quiet)


def _without_failures(
    images: Float16[np.ndarray, "n c h w"], classes: tuple[str, ...], *, quiet: bool
) -> ImageDataset:
    """The images that could be fitted."""
    labels = np.arange(len(images)) % len(classes)
    dataset = ImageDataset.from_arrays(images, labels, classes=classes)
    kept = np.flatnonzero(~np.isnan(images[:, 0, 0, 0]))
    if len(kept) == len(images):
        return dataset
    if not len(kept):
        raise BadData("the preprocessing fits none of the simulations")
    lost = len(images) - len(kept)
    say(f"{lost} of {len(images)} simulations could not be fitted and are left out", quiet=quiet)
    return dataset.subset(kept)


def prepared_columns(wanted: PreparedSimulations, path: Path) -> dict[str, list[Any]]:
    """Results of the preprocessing for each image that it could fit.

    There is nothing for images prepared by an older version.

    Args:
        wanted: Which images; all must be prepared.
        path: File of the images.
    """
    done = path.with_suffix(".done")
    shards = [json.loads((done / str(k)).read_bytes() or "{}") for k in wanted.shards]
    return {
        name: [value for shard in shards for value in shard[name]]
        for name in shards[0]
        if all(name in shard for shard in shards)
    }


def _fill(
    wanted: PreparedSimulations, path: Path, missing: list[int], *, workers: Workers, quiet: bool
) -> None:
    """Make the missing shards, and write each as it comes.

    Only this process writes into the file: over a network file system, machines that write into
    neighbouring places overwrite each other.
    """
    images = np.load(path, mmap_mode="r+")
    with writing(path), closing(_made(wanted, missing, workers=workers)) as shards:
        stage = f"simulating and preprocessing {wanted.count} images"
        for shard in progress(shards, stage, total=len(missing), unit="shard", quiet=quiet):
            numbers = wanted.images(shard.number)
            images[numbers.start : numbers.stop] = np.nan if shard.images is None else shard.images
            images.flush()
            with atomic_file(path.with_suffix(".done") / str(shard.number)) as temporary:
                temporary.write_text(json.dumps(shard.columns), encoding="utf-8")


def _made(
    wanted: PreparedSimulations, missing: list[int], *, workers: Workers
) -> Generator[_Shard]:
    """Make the shards, in this process if one is enough."""
    if workers.here:
        _start(wanted)
        yield from map(_make_shard, missing)
        return
    calls = [(number,) for number in missing]
    with closing(
        in_processes(_make_shard, calls, workers=workers, begin=_start, arguments=(wanted,))
    ) as shards:
        yield from shards


def _make_file(path: Path, shape: tuple[int, ...]) -> None:
    """Create the file and allocate its disk space: writing to a full disk would kill a process."""
    with writing(path):
        if shutil.disk_usage(path.parent).free < math.prod(shape) * np.dtype(np.float16).itemsize:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape).flush()
            if hasattr(os, "posix_fallocate"):
                with path.open("r+b") as file:
                    os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError:
            path.unlink(missing_ok=True)
            raise


_worker: dict[str, Any] = {}


def _start(wanted: PreparedSimulations) -> None:
    """Set up a worker process."""
    steps = model_preprocessing(wanted.steps)
    _worker.update(wanted=wanted, simulators=wanted.simulators(), steps=steps)


def _make_shard(number: int) -> _Shard:
    """Simulate and preprocess one shard, with what the steps reported."""
    wanted = _worker["wanted"]
    numbers = wanted.images(number)
    images: Float16[np.ndarray, "n c h w"] | None = None
    columns: dict[str, list[Any]] = {}
    for row, index in enumerate(numbers):
        found = fitted(_worker["steps"], _image(_worker["simulators"], wanted, index))
        if found.maps is not None:
            if images is None:
                images = np.full((len(numbers), *found.maps.shape), np.nan, np.float16)
            images[row] = found.maps
        for name, value in found.columns.items():
            columns.setdefault(name, []).append(value)
    return _Shard(number, images, columns)


def _image(
    simulators: Sequence[Simulator], wanted: PreparedSimulations, index: int
) -> Num[np.ndarray, "c h w"]:
    turn = index // len(simulators[0].classes)
    image = simulators[turn % len(simulators)].lens(index, seed=wanted.seed).image
    if not wanted.copies:
        return image
    return stored_copy(image, np.random.default_rng([wanted.seed, index])).astype(np.float32)
