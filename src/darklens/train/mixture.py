"""Real images and simulations in one training set."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float16, Int64

from darklens.data import ImageDataset
from darklens.errors import BadConfig
from darklens.naming import sides
from darklens.simulation import Simulator

__all__ = ["check_mixture", "mixed"]


def check_mixture(presets: Sequence[str], classes: Sequence[str], shape: tuple[int, ...]) -> None:
    """Check that the presets match the real images.

    Args:
        presets: Presets of the simulations.
        classes: Classes of the real images.
        shape: Channels, height and width of a real image.

    Raises:
        BadConfig: If the presets lack a class or have another size.
    """
    for preset in presets:
        simulator = Simulator(preset)
        missing = [name for name in classes if name not in simulator.classes]
        if missing:
            raise BadConfig(f"--data.mix: the preset {preset} has no class '{missing[0]}'")
        if simulator.shape != tuple(shape):
            raise BadConfig(
                f"--data.mix: the images of the preset {preset} are {sides(simulator.shape)}, but"
                f" those of --data.path {sides(shape)}"
            )


def mixed(real: ImageDataset, simulations: ImageDataset) -> ImageDataset:
    """The real images and then the simulations of their classes.

    Args:
        real: Real images after preprocessing.
        simulations: Simulations after preprocessing.
    """
    known = [simulations.classes.index(name) for name in real.classes]
    added = simulations.subset(np.flatnonzero(np.isin(simulations.labels, known)))
    added = added.with_classes(real.classes)
    return ImageDataset(
        _Joined([real, added]),
        np.arange(len(real) + len(added)),
        np.concatenate([real.labels, added.labels]),
        ids=[*real.ids, *(f"simulation {name}" for name in added.ids)],
        classes=real.classes,
    )


class _Joined:
    """A source of the images of several data sets, one after the other."""

    together = 1

    def __init__(self, sets: Sequence[ImageDataset]) -> None:
        self._sets = list(sets)
        self._starts = np.cumsum([0, *map(len, sets)])
        self._shape = sets[0].images([0]).shape[1:]

    def read(self, indices: Int64[np.ndarray, " n"]) -> Float16[np.ndarray, "n c h w"]:
        """The images with these indices."""
        which = np.searchsorted(self._starts, indices, side="right") - 1
        images = np.empty((len(indices), *self._shape), dtype=np.float16)
        for number, dataset in enumerate(self._sets):
            here = np.flatnonzero(which == number)
            if len(here):
                images[here] = dataset.images(indices[here] - self._starts[number])
        return images
