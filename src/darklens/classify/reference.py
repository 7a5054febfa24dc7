"""The published network that users of the DeepLense benchmark compare with, layer by layer."""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from darklens.classify.base import ClassifierNetwork
from darklens.errors import BadModel
from darklens.nn import AttentionBlock

__all__ = ["ReferenceClassifierConfig", "ReferenceNetwork"]


@dataclass(frozen=True)
class ReferenceClassifierConfig:
    """Configuration of the published reference network.

    Attributes:
        size: Height and width of its input [pixel], which set the size of its first dense layer.
        channels_last: Whether the filters are stored with the channels innermost.
    """

    size: Annotated[int, Field(ge=32, le=4096)] = 100
    channels_last: bool = True


class ReferenceNetwork(ClassifierNetwork):
    """EfficientNet-B2, one transformer layer over its feature map and a deep dense head.

    100 x 100 pixels become a map of 4 x 4 x 1408, read as 16 tokens. The order of activation, norm
    and dropout differs from layer to layer in the original and does so here. 43.3 million
    parameters.

    References:
        ML4SCI DeepLense, the classifier that the benchmark's users compare with.
    """

    def __init__(
        self, config: ReferenceClassifierConfig, *, in_channels: int, classes: int
    ) -> None:
        import timm

        super().__init__()
        self.config = config
        self.backbone = timm.create_model(
            "efficientnet_b2", in_chans=in_channels, num_classes=0, global_pool=""
        )
        width = 1408
        cells = math.ceil(config.size / 32) ** 2  # the backbone halves five times and rounds up
        self.block = AttentionBlock(width, heads=4)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(cells * width, 1024),
            nn.PReLU(),
            nn.BatchNorm1d(1024),
            nn.Dropout(0.5),
            nn.Linear(1024, 512),
            nn.BatchNorm1d(512),
            nn.PReLU(),
            nn.Dropout(0.5),
            nn.Linear(512, 128),
            nn.PReLU(),
            nn.BatchNorm1d(128),
            nn.Dropout(0.3),
            nn.Linear(128, classes),
        )
        if config.channels_last:
            self.to(memory_format=torch.channels_last)

    def logits(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits by one pass."""
        if images.shape[-2:] != (self.config.size, self.config.size):
            raise BadModel(
                f"the reference network takes {self.config.size} x {self.config.size} pixels, "
                f"not {images.shape[-2]} x {images.shape[-1]}"
            )
        tokens = self.backbone(images).flatten(2).transpose(1, 2)
        logits: Tensor = self.head(self.block(tokens))
        return logits
