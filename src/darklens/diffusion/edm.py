"""Diffusion of the principal components of images; see `darklens.diffusion.codes`."""

from dataclasses import dataclass
from typing import Annotated

from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor

from darklens.diffusion.codes import CodeConfig, CodeDiffusion
from darklens.diffusion.components import ComponentSpace
from darklens.errors import BadModel

__all__ = ["ComponentConfig", "ComponentDiffusion"]


@dataclass(frozen=True)
class ComponentConfig(CodeConfig):
    r"""Configuration of the preconditioned denoiser of principal components.

    Attributes:
        grid: Number of spatial frequencies kept along each axis.
        components: Number of principal components in a code.
        whitening: How much weak components are amplified, from 0 to 1.
    """

    grid: Annotated[int, Field(ge=1)] = 48
    components: Annotated[int, Field(ge=1)] = 384
    whitening: Annotated[float, Field(ge=0, le=1)] = 0.5

    def __post_init__(self) -> None:
        """Check constraints between fields."""
        super().__post_init__()
        if not (self.grid <= self.size and self.components <= self.grid**2):
            raise BadModel("grid must be at most size, and components at most grid squared")


class ComponentDiffusion(CodeDiffusion):
    """A denoiser of principal components.

    Args:
        config: Configuration.
        channels: Channels of the images.
        classes: Number of classes of the data.

    Attributes:
        space: The principal components, found before training.
    """

    config: ComponentConfig
    space: ComponentSpace

    def __init__(self, config: ComponentConfig, *, channels: int, classes: int) -> None:
        super().__init__(config, channels=channels, classes=classes, numbers=config.components)
        self.space = ComponentSpace(
            self.shape,
            grid=config.grid,
            components=config.components,
            whitening=config.whitening,
        )

    def decoded(
        self, codes: Float[Tensor, "n k"], labels: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n c h w"]:
        return self.space.decode(codes)
