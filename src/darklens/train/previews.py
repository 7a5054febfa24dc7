"""Previews: images from a generator in training, drawn every few epochs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from darklens.diffusion import Generator, GeneratorNetwork
from darklens.display import grid_picture, write_picture
from darklens.errors import BadModel
from darklens.files.atomic import atomic_file
from darklens.progress import say

__all__ = ["PreviewImages"]

_COUNT = 16

Values = Float32[np.ndarray, "n c h w"]


@dataclass(frozen=True)
class PreviewImages:
    """Writes `previews/epoch-NNNN.png`, a grid of 16 generated images.

    Attributes:
        folder: Folder of the run.
        classes: Class names of the network's labels.
        restore: From the network's values to those of images.
        steps: Steps of the sampler.
        seed: Seed of the images, the same for all previews.
        quiet: Show no progress.
    """

    folder: Path
    classes: tuple[str, ...]
    restore: Callable[[Values], Values]
    steps: int
    seed: int
    quiet: bool

    def __call__(self, network: GeneratorNetwork, epochs: int) -> None:
        """Draw the preview after so many epochs."""
        device = str(next(network.parameters()).device)
        generator = Generator(network, self.classes, self.restore, device=device)
        try:
            made = generator.generate(_COUNT, steps=self.steps, seed=self.seed)
        except BadModel as error:  # the training may recover, and keeps its best weights
            say(f"no preview after epoch {epochs}: {error}", quiet=self.quiet)
            return
        path = self.folder / "previews" / f"epoch-{epochs:04d}.png"
        with atomic_file(path) as temporary:
            write_picture(temporary, grid_picture(made.images, columns=4))
