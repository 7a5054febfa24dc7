"""`darklens train`: the exit code of a training, which reports its progress itself."""

from darklens.train import CrossValidation, TrainedModel

__all__ = ["show"]


def show(trained: TrainedModel | CrossValidation) -> int:
    """Return 1 if a model is written but could not be measured on all of its images."""
    return 0 if trained.problem is None else 1
