"""The classifier: networks, their training and prediction."""

from darklens.classify.backbone import BackboneConfig, BackboneNetwork
from darklens.classify.base import ClassifierNetwork
from darklens.classify.network import build_network, network_spec
from darklens.classify.predictor import Classifier
from darklens.classify.pretrained import load_imagenet
from darklens.classify.reference import ReferenceClassifierConfig, ReferenceNetwork
from darklens.classify.subspace import SubspaceConfig, SubspaceNetwork
from darklens.classify.task import ClassifierTask, TrainingConfig

__all__ = [
    "BackboneConfig",
    "BackboneNetwork",
    "Classifier",
    "ClassifierNetwork",
    "ClassifierTask",
    "ReferenceClassifierConfig",
    "ReferenceNetwork",
    "SubspaceConfig",
    "SubspaceNetwork",
    "TrainingConfig",
    "build_network",
    "load_imagenet",
    "network_spec",
]
