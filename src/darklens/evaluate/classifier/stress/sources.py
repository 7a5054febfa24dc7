"""The images of one row of the table: where they come from, one at a time."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Num

from darklens.data.containers import transformed
from darklens.evaluate.classifier.stress.not_lenses import not_a_lens
from darklens.simulation import Preset, Simulator

__all__ = ["ImageSource", "NotLenses", "ShiftedLenses"]

Image = Num[np.ndarray, "1 h w"]


class ImageSource(ABC):
    """Images with their true classes."""

    @abstractmethod
    def image(self, index: int, seed: int) -> tuple[Image, int]:
        """Image number `index` of `seed`, and its label."""


@dataclass(frozen=True)
class ShiftedLenses(ImageSource):
    """Simulated lenses whose finished images may be transformed.

    Attributes:
        preset: Preset that they are drawn from.
        labels: Label of each class that is drawn; -1 where the image is of no class of the model.
        steps: Transformations of the image, see `darklens.data.containers`.
    """

    preset: Preset
    labels: Mapping[str, int]
    steps: Mapping[str, int] = field(default_factory=dict)

    def image(self, index: int, seed: int) -> tuple[Image, int]:
        lens = self._simulator.lens(index, seed=seed)
        label = self.labels[self._simulator.classes[lens.label]]
        return transformed(lens.image, self.steps), label

    @cached_property
    def _simulator(self) -> Simulator:
        return Simulator(self.preset, classes=tuple(self.labels))


@dataclass(frozen=True)
class NotLenses(ImageSource):
    """Images that are not lenses, as the telescope of a preset sees them.

    Attributes:
        kind: One of `NOT_LENSES`.
        preset: The preset.
    """

    kind: str
    preset: Preset

    def image(self, index: int, seed: int) -> tuple[Image, int]:
        return not_a_lens(self.kind, self._simulator, index, seed), -1

    @cached_property
    def _simulator(self) -> Simulator:
        return Simulator(self.preset)
