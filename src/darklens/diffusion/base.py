"""The base class of generator networks: a training loss, and sampling from noise.

Images are preprocessed with the steps of the card. Labels are class indices; -1 means no class, on
which a conditional network is trained too.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from darklens.diffusion.components import ComponentSpace
from darklens.diffusion.description_space import DescriptionSpace
from darklens.diffusion.noise import SeededNoise
from darklens.errors import BadInput

__all__ = ["NO_CLASS", "CodeSpace", "GeneratorNetwork", "guided"]

NO_CLASS = -1

CodeSpace = ComponentSpace | DescriptionSpace
"""What turns images, or what is known of them, into codes."""

Prediction = Callable[[Tensor, Tensor], Tensor]
"""From images and rows of the class embedding to the prediction of the network."""


class GeneratorNetwork(nn.Module, ABC):
    """A network that learns from images and generates new ones from noise.

    Attributes:
        config: Its configuration, a frozen dataclass.
        shape: Channels, rows and columns of an image.
        classes: Number of classes; 0 for an unconditional network.
        core: The trained part.
        space: The transformation from images to codes, for a network that works on codes instead
            of pixels.
    """

    config: Any
    core: nn.Module
    shape: tuple[int, int, int]
    classes: int
    space: CodeSpace | None

    def __init__(self) -> None:
        super().__init__()
        self.space = None

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the noise from which an image is generated."""
        return self.shape

    @property
    @abstractmethod
    def default_steps(self) -> int:
        """Default number of steps of `sample`."""

    @property
    @abstractmethod
    def most_steps(self) -> int:
        """Largest number of steps for `sample`."""

    @abstractmethod
    def loss(self, examples: Float[Tensor, "n *example"], labels: Int64[Tensor, " n"]) -> Tensor:
        """Mean loss of a batch at random noise levels, drawn from torch's global generator.

        Args:
            examples: Images, or their codes if there is a `space`.
            labels: Class of each.
        """

    @abstractmethod
    def sample(
        self, noise: SeededNoise, labels: Int64[Tensor, " n"], *, steps: int, guidance: float
    ) -> Iterator[Float[Tensor, "n c h w"]]:
        """The estimated images after each step; the last ones are the sample.

        Args:
            noise: Noise generator of each image.
            labels: Class of each image.
            steps: Number of steps, from 1 to `most_steps`.
            guidance: Strength of the class condition: 1 is the condition as learned, 0 is none,
                and more than 1 exaggerates it at two evaluations per step.
        """

    def together(self, device: str) -> int:
        """Number of images sampled together, fixed so that an image does not depend on the batch.

        Args:
            device: Type of the device, such as `cpu`.
        """
        return 16

    def compile(self, *arguments: Any, **options: Any) -> None:
        """Compile the core in place, which does nearly all of the work."""
        self.core.compile(*arguments, **options)

    def known_labels(self, labels: Int64[Tensor, " n"], *, dropped: float = 0.0) -> Tensor:
        """Rows of the class embedding; the row `classes` means no class.

        Args:
            labels: Class indices, or -1.
            dropped: Fraction of the labels to drop at random.
        """
        rows = torch.where(labels < 0, self.classes, labels).clamp(max=self.classes)
        if dropped > 0:
            forgotten = torch.rand(len(rows), device=rows.device) < dropped
            rows = torch.where(forgotten, self.classes, rows)
        return rows

    def check_steps(self, steps: int) -> None:
        """Refuse a number of steps that the sampler does not support.

        Raises:
            BadInput: If the number is out of range.
        """
        if not 1 <= steps <= self.most_steps:
            raise BadInput(f"this model supports 1 to {self.most_steps} steps, not {steps}")

    def check_guidance(self, guidance: float) -> None:
        """Refuse a guidance that the sampler does not support; here none is refused."""


def guided(
    predict: Prediction,
    images: Float[Tensor, "n *image"],
    rows: Int64[Tensor, " n"],
    *,
    guidance: float,
    no_class: int,
) -> Float[Tensor, "n *image"]:
    r"""Classifier-free guidance: a prediction shifted towards its class.

    .. math:: D = D_\varnothing + g \, (D_k - D_\varnothing)

    Args:
        predict: The network's prediction.
        images: Noisy images, or codes.
        rows: Row of each image's class in the class embedding.
        guidance: The strength :math:`g`; 0 and 1 need one evaluation, others two in one batch.
        no_class: Row that means no class.

    References:
        Ho & Salimans 2022, arXiv:2207.12598, eq. 6, with g = 1 + w.
    """
    nothing = torch.full_like(rows, no_class)
    if guidance == 1 or no_class == 0:
        return predict(images, rows)
    if guidance == 0:
        return predict(images, nothing)
    both = predict(torch.cat([images, images]), torch.cat([rows, nothing]))
    conditional, unconditional = both.chunk(2)
    return unconditional + guidance * (conditional - unconditional)
