"""Diffusion of the description of a lens: its smooth parameters and a set of point masses.

The network knows neither optics nor telescope: it learns how the numbers of a description
(`darklens.modelling.lens_description`) are distributed in each class. What is made of them, an
image, is exact physics, and is done behind the network (`darklens.hub.described_images`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor

from darklens.diffusion.codes import CodeConfig, CodeDiffusion
from darklens.diffusion.description_space import DescriptionSpace
from darklens.diffusion.noise import SeededNoise
from darklens.errors import BadInput, BadModel

__all__ = ["LensAndMasses", "LensAndMassesConfig"]

_FRAME = 6
"""Numbers that describe the frame of the substructure."""


@dataclass(frozen=True)
class LensAndMassesConfig(CodeConfig):
    """Configuration of the denoiser of lens descriptions.

    Attributes:
        preset: Preset whose smooth lens, telescope and sky make the images: its name, or its whole
            content.
        coordinates: Number of free coordinates of its smooth lens.
        masses: Number of point masses that stand for the substructure.
    """

    preset: Any = "common-test-1"
    coordinates: Annotated[int, Field(ge=1, le=64)] = 7
    masses: Annotated[int, Field(ge=1, le=256)] = 25
    width: Annotated[int, Field(ge=1, le=8192)] = 512
    class_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    sampler: Literal["multistep", "angular", "heun"] = "angular"
    steps: Annotated[int, Field(ge=1, le=256)] = 4


class LensAndMasses(CodeDiffusion):
    """A denoiser of lens descriptions.

    Args:
        config: Configuration.
        channels: Channels of the images, one.
        classes: Number of classes of the data.

    Raises:
        BadModel: If there is more than one channel.

    Attributes:
        space: Quantiles of the numbers in each class, found before training.
    """

    config: LensAndMassesConfig
    space: DescriptionSpace

    def __init__(self, config: LensAndMassesConfig, *, channels: int, classes: int) -> None:
        if channels != 1:
            raise BadModel(f"a network of lens descriptions makes one channel, not {channels}")
        numbers = config.coordinates + _FRAME + 3 * config.masses
        super().__init__(config, channels=channels, classes=classes, numbers=numbers)
        self.space = DescriptionSpace(numbers, max(self.classes, 1))

    def check_guidance(self, guidance: float) -> None:
        """Refuse a guidance other than 0 and 1.

        The distribution of each number of a class is a table, which cannot be exaggerated.

        Raises:
            BadInput: If it is another one.
        """
        if guidance not in (0, 1):
            raise BadInput(f"this model takes a guidance of 0 or 1, not {guidance:g}")

    def sample(
        self, noise: SeededNoise, labels: Int64[Tensor, " n"], *, steps: int, guidance: float
    ) -> Iterator[Float[Tensor, "n c h w"]]:
        """As in the base class; an image without a class gets one at random."""
        self.check_guidance(guidance)
        if self.classes:
            drawn = [torch.randint(self.classes, (), generator=g) for g in noise.generators]
            known = labels >= 0 if guidance else torch.zeros_like(labels, dtype=torch.bool)
            labels = torch.where(known, labels, torch.stack(drawn).to(labels.device))
        return super().sample(noise, labels, steps=steps, guidance=1.0)

    def decoded(
        self, codes: Float[Tensor, "n k"], labels: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n c h w"]:
        """Descriptions, as images of one row."""
        rows = labels if self.classes else torch.zeros_like(labels)
        descriptions: Tensor = self.space.decode(codes, rows)[:, None, None, :]
        return descriptions
