"""Descriptions: the training data of a generator that works on lenses and masses.

The simulator knows the truth, so no image is rendered or fitted for the training: the scene of each
simulation is described, and the descriptions are encoded. They are kept in the folder of the run.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64

from darklens.data import Augmentation
from darklens.diffusion import LensAndMasses, generator_spec
from darklens.errors import BadConfig, BadPreset
from darklens.hub import InitialModel
from darklens.hub.described_images import lens_describer
from darklens.modelling import LensDescriber
from darklens.progress import progress
from darklens.simulation import Simulator
from darklens.train.data import TrainingData
from darklens.train.data_options import DataOptions
from darklens.train.latents import coded_data, kept_codes

__all__ = ["describe_data"]


def describe_data(
    data: TrainingData,
    network: LensAndMasses,
    options: DataOptions,
    augmentation: Augmentation,
    path: Path,
    *,
    init: InitialModel | None,
    quiet: bool,
) -> TrainingData:
    """The simulations of a run as encoded descriptions (n, numbers, 1, 1).

    Args:
        data: The simulations.
        network: The network; its space is found from the training set, unless `init` has one.
        options: Where the simulations come from.
        augmentation: Changes of the images; there can be none.
        path: File that keeps the codes, ending in .npz.
        init: The model from which the training starts, if any.
        quiet: Show no progress.

    Raises:
        BadConfig: If the data are not simulations of the network's preset, or have augmentations
            or preprocessing.
        BadModel: If the network does not fit its preset.
    """
    if options.path is not None or not options.expected or options.prepared_images < 1:
        raise BadConfig(
            "a network of lenses and masses learns from simulations: give --data.preset,"
            " --data.expected true and --data.prepared-images"
        )
    if augmentation != Augmentation(flips=False, rotations=False) or data.preprocessing.spec:
        raise BadConfig("a network of lenses and masses takes neither augmentation nor steps")
    describer = lens_describer(generator_spec(network))
    simulator = Simulator(options.presets[0])
    if simulator.preset != describer.preset:
        raise BadConfig(
            f"--network.preset is {describer.preset.name}, --data.preset {simulator.preset.name}:"
            " give the same one"
        )
    description: dict[str, Any] = {
        "counts": [options.prepared_images, options.validation_images],
        "seeds": [options.stream_seed, options.validation_seed],
        "network": generator_spec(network)["preset"],
        "masses": describer.masses,
        "conditional": bool(network.classes),
    }
    if init is not None and init.card.weights is not None:
        description["init"] = init.card.weights.sha256

    def make() -> dict[str, np.ndarray]:
        return _encode(simulator, describer, network, options, fit=init is None, quiet=quiet)

    return coded_data(data, network.space, kept_codes(path, description, make))


def _encode(
    simulator: Simulator,
    describer: LensDescriber,
    network: LensAndMasses,
    options: DataOptions,
    *,
    fit: bool,
    quiet: bool,
) -> dict[str, np.ndarray]:
    """Codes and labels of both parts, and the state of the space."""
    space = network.space
    parts = {
        "train": (options.prepared_images, options.stream_seed),
        "val": (options.validation_images, options.validation_seed),
    }
    made: dict[str, np.ndarray] = {}
    for part, (count, seed) in parts.items():
        numbers, labels = _described(simulator, describer, count, seed, quiet=quiet)
        descriptions, rows = torch.from_numpy(numbers), torch.from_numpy(labels)
        rows = rows if network.classes else torch.zeros_like(rows)
        if fit and part == "train":
            space.fit(descriptions, rows)
        codes = space.encode(descriptions, rows)
        made |= {f"{part}_codes": codes.numpy(), f"{part}_labels": labels}
    return made | {f"space_{key}": value.numpy() for key, value in space.state_dict().items()}


def _described(
    simulator: Simulator, describer: LensDescriber, count: int, seed: int, *, quiet: bool
) -> tuple[Float32[np.ndarray, "n d"], Int64[np.ndarray, " n"]]:
    numbers = np.empty((count, len(describer)), dtype=np.float32)
    for index in progress(range(count), f"describing {count} lenses", unit="lens", quiet=quiet):
        scene, parameters = simulator.scene(index, seed=seed)
        try:
            numbers[index] = describer.describe(scene, parameters["exposure"])
        except BadPreset as error:
            raise BadConfig(f"--data.preset: {error}") from None
    return numbers, np.arange(count, dtype=np.int64) % len(simulator.classes)
