"""Training: data of a run, simulations prepared beforehand, latents, the run, scores and folder.

`train_classifier` and `train_generator` do what `darklens train` does, with the same defaults.
Names are imported on first use: worker processes that prepare images need no Lightning.
"""

from typing import TYPE_CHECKING

from darklens.lazy_imports import lazy_names

if TYPE_CHECKING:
    from darklens.train.classifier import train_classifier
    from darklens.train.data import TrainingData, training_data
    from darklens.train.data_options import DataOptions
    from darklens.train.generator import train_generator
    from darklens.train.results import CrossValidation, TrainedModel
    from darklens.train.settings import CardOptions

__all__ = [
    "CardOptions",
    "CrossValidation",
    "DataOptions",
    "TrainedModel",
    "TrainingData",
    "train_classifier",
    "train_generator",
    "training_data",
]

_HOMES = {
    "CardOptions": "darklens.train.settings",
    "CrossValidation": "darklens.train.results",
    "DataOptions": "darklens.train.data_options",
    "TrainedModel": "darklens.train.results",
    "TrainingData": "darklens.train.data",
    "train_classifier": "darklens.train.classifier",
    "train_generator": "darklens.train.generator",
    "training_data": "darklens.train.data",
}

__getattr__ = lazy_names(__name__, _HOMES)
