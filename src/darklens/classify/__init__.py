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
    "TrainingConfig",
    "build_network",
    "load_imagenet",
    "network_spec",
]
