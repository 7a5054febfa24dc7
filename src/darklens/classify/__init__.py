"""The classifier: networks, their training and prediction.

What needs Lightning or timm is imported on first use: prediction with our own networks needs
neither.
"""

from typing import TYPE_CHECKING

from darklens.classify.answers import UNFAMILIAR, UNKNOWN, Answer, answer_table
from darklens.classify.backbone import BackboneConfig, BackboneNetwork
from darklens.classify.base import ClassifierNetwork
from darklens.classify.calibration import (
    Calibration,
    calibrate,
    calibration_from,
    dataset_outputs,
    determined_temperature,
)
from darklens.classify.familiarity import Familiarity
from darklens.classify.features import last_linear, logits_and_features
from darklens.classify.network import build_network, network_spec, register_network
from darklens.classify.outputs import Outputs
from darklens.classify.predictor import Classifier, check_coverage
from darklens.classify.reference import ReferenceClassifierConfig, ReferenceNetwork
from darklens.classify.subspace import SubspaceConfig, SubspaceNetwork
from darklens.lazy_imports import lazy_names

if TYPE_CHECKING:
    from darklens.classify.pretrained import load_imagenet
    from darklens.classify.task import ClassifierTask, TrainingConfig

__all__ = [
    "UNFAMILIAR",
    "UNKNOWN",
    "Answer",
    "BackboneConfig",
    "BackboneNetwork",
    "Calibration",
    "Classifier",
    "ClassifierNetwork",
    "ClassifierTask",
    "Familiarity",
    "Outputs",
    "ReferenceClassifierConfig",
    "ReferenceNetwork",
    "SubspaceConfig",
    "SubspaceNetwork",
    "TrainingConfig",
    "answer_table",
    "build_network",
    "calibrate",
    "calibration_from",
    "check_coverage",
    "dataset_outputs",
    "determined_temperature",
    "last_linear",
    "load_imagenet",
    "logits_and_features",
    "network_spec",
    "register_network",
]

_HOMES = {
    "ClassifierTask": "darklens.classify.task",
    "TrainingConfig": "darklens.classify.task",
    "load_imagenet": "darklens.classify.pretrained",
}

__getattr__ = lazy_names(__name__, _HOMES)
