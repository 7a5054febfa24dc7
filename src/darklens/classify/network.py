"""Classifier networks and how they are chosen: `build_network` makes one from its name.

Each network has a frozen dataclass as its configuration. `logits` is one pass through the
network; `forward` is the same, or its mean over the eight flips and right-angle rotations when the
configuration asks for it and the network predicts. The softmax belongs to the prediction.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn

from darklens.errors import BadModel
from darklens.nn import AttentionBlock, PlainBackbone, SmoothSubspace, d4_average

__all__ = [
    "BackboneConfig",
    "BackboneNetwork",
    "ClassifierNetwork",
    "ReferenceConfig",
    "ReferenceNetwork",
    "SubspaceConfig",
    "SubspaceNetwork",
    "build_network",
    "network_spec",
]

_BACKBONE_OPTIONS = frozenset(
    {"act_layer", "drop_path_rate", "norm_layer", "output_stride", "stem_type", "stem_width"}
)


class ClassifierNetwork(nn.Module, ABC):
    """A network from preprocessed images to logits, one for each class.

    Attributes:
        config: Its configuration, a frozen dataclass.
        backbone: The convolutional part, a timm model without pooling and classifier.
        d4: Whether predictions are averaged over the symmetries of the square.
        smooth_images: Number of preprocessed images of smooth lenses that `fit_smooth` wants
            before the training; 0 where the network has no such part.
    """

    config: Any
    backbone: Any
    d4: bool = False
    smooth_images: int = 0

    def fit_smooth(self, images: Float[Tensor, "n c h w"]) -> None:
        """Learn what smooth lenses look like; networks without such a part need not."""

    @abstractmethod
    def logits(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits by one pass."""

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits, averaged over the symmetries if the network predicts and is set to do so."""
        if self.d4 and not self.training:
            return d4_average(self.logits, images)
        return self.logits(images)


@dataclass(frozen=True)
class ReferenceConfig:
    """Configuration of the published reference network.

    Attributes:
        size: Height and width of its input [pixel]; the size of its first dense layer follows.
    """

    size: int = 100


class ReferenceNetwork(ClassifierNetwork):
    """EfficientNet-B2, one transformer layer over its feature map and a deep dense head.

    100 x 100 pixels become a map of 4 x 4 x 1408, read as 16 tokens. The order of activation, norm
    and dropout differs from layer to layer in the original and does so here. 43.3 million
    parameters.

    References:
        ML4SCI DeepLense, the classifier that the benchmark's users compare with.
    """

    def __init__(self, config: ReferenceConfig, *, in_channels: int, classes: int) -> None:
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


@dataclass(frozen=True)
class SubspaceConfig(BackboneConfig):
    """Configuration of a backbone that also sees what a linear model of smooth lenses leaves.

    Attributes:
        size: Height and width of the preprocessed images [pixel].
        components: Dimensions of the linear space of smooth lenses.
        smooth_images: Images of smooth lenses from which the space is found.
        gain: Variance that a unit of preprocessed signal brings: 1 for photon counts.
        stretch: The image itself enters as (sqrt(max(0, x) / stretch + 1) - 1) / 10.
    """

    size: int = 100
    components: int = 64
    smooth_images: int = 6000
    gain: float = 1.0
    stretch: float = 10.0


class SubspaceNetwork(BackboneNetwork):
    """A backbone over two images: the stretched image, and its residual in units of noise.

    The residual is that against a linear space of smooth lenses, see `darklens.nn.subspace`; it is
    meant for populations whose smooth lenses have few free numbers.
    """

    config: SubspaceConfig

    def __init__(self, config: SubspaceConfig, *, in_channels: int, classes: int) -> None:
        super().__init__(config, in_channels=2 * in_channels, classes=classes)
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


_NETWORKS: dict[str, tuple[type[Any], Callable[..., ClassifierNetwork]]] = {
    "reference": (ReferenceConfig, ReferenceNetwork),
    "subspace": (SubspaceConfig, SubspaceNetwork),
    "backbone": (BackboneConfig, BackboneNetwork),
}


def build_network(
    spec: Mapping[str, Any], *, in_channels: int = 1, classes: int = 3
) -> ClassifierNetwork:
    """A network with fresh weights from its name and the fields of its configuration.

    Args:
        spec: `{"name": "reference", "backbone" or "subspace", **fields}`; fields that are left
            out keep their defaults.
        in_channels: Channels of the preprocessed images.
        classes: Number of logits.

    Raises:
        BadModel: If the name, a field or a value is not known.
    """
    settings = dict(spec)
    name = settings.pop("name", None)
    if name not in _NETWORKS:
        raise BadModel(f"there is no network '{name}'; known are {', '.join(_NETWORKS)}")
    config_class, network_class = _NETWORKS[name]
    known = [item.name for item in fields(config_class)]
    for key in settings:
        if key not in known:
            raise BadModel(f"the network '{name}' has no '{key}'; it has {', '.join(known)}")
    _check_values(name, settings, defaults=config_class())
    config = config_class(**settings)
    return network_class(config, in_channels=in_channels, classes=classes)


def network_spec(network: ClassifierNetwork) -> dict[str, Any]:
    """The complete description from which `build_network` makes such a network again."""
    for name, (config_class, _) in _NETWORKS.items():
        config = network.config
        if type(config) is config_class:
            return {"name": name, **asdict(config)}
    raise BadModel(f"{type(network).__name__} is not one of the networks that cards can name")


def _check_values(name: str, settings: Mapping[str, Any], *, defaults: Any) -> None:
    """Refuse values of another type than the defaults' or out of range: specs come from files."""
    for key, value in settings.items():
        kind: Any = type(getattr(defaults, key))
        kind = {dict: Mapping, float: (int, float)}.get(kind, kind)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise BadModel(f"the network '{name}' cannot have {key}={value!r}")
    if settings.get("size", 32) < 32:
        raise BadModel("the reference network needs a size of 32 pixels or more")
    if settings.get("pool", "avg") not in ("avg", "avgmax", "attention"):
        raise BadModel(f"there is no pool '{settings['pool']}'; known are avg, avgmax, attention")
    if settings.get("components", 1) < 1 or settings.get("stretch", 1) <= 0:
        raise BadModel("components must be at least 1 and stretch positive")
    if not 0 <= settings.get("dropout", 0) < 1:
        raise BadModel("dropout must be at least 0 and below 1")


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
