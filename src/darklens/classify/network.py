"""Build a classifier network from its name and settings, and register further networks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from darklens.classify.backbone import BackboneConfig, BackboneNetwork
from darklens.classify.base import ClassifierNetwork
from darklens.classify.reference import ReferenceClassifierConfig, ReferenceNetwork
from darklens.classify.subspace import SubspaceConfig, SubspaceNetwork
from darklens.errors import BadModel
from darklens.nn import NetworkRegistry

__all__ = ["build_network", "network_spec", "register_network"]

_REGISTRY: NetworkRegistry[ClassifierNetwork] = NetworkRegistry()
register_network = _REGISTRY.register
network_spec = _REGISTRY.spec

register_network("reference", ReferenceClassifierConfig, ReferenceNetwork)
register_network("subspace", SubspaceConfig, SubspaceNetwork)
register_network("backbone", BackboneConfig, BackboneNetwork)


def build_network(
    spec: Mapping[str, Any],
    *,
    in_channels: int = 1,
    classes: int = 3,
    size: tuple[int, int] | None = None,
) -> ClassifierNetwork:
    """Build a network with initial weights from its name and the fields of its configuration.

    Args:
        spec: `{"name": "reference", "backbone", "subspace" or a registered name, **fields}`;
            omitted fields keep their defaults.
        in_channels: Channels of the preprocessed images.
        classes: Number of logits.
        size: Height and width of the preprocessed images, if they are known. Architectures that
            depend on the size are built for it, and the network is tried on one image.

    Raises:
        BadModel: If the name or a field is unknown, if a value is of the wrong type or out of
            range, or if the network cannot take images of this size.
    """
    config = _REGISTRY.read(spec)
    if (
        isinstance(config, BackboneConfig)
        and "size" not in spec
        and size is not None
        and size[0] == size[1]
    ):
        config = replace(config, size=int(size[0]))
    network = _REGISTRY.build(config, in_channels=in_channels, classes=classes)
    if size is not None:
        _try(network, torch.zeros(1, in_channels, *size))
    return network


def _try(network: ClassifierNetwork, image: torch.Tensor) -> None:
    """Check that the network accepts such an image; its state does not change."""
    height, width = image.shape[-2:]
    training = network.training
    try:
        with torch.inference_mode():
            network.eval().logits(image)
    except BadModel:
        raise
    except Exception as error:  # a size that does not fit can cause any error
        reason = (" ".join(str(error).split()) or type(error).__name__)[:120]
        advice = "" if height == width else "; crop them to squares with {center_crop: {size: ...}}"
        raise BadModel(
            f"the network does not take images of {height} x {width} pixels ({reason}){advice}"
        ) from error
    finally:
        network.train(training)
