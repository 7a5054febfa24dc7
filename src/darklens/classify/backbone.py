"""A backbone, our plain one or one of timm, with pooled features and a linear head.

Most convolutional architectures of timm give a feature map (n, c, h, w) for images of any size,
which is pooled here. Others (transformers, mixers, networks with layers behind the pooling) are
pooled by timm itself, and those whose weights depend on the image size are built for the size that
the configuration gives. The kind of an architecture is found by running it on an empty image.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from darklens.classify.base import ClassifierNetwork
from darklens.errors import BadModel
from darklens.nn import AttentionBlock, PlainBackbone

__all__ = ["BackboneConfig", "BackboneNetwork"]


@dataclass(frozen=True)
class BackboneConfig:
    """Configuration of a network made of a timm backbone and a pooled linear head.

    Attributes:
        backbone: `plain` for `PlainBackbone`, or the name of a timm architecture, such as
            `resnet10t`.
        pool: How the features become a vector: their mean (or timm's own pooling if the
            architecture has layers behind it), mean and maximum side by side, or mean after one
            attention layer over the cells of the map.
        dropout: Share of the pooled features dropped in training.
        d4: Whether predictions average the logits over the eight flips and rotations.
        channels_last: Whether weights and images are stored with the channels innermost.
        options: Settings of the architecture itself: `width` of `plain`, and for timm
            for example `drop_path_rate`, `output_stride`, `stem_width`.
        size: Height and width of the preprocessed images [pixel], for architectures that are
            built for one size; 0 for all others. Training fills it in.
    """

    backbone: str = "resnet10t"
    pool: Literal["avg", "avgmax", "attention"] = "avg"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    d4: bool = False
    channels_last: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    size: Annotated[int, Field(ge=0, le=4096)] = 0


class BackboneNetwork(ClassifierNetwork):
    """A backbone, global pooling, dropout and one linear layer.

    Attributes:
        pooled: Whether the backbone pools its features itself.
    """

    def __init__(self, config: BackboneConfig, *, in_channels: int, classes: int) -> None:
        super().__init__()
        self.d4 = config.d4
        self.pooled, fixed = False, False
        if config.backbone == "plain":
            self.backbone = _plain(config, in_channels)
            width = int(self.backbone.num_features)
        else:
            from darklens.classify.timm_models import create_backbone

            made = create_backbone(
                config.backbone,
                in_channels,
                config.options,
                size=config.size,
                pooled=config.pool == "avg",
            )
            self.backbone, width = made.network, made.width
            self.pooled, fixed = made.pooled, made.fixed
        self.config = config if fixed else self._any_size(config)
        attention = config.pool == "attention"
        if attention and width % 4:
            raise BadModel(f"pool: attention needs a width that 4 divides, not {width}")
        self.block = AttentionBlock(width, heads=4) if attention else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(width * (2 if config.pool == "avgmax" else 1), classes)
        if config.channels_last:
            self.to(memory_format=torch.channels_last)

    @staticmethod
    def _any_size(config: BackboneConfig) -> BackboneConfig:
        """The configuration of a network that takes images of any size."""
        return replace(config, size=0)

    def logits(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits by one pass."""
        if self.config.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        features = self.backbone(images)
        logits: Tensor = self.linear(self.dropout(self._pooled(features)))
        return logits

    def _pooled(self, features: Tensor) -> Float[Tensor, "n f"]:
        if self.pooled:
            return features
        features = features.flatten(2)
        if self.config.pool == "attention":
            features = self.block(features.transpose(1, 2)).transpose(1, 2)
        pooled = features.mean(-1)
        if self.config.pool == "avgmax":
            pooled = torch.cat([pooled, features.amax(-1)], dim=1)
        return pooled


def _plain(config: BackboneConfig, in_channels: int) -> PlainBackbone:
    width = config.options.get("width", 32)
    if set(config.options) - {"width"} or not isinstance(width, int) or not 1 <= width <= 512:
        raise BadModel("the backbone 'plain' has one option, a width from 1 to 512")
    return PlainBackbone(in_channels, width)
