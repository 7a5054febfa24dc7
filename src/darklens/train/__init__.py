"""Training: data of a run, simulations prepared beforehand, latents, the run, scores and folder.

`train_classifier` and `train_generator` do what `darklens train` does, with the same defaults.
"""

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
