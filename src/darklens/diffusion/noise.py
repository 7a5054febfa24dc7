"""Noise seeded by image rather than by batch.

Image `i` of seed `s` has its own random stream, so that it does not depend on the batch, the number
of images or their order. The noise is drawn on the CPU and is the same for any device.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["SeededNoise"]

_DIFFUSION = 0  # separates the random streams of one seed


class SeededNoise:
    """Standard normal noise for given images of a seed.

    Args:
        seed: Seed of the whole set.
        indices: Numbers of the images.
        shape: Shape of the noise of one image.
        device: Torch device of the returned noise.

    Attributes:
        generators: One random number generator per image.
    """

    def __init__(
        self,
        seed: int,
        indices: Sequence[int],
        shape: tuple[int, ...],
        device: str | torch.device = "cpu",
    ) -> None:
        self.generators = [_generator(seed, index) for index in indices]
        self.shape = shape
        self.device = device

    def __len__(self) -> int:
        return len(self.generators)

    def __call__(self) -> Float[Tensor, "n *shape"]:
        """Draw the next noise of each image."""
        noise = [torch.randn(self.shape, generator=source) for source in self.generators]
        return torch.stack(noise).to(self.device)


def _generator(seed: int, index: int) -> torch.Generator:
    state = np.random.SeedSequence([seed, _DIFFUSION, index]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> 1))
