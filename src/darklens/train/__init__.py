"""A training run: its data, prepared simulations and latents, checkpoints, scores and folder."""

from darklens.train.data import DataOptions, TrainingData, training_data

__all__ = ["DataOptions", "TrainingData", "training_data"]
