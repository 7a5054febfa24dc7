"""Labelled images for an evaluation: from disk or newly simulated."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, Num

from darklens.errors import BadData

if TYPE_CHECKING:  # predicting needs no simulator, and astropy takes a second to import
    from darklens.simulation import Simulator

__all__ = ["LabelledImages", "SimulatedImages", "labels_for"]


@runtime_checkable
class LabelledImages(Protocol):
    """The interface of a data set for evaluation, such as `darklens.data.ImageDataset`."""

    @property
    def classes(self) -> Sequence[str]:
        """Class names; labels are their indices."""

    @property
    def labels(self) -> Int[np.ndarray, " n"]:
        """Label of every image."""

    @property
    def ids(self) -> Sequence[str]:
        """Name of every image."""

    def __len__(self) -> int:
        """Number of images."""

    def __getitem__(self, index: int) -> tuple[Num[np.ndarray, "c h w"], int]:
        """One image and its label."""


class SimulatedImages:
    """New simulations of a preset, made on demand.

    Args:
        simulator: The simulator.
        count: Number of images.
        seed: Seed; one that no training run has used.
    """

    def __init__(self, simulator: "Simulator", *, count: int, seed: int) -> None:
        self._simulator = simulator
        self._seed = seed
        self.classes: tuple[str, ...] = tuple(simulator.classes)
        self.labels = np.arange(count) % len(self.classes)
        self.ids = [f"image {index} of seed {seed}" for index in range(count)]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.ids)

    def __getitem__(self, index: int) -> tuple[Num[np.ndarray, "c h w"], int]:
        """One image and its label."""
        lens = self._simulator.lens(index, seed=self._seed)
        return lens.image, lens.label


def labels_for(images: LabelledImages, classes: Sequence[str]) -> Int[np.ndarray, " n"]:
    """The images' labels as indices into a model's classes.

    Raises:
        BadData: If the data have a class that the model does not know.
    """
    unknown = [name for name in images.classes if name not in classes]
    if unknown:
        raise BadData(
            f"the data have the class '{unknown[0]}', but the model knows only {', '.join(classes)}"
        )
    index = np.array([list(classes).index(name) for name in images.classes], dtype=np.int64)
    return np.asarray(index[images.labels])
