"""Training, validation and test data of a run: a folder or store, or endless simulations."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Num

from darklens.cluster import open_workers
from darklens.data import FreshImages, ImageDataset, Preprocessing, build_preprocessing, divide
from darklens.data.survey import survey_images
from darklens.errors import BadConfig, BadData
from darklens.files.locks import in_turn
from darklens.files.remote import shown_path
from darklens.progress import say
from darklens.simulation import Simulator
from darklens.train.data_check import DataNeeds, check_data, check_values, report_left_out
from darklens.train.data_options import DataOptions
from darklens.train.fitting import check_size
from darklens.train.mixture import check_mixture, mixed
from darklens.train.prepared_files import prepare_files
from darklens.train.prepared_simulations import (
    PreparedSimulations,
    prepare_simulations,
    prepared_columns,
)
from darklens.workers import Workers

__all__ = ["PREPARED", "SimulatedStream", "TrainingData", "training_data"]

NEEDS = DataNeeds()
PREPARED = "prepared"  # subfolder of a run
_SAMPLE = 24


class SimulatedStream:
    """New simulations for training: images `start`, `start + stride`, ... of a seed.

    Args:
        simulator: The simulator.
        seed: Seed of the images.
    """

    def __init__(self, simulator: Simulator, *, seed: int) -> None:
        self._simulator = simulator
        self._seed = seed

    def __call__(self, start: int, stride: int) -> Iterator[tuple[Num[np.ndarray, "c h w"], int]]:
        """Endless iterator over images and labels."""
        return self._simulator.stream(seed=self._seed, start=start, stride=stride)


@dataclass(frozen=True)
class TrainingData:
    """The parts of the data of one run.

    Attributes:
        train: Training images.
        val: Images used to select the best weights and to fit the temperature.
        shape: Channels, height and width of the raw images.
        preprocessing: Steps still to be applied to `train` and `val`.
        test: Raw images used only for the final test, if any.
        pixel_scale: Pixel scale, if known [arcsec/pixel].
        workers: Worker processes that make batches; with 0 the training process makes them.
        columns: What the preprocessing reported on each image of `val`, if it was done beforehand.
    """

    train: ImageDataset | FreshImages
    val: ImageDataset
    shape: tuple[int, int, int]
    preprocessing: Preprocessing
    test: ImageDataset | None = None
    pixel_scale: float | None = None
    workers: int = 0
    columns: Mapping[str, Sequence[Any]] | None = None


def training_data(
    options: DataOptions,
    steps: Preprocessing,
    folder: Path,
    *,
    needs: DataNeeds = NEEDS,
    place: Path | None = None,
    quiet: bool = False,
) -> TrainingData:
    """Open or simulate the data of a run, and report how each part is used.

    Args:
        options: Where the images come from.
        steps: The model's preprocessing.
        folder: Folder of the run, for prepared images and the list of images.
        needs: Requirements of the verb on the data.
        place: Where the images of a path are on this machine; by default there.
        quiet: Show no progress.

    Raises:
        BadConfig: If the options contradict each other.
        BadData: If the layout of the folder is unknown, its parts have different classes or share
            images, or images are unusable.
    """
    options = options.resolved()
    if options.value_range is not None:
        needs = replace(needs, value_range=options.value_range)
    _check_simulations(options, needs)
    prepared = bool(options.prepared_images and not options.expected)
    once = options.mix or (steps.explains if options.path is not None else prepared)
    if options.cluster is not None and not once:
        raise BadConfig(
            "--data.cluster prepares images once; these are read or simulated in each step: omit"
            " it, or give --data.prepared-images"
        )
    with (
        # The processes of a run on many devices, and runs that share a cache, prepare images once.
        in_turn((options.cache or folder / PREPARED) / ".lock") if once else nullcontext(),
        open_workers(options.cluster, options.workers, quiet=quiet) as workers,
    ):
        if options.path is not None:
            place = place or options.path
            return _from_disk(
                place, options, steps, folder, needs=needs, workers=workers, quiet=quiet
            )
        if prepared:
            return _prepared(options, steps, folder, workers=workers, quiet=quiet)
    return _simulated(options.presets[0], options, steps)


def _from_disk(
    place: Path,
    options: DataOptions,
    steps: Preprocessing,
    folder: Path,
    *,
    needs: DataNeeds,
    workers: int | Workers,
    quiet: bool,
) -> TrainingData:
    if options.fold == "all":
        raise BadConfig("--data.fold: all trains several models, which is not possible here")
    path = options.path or place
    division = divide(place, folds=options.folds, fold=options.fold, seed=options.split_seed)
    parts = division.parts
    classes = parts["train"].classes
    if len(classes) < needs.classes:
        raise BadData(
            f"{shown_path(path)} has only the class {classes[0]!r}; a classifier needs at least"
            " two classes, each in its own folder"
        )
    for line in division.lines():
        say(line.replace(str(place), shown_path(path)), quiet=quiet)
    check_data(parts, needs, folder, root=path, quiet=quiet)
    example, _ = parts["val"][0]
    if not (steps.explains or options.mix):
        test, reading = parts.get("test"), options.workers
        return TrainingData(
            parts["train"], parts["val"], example.shape, steps, test, workers=reading
        )
    check_size(steps.spec, example)
    if options.mix:
        check_mixture(options.presets, classes, example.shape)
    kept = (options.cache or folder / PREPARED) / "files"
    made = prepare_files(parts, steps, kept, workers=workers, quiet=quiet)
    report_left_out(made.problems, sum(map(len, parts.values())), folder, path)
    train = made.parts["train"]
    if options.mix:
        simulations, _ = _simulated_part(
            "train", options, steps, folder, workers=workers, quiet=quiet
        )
        train = mixed(train, simulations)
    return TrainingData(
        train,
        made.parts["val"],
        example.shape,
        build_preprocessing([]),
        made.parts.get("test"),
        columns=made.columns["val"],
    )


def _check_simulations(options: DataOptions, needs: DataNeeds) -> None:
    """Compare the pixel values of a few simulations with those expected by the preprocessing."""
    if needs.value_range is None:
        return
    for preset in options.presets:
        lenses = Simulator(preset).simulate(_SAMPLE, seed=options.validation_seed)
        sample = ImageDataset.from_arrays(lenses.images, lenses.labels, classes=lenses.classes)
        check_values(survey_images({"val": sample}), needs)


def _simulated(preset: str, options: DataOptions, steps: Preprocessing) -> TrainingData:
    simulator = Simulator(preset)
    if options.expected:
        simulator = simulator.expectation()
    lenses = simulator.simulate(options.validation_images, seed=options.validation_seed)
    val = ImageDataset.from_arrays(lenses.images, lenses.labels, classes=lenses.classes)
    stream = SimulatedStream(simulator, seed=options.stream_seed)
    scale = simulator.preset.grid.pixel_scale
    return TrainingData(
        stream, val, simulator.shape, steps, pixel_scale=scale, workers=options.workers
    )


def _prepared(
    options: DataOptions,
    steps: Preprocessing,
    folder: Path,
    *,
    workers: int | Workers,
    quiet: bool,
) -> TrainingData:
    simulator = Simulator(options.presets[0])
    val, columns = _simulated_part("val", options, steps, folder, workers=workers, quiet=quiet)
    train, _ = _simulated_part("train", options, steps, folder, workers=workers, quiet=quiet)
    nothing = build_preprocessing([])
    scale = simulator.preset.grid.pixel_scale
    return TrainingData(train, val, simulator.shape, nothing, pixel_scale=scale, columns=columns)


def _simulated_part(
    part: Literal["train", "val"],
    options: DataOptions,
    steps: Preprocessing,
    folder: Path,
    *,
    workers: int | Workers,
    quiet: bool,
) -> tuple[ImageDataset, dict[str, list[Any]]]:
    """Simulations that are preprocessed once, and the results of the preprocessing for each."""
    seed, count = {
        "train": (options.stream_seed, options.prepared_images),
        "val": (options.validation_seed, options.validation_images),
    }[part]
    wanted = PreparedSimulations(options.presets, steps.spec, seed, count, options.copies)
    path = (options.cache or folder / PREPARED) / f"{part}.npy"
    images = prepare_simulations(wanted, path, workers=workers, quiet=quiet)
    return images, prepared_columns(wanted, path)
