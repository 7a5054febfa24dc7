"""How classifier networks are chosen: `build_network` makes one from its name and settings."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from darklens.classify.backbone import BackboneConfig, BackboneNetwork
from darklens.classify.base import ClassifierNetwork
from darklens.classify.reference import ReferenceClassifierConfig, ReferenceNetwork
from darklens.classify.subspace import SubspaceConfig, SubspaceNetwork
from darklens.errors import BadModel
from darklens.nn import parse_spec, write_spec

__all__ = ["build_network", "network_spec"]

_LARGEST_SIZE = 4096
_MOST_COMPONENTS = 10_000

_CONFIGS: dict[str, type[Any]] = {
    "reference": ReferenceClassifierConfig,
    "subspace": SubspaceConfig,
    "backbone": BackboneConfig,
}
_NETWORKS: dict[str, Callable[..., ClassifierNetwork]] = {
    "reference": ReferenceNetwork,
    "subspace": SubspaceNetwork,
    "backbone": BackboneNetwork,
}


def build_network(
    spec: Mapping[str, Any],
    *,
    in_channels: int = 1,
    classes: int = 3,
    size: tuple[int, int] | None = None,
) -> ClassifierNetwork:
    """A network with fresh weights from its name and the fields of its configuration.

    Args:
        spec: `{"name": "reference", "backbone" or "subspace", **fields}`; fields that are left
            out keep their defaults.
        in_channels: Channels of the preprocessed images.
        classes: Number of logits.
        size: Height and width of the preprocessed images, where they are known: architectures
            that need a size are built for it, and the network is tried on one image.

    Raises:
        BadModel: If the name, a field or a value is not known, or images of this size do not suit
            the network.
    """
    name, settings = parse_spec(spec, _CONFIGS)
    if name == "backbone" and size is not None and size[0] == size[1]:
        settings = {"size": int(size[0])} | settings
    _check_ranges(name, settings)
    config = _CONFIGS[name](**settings)
    network = _NETWORKS[name](config, in_channels=in_channels, classes=classes)
    if size is not None:
        _try(network, torch.zeros(1, in_channels, *size))
    return network


def network_spec(network: ClassifierNetwork) -> dict[str, Any]:
    """The complete description from which `build_network` makes such a network again."""
    return write_spec(network.config, _CONFIGS)


def _try(network: ClassifierNetwork, image: torch.Tensor) -> None:
    """Make sure that the network takes such an image; its state stays as it is."""
    height, width = image.shape[-2:]
    training = network.training
    try:
        with torch.inference_mode():
            network.eval().logits(image)
    except BadModel:
        raise
    except Exception as error:  # networks fail in all ways at sizes they do not take
        reason = (" ".join(str(error).split()) or type(error).__name__)[:120]
        advice = "" if height == width else "; crop them to squares with {center_crop: {size: ...}}"
        raise BadModel(
            f"the network does not take images of {height} x {width} pixels ({reason}){advice}"
        ) from error
    finally:
        network.train(training)


def _check_ranges(name: str, settings: Mapping[str, Any]) -> None:
    """Refuse values out of range: specs come from files."""
    size = settings.get("size", 32)
    if name == "reference" and size < 32:
        raise BadModel("the reference network needs a size of 32 pixels or more")
    if not 0 <= size <= _LARGEST_SIZE or (name == "subspace" and size < 32):
        raise BadModel(f"a network's size lies between 32 and {_LARGEST_SIZE} pixels")
    if not 1 <= settings.get("components", 1) <= _MOST_COMPONENTS:
        raise BadModel(f"components must be between 1 and {_MOST_COMPONENTS}")
    if settings.get("stretch", 1) <= 0:
        raise BadModel("stretch must be positive")
    if not 0 <= settings.get("dropout", 0) < 1:
        raise BadModel("dropout must be at least 0 and below 1")
