"""Training, validation and test data of a run: a folder or store, or endless simulations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Num

from darklens.data import FreshImages, ImageDataset, Preprocessing, build_preprocessing, divide
from darklens.data.survey import survey_images
from darklens.errors import BadConfig, BadData
from darklens.progress import say
from darklens.simulation import Simulator
from darklens.train.data_check import DataNeeds, check_data, check_values
from darklens.train.prepared_simulations import (
    PreparedSimulations,
    prepare_simulations,
    prepared_columns,
)

__all__ = ["DataOptions", "SimulatedStream", "TrainingData", "training_data"]

NEEDS = DataNeeds()
_SAMPLE = 24


@dataclass(frozen=True)
class DataOptions:
    """Where the images come from and how they are split.

    Attributes:
        path: Folder in the DeepLense layout, or a store, with parts train, val and test. Without
            test, the reference protocol splits val 90:10 into selection and test; without val,
            one fold is held out for validation.
        preset: Train instead on an endless stream of fresh simulations of this preset (name or
            YAML file).
        split_seed: Seed of the split of a folder or store.
        folds: Without a folder val, one image in this many is held out for validation.
        fold: Cross-validation: the fold of the training images to test on, from 1 to folds; all
            trains one model for each fold.
        value_range: Lowest and highest pixel value expected by the preprocessing; other images
            are refused.
        stream_seed: Seed of the simulated training images.
        validation_seed: Seed of the simulated validation images.
        validation_images: Number of simulated validation images.
        epoch_images: Simulated training images between two validations.
        prepared_images: Simulate and preprocess this many training images once before training,
            instead of fresh ones in each step; for a preprocessing or a simulation that takes
            longer than a step.
        expected: Simulate expected counts without photon noise, for a generator.
        batch_size: Images per step on each device.
        workers: Processes that read or simulate images; 0 uses the training process. For
            prepared_images, 0 means one per CPU core.
    """

    path: Path | None = None
    preset: str | None = None
    split_seed: int = 0
    folds: int = 10
    fold: int | Literal["all"] | None = None
    value_range: tuple[float, float] | None = None
    stream_seed: int = 1_000_001
    validation_seed: int = 1_000_002
    validation_images: int = 3000
    epoch_images: int = 16384
    prepared_images: int = 0
    expected: bool = False
    batch_size: int = 32
    workers: int = 0


class SimulatedStream:
    """Fresh simulations for training: images `start`, `start + stride`, ... of a seed.

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
    quiet: bool = False,
) -> TrainingData:
    """Open or simulate the data of a run, and report how each part is used.

    Args:
        options: Where the images come from.
        steps: The model's preprocessing.
        folder: Folder of the run, for prepared images and the list of images.
        needs: Requirements of the verb on the data.
        quiet: Show no progress.

    Raises:
        BadConfig: If the options contradict each other.
        BadData: If the layout of the folder is unknown, its parts have different classes or share
            images, or images are unusable.
    """
    if options.validation_images < 1 or options.epoch_images < 1 or options.prepared_images < 0:
        raise BadConfig("--data.validation-images and --data.epoch-images must be positive")
    if options.value_range is not None:
        needs = replace(needs, value_range=options.value_range)
    if options.path is not None and options.preset is None:
        if options.prepared_images or options.expected:
            raise BadConfig(
                "--data.prepared-images and --data.expected are for simulations: give --data.preset"
            )
        return _from_disk(options.path, options, steps, folder, needs=needs, quiet=quiet)
    if options.preset is not None and options.path is None:
        if options.stream_seed == options.validation_seed:
            raise BadConfig("--data.stream-seed and --data.validation-seed must differ")
        if options.fold is not None:
            raise BadConfig(
                "--data.fold splits the images of --data.path; simulations need no folds"
            )
        _check_simulations(options.preset, options, needs)
        if options.prepared_images and not options.expected:
            return _prepared(options.preset, options, steps, folder, quiet=quiet)
        return _simulated(options.preset, options, steps)
    raise BadConfig("give the training data: either --data.path or --data.preset")


def _from_disk(
    path: Path,
    options: DataOptions,
    steps: Preprocessing,
    folder: Path,
    *,
    needs: DataNeeds,
    quiet: bool,
) -> TrainingData:
    if options.fold == "all":
        raise BadConfig("--data.fold: all trains several models, which is not possible here")
    division = divide(path, folds=options.folds, fold=options.fold, seed=options.split_seed)
    parts = division.parts
    classes = parts["train"].classes
    if len(classes) < needs.classes:
        raise BadData(
            f"{path} has only the class {classes[0]!r}; a classifier needs at least two classes,"
            " each in its own folder"
        )
    for line in division.lines():
        say(line, quiet=quiet)
    check_data(parts, needs, folder, root=path, quiet=quiet)
    shape = parts["val"][0][0].shape
    return TrainingData(
        parts["train"], parts["val"], shape, steps, parts.get("test"), workers=options.workers
    )


def _check_simulations(preset: str, options: DataOptions, needs: DataNeeds) -> None:
    """Compare the pixel values of a few simulations with those expected by the preprocessing."""
    if needs.value_range is None:
        return
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
    preset: str, options: DataOptions, steps: Preprocessing, folder: Path, *, quiet: bool
) -> TrainingData:
    simulator = Simulator(preset)
    parts = {
        "val": PreparedSimulations(
            preset, steps.spec, options.validation_seed, options.validation_images
        ),
        "train": PreparedSimulations(
            preset, steps.spec, options.stream_seed, options.prepared_images
        ),
    }
    files = {name: folder / "prepared" / f"{name}.npy" for name in parts}
    made = {
        name: prepare_simulations(part, files[name], workers=options.workers, quiet=quiet)
        for name, part in parts.items()
    }
    columns = prepared_columns(parts["val"], files["val"])
    nothing = build_preprocessing([])
    scale = simulator.preset.grid.pixel_scale
    return TrainingData(
        made["train"], made["val"], simulator.shape, nothing, pixel_scale=scale, columns=columns
    )
