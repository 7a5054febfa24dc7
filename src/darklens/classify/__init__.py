"""The classifier: networks, their training and prediction."""

from darklens.classify.network import (
    BackboneConfig,
    BackboneNetwork,
    ClassifierNetwork,
    ReferenceConfig,
    ReferenceNetwork,
    build_network,
    network_spec,
)

__all__ = [
    "BackboneConfig",
    "BackboneNetwork",
    "ClassifierNetwork",
    "ReferenceConfig",
    "ReferenceNetwork",
    "build_network",
    "network_spec",
]
