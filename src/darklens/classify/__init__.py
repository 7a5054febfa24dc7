"""The classifier: networks, their training and prediction."""

from darklens.classify.network import (
    BackboneConfig,
    BackboneNetwork,
    ClassifierNetwork,
    ReferenceConfig,
    ReferenceNetwork,
    SubspaceConfig,
    SubspaceNetwork,
    build_network,
    network_spec,
)
from darklens.classify.predictor import Classifier
from darklens.classify.pretrained import load_imagenet
from darklens.classify.task import ClassifierTask, TrainingConfig

__all__ = [
    "BackboneConfig",
    "BackboneNetwork",
    "Classifier",
    "ClassifierNetwork",
    "ClassifierTask",
    "ReferenceConfig",
    "ReferenceNetwork",
    "SubspaceConfig",
    "SubspaceNetwork",
    "TrainingConfig",
    "build_network",
    "load_imagenet",
    "network_spec",
]
