"""A convolutional backbone, our plain one or any of timm's, with a pooled linear head."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn

from darklens.classify.base import ClassifierNetwork
from darklens.errors import BadModel
from darklens.nn import AttentionBlock, PlainBackbone

__all__ = ["BackboneConfig", "BackboneNetwork"]

_BACKBONE_OPTIONS = frozenset(
    {"act_layer", "drop_path_rate", "norm_layer", "output_stride", "stem_type", "stem_width"}
)


@dataclass(frozen=True)
class BackboneConfig:
    """Configuration of a network made of a timm backbone and a pooled linear head.

    Attributes:
        backbone: `plain` for `PlainBackbone`, or the name of a timm architecture, such as
            `resnet10t`.
        pool: How the feature map becomes a vector: mean, mean and maximum side by side, or mean
            after one attention layer over the cells of the map.
        dropout: Share of the pooled features dropped in training.
        d4: Whether predictions average the logits over the eight flips and rotations.
        channels_last: Whether weights and images lie in memory with the channels innermost.
        options: Settings of the architecture itself: `width` of `plain`, and such as
            `drop_path_rate`, `output_stride`, `stem_width` of timm's.
    """

    backbone: str = "resnet10t"
    pool: Literal["avg", "avgmax", "attention"] = "avg"
    dropout: float = 0.0
    d4: bool = False
    channels_last: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)


class BackboneNetwork(ClassifierNetwork):
    """A timm backbone, global pooling, dropout and one linear layer; takes any image size."""

    def __init__(self, config: BackboneConfig, *, in_channels: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.d4 = config.d4
        self.backbone = _backbone(config, in_channels)
        width = int(self.backbone.num_features)
        attention = config.pool == "attention"
        self.block = AttentionBlock(width, heads=4) if attention else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(width * (2 if config.pool == "avgmax" else 1), classes)
        if config.channels_last:
            self.to(memory_format=torch.channels_last)

    def logits(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits by one pass."""
        if self.config.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        features = self.backbone(images).flatten(2)
        if self.config.pool == "attention":
            features = self.block(features.transpose(1, 2)).transpose(1, 2)
        pooled = features.mean(-1)
        if self.config.pool == "avgmax":
            pooled = torch.cat([pooled, features.amax(-1)], dim=1)
        logits: Tensor = self.linear(self.dropout(pooled))
        return logits


def _backbone(config: BackboneConfig, in_channels: int) -> nn.Module:
    """The convolutional part with fresh weights."""
    if config.backbone != "plain":
        return _timm_backbone(config, in_channels)
    width = config.options.get("width", 32)
    if set(config.options) - {"width"} or not isinstance(width, int) or not 1 <= width <= 512:
        raise BadModel("the backbone 'plain' has one option, a width from 1 to 512")
    return PlainBackbone(in_channels, width)


def _timm_backbone(config: BackboneConfig, in_channels: int) -> nn.Module:
    """The architecture with fresh weights; names and options that would load files are refused."""
    unknown = sorted(set(config.options) - _BACKBONE_OPTIONS)
    if unknown:
        known = ", ".join(sorted(_BACKBONE_OPTIONS))
        raise BadModel(f"a backbone has no option '{unknown[0]}'; known are {known}")
    if not timm.is_model(config.backbone):
        raise BadModel(f"timm has no architecture '{config.backbone}'")
    try:
        backbone: nn.Module = timm.create_model(
            config.backbone,
            in_chans=in_channels,
            num_classes=0,
            global_pool="",
            **config.options,
        )
    except (TypeError, ValueError, AssertionError, RuntimeError, KeyError) as error:
        raise BadModel(f"the backbone '{config.backbone}' cannot be built: {error}") from error
    return backbone
