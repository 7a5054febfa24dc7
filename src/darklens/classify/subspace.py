"""A backbone that also sees the residual of a linear model of smooth lenses."""

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from darklens.classify.backbone import BackboneConfig, BackboneNetwork
from darklens.errors import BadModel
from darklens.nn import SmoothSubspace

__all__ = ["SubspaceConfig", "SubspaceNetwork"]


@dataclass(frozen=True)
class SubspaceConfig(BackboneConfig):
    """Configuration of a backbone that also sees the residual of a linear model of smooth lenses.

    Attributes:
        size: Height and width of the preprocessed images [pixel].
        components: Dimensions of the linear space of smooth lenses.
        smooth_images: Images of smooth lenses from which the space is found.
        gain: Variance per unit of preprocessed signal: 1 for photon counts.
        stretch: The image itself enters as (sqrt(max(0, x) / stretch + 1) - 1) / 10.
    """

    size: Annotated[int, Field(ge=32, le=4096)] = 100
    components: Annotated[int, Field(ge=1, le=10_000)] = 64
    smooth_images: int = 6000
    gain: float = 1.0
    stretch: Annotated[float, Field(gt=0)] = 10.0


class SubspaceNetwork(BackboneNetwork):
    """A backbone over two images: the stretched image, and its residual in units of noise.

    The residual is taken against a linear space of smooth lenses, see `darklens.nn.subspace`. It is
    meant for populations whose smooth lenses have few free parameters.
    """

    config: SubspaceConfig

    def __init__(self, config: SubspaceConfig, *, in_channels: int, classes: int) -> None:
        super().__init__(config, in_channels=2 * in_channels, classes=classes)
        self.config = config  # its space belongs to one size
        self.smooth_images = config.smooth_images
        pixels = in_channels * config.size**2
        self.subspace = SmoothSubspace(pixels, config.components, config.gain)

    def fit_smooth(self, images: Float[Tensor, "n c h w"]) -> None:
        """Find the space of smooth lenses from images of them."""
        self.subspace.fit(images)

    def logits(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits by one pass."""
        size, stretch = self.config.size, self.config.stretch
        if images.shape[-2:] != (size, size):
            raise BadModel(
                f"the network takes {size} x {size} pixels, "
                f"not {images.shape[-2]} x {images.shape[-1]}"
            )
        stretched = (torch.sqrt(images.clamp(min=0.0) / stretch + 1.0) - 1.0) / 10.0
        return super().logits(torch.cat([stretched, self.subspace(images)], dim=1))
