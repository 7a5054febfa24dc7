"""Simulated images that are preprocessed once, in parallel, and kept on disk for training.

A preprocessing that fits each image takes longer than a training step. The images are therefore
simulated and preprocessed before training, in shards that several processes can make. If a run is
stopped, its finished shards are kept. The images are stored in half precision in one `.npy` file.
"""

import errno
import json
import math
import os
import shutil
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num

from darklens.data import ImageDataset
from darklens.errors import BadConfig
from darklens.files.atomic import atomic_file, writing
from darklens.files.plain_yaml import dump_yaml, read_yaml
from darklens.hub import model_preprocessing
from darklens.progress import progress
from darklens.simulation import Simulator
from darklens.simulation.digest import preset_digest
from darklens.workers import in_processes, processors

__all__ = ["PreparedSimulations", "prepare_simulations", "prepared_columns"]


@dataclass(frozen=True)
class PreparedSimulations:
    """Which images to simulate and how to preprocess them.

    Attributes:
        preset: Preset, by name or YAML file.
        steps: The declared preprocessing.
        seed: Seed of the simulations.
        count: Number of images.
        shard: Number of images in a shard.
    """

    preset: str
    steps: list[dict[str, Any]]
    seed: int
    count: int
    shard: int = 250

    def images(self, number: int) -> range:
        """Numbers of the images in a shard."""
        return range(number * self.shard, min((number + 1) * self.shard, self.count))

    @property
    def shards(self) -> range:
        """Numbers of the shards."""
        return range(-(-self.count // self.shard))


def prepare_simulations(
    wanted: PreparedSimulations, path: Path, *, workers: int, quiet: bool
) -> ImageDataset:
    """Simulate and preprocess images, or reuse existing ones.

    Args:
        wanted: Which images.
        path: File of the images, ending in .npy; a .yaml next to it describes them.
        workers: Number of processes; 0 for one per CPU core.
        quiet: Show no progress.

    Raises:
        BadConfig: If the file holds other images.
    """
    simulator = Simulator(wanted.preset)
    content = asdict(wanted) | {"resolved": preset_digest(simulator.preset)}
    description, done = path.with_suffix(".yaml"), path.with_suffix(".done")
    if description.is_file():
        if read_yaml(description, BadConfig) != content:
            raise BadConfig(f"{path} holds other images; choose another --output or remove it")
    else:
        example = model_preprocessing(wanted.steps)(_image(simulator, wanted, 0))
        done.mkdir(parents=True, exist_ok=True)
        shape = (wanted.count, *example.shape)
        _make_file(path, shape)
        with atomic_file(description) as temporary:
            temporary.write_text(dump_yaml(content), encoding="utf-8")
    missing = [k for k in wanted.shards if not (done / str(k)).exists()]
    if missing:
        _fill(wanted, path, missing, workers=workers or processors(), quiet=quiet)
    labels = np.arange(wanted.count) % len(simulator.classes)
    images = np.load(path, mmap_mode="r")
    return ImageDataset.from_arrays(images, labels, classes=simulator.classes)


def prepared_columns(wanted: PreparedSimulations, path: Path) -> dict[str, list[Any]]:
    """What the preprocessing said of each image; nothing where an older run prepared them.

    Args:
        wanted: Which images, all of them prepared.
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
    wanted: PreparedSimulations, path: Path, missing: list[int], *, workers: int, quiet: bool
) -> None:
    """Make the missing shards."""
    calls = [(number,) for number in missing]
    processes = min(workers, len(missing))
    with (
        writing(path),
        closing(
            in_processes(
                _make_shard, calls, workers=processes, begin=_start, arguments=(wanted, path)
            )
        ) as shards,
    ):
        stage = f"simulating and preprocessing {wanted.count} images"
        for _ in progress(shards, stage, total=len(calls), unit="shard", quiet=quiet):
            pass


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


def _start(wanted: PreparedSimulations, path: Path) -> None:
    """Set up a worker process."""
    steps = model_preprocessing(wanted.steps)
    _worker.update(wanted=wanted, path=path, simulator=Simulator(wanted.preset), steps=steps)


def _make_shard(number: int) -> None:
    """Simulate and preprocess one shard, mark it as done and keep what the steps reported."""
    wanted, path = _worker["wanted"], _worker["path"]
    images = np.load(path, mmap_mode="r+")
    columns: dict[str, list[Any]] = {}
    for index in wanted.images(number):
        image = _image(_worker["simulator"], wanted, index)
        (images[index],), said = _worker["steps"].explain(image[None])
        for name, values in said.items():
            columns.setdefault(name, []).extend(values)
    images.flush()
    with atomic_file(path.with_suffix(".done") / str(number)) as temporary:
        temporary.write_text(
            json.dumps(columns, default=lambda value: value.item()), encoding="utf-8"
        )


def _image(
    simulator: Simulator, wanted: PreparedSimulations, index: int
) -> Num[np.ndarray, "c h w"]:
    return simulator.lens(index, seed=wanted.seed).image
