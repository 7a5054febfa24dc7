"""Trained models as folders: cards, weights, the shipped ones and those of the Hugging Face hub.

A model is a folder with `card.yaml` (description, preprocessing, network, training, scores) and a
safetensors file with the weights. Loading it runs no code from the folder: the card is plain YAML
validated against a schema, and the network and the preprocessing are looked up by name among those
known to darklens.
"""

from darklens.hub.calibration import load_calibration, save_calibration
from darklens.hub.card import (
    CalibrationCard,
    InputCard,
    Metric,
    ModelCard,
    OutputCard,
    TrainingCard,
    WeightsCard,
    check_card,
    check_name,
    load_card,
    record_metrics,
    write_card,
)
from darklens.hub.export import export_model
from darklens.hub.folders import cached_models, find_model, shipped_folders, shipped_models
from darklens.hub.initial import InitialModel, initial_model
from darklens.hub.preprocessing import model_preprocessing
from darklens.hub.recalibration import calibrate_model
from darklens.hub.weights import card_of, load_classifier, load_generator, save_model

__all__ = [
    "CalibrationCard",
    "InitialModel",
    "InputCard",
    "Metric",
    "ModelCard",
    "OutputCard",
    "TrainingCard",
    "WeightsCard",
    "cached_models",
    "calibrate_model",
    "card_of",
    "check_card",
    "check_name",
    "export_model",
    "find_model",
    "initial_model",
    "load_calibration",
    "load_card",
    "load_classifier",
    "load_generator",
    "model_preprocessing",
    "record_metrics",
    "save_calibration",
    "save_model",
    "shipped_folders",
    "shipped_models",
    "write_card",
]
