"""The result of a training: a model, or the models of a cross-validation."""

from dataclasses import dataclass
from pathlib import Path

from darklens.hub import ModelCard

__all__ = ["CrossValidation", "TrainedModel"]


@dataclass(frozen=True)
class TrainedModel:
    """A trained model on disk.

    Attributes:
        folder: Model folder, for `load_classifier` or `load_generator`.
        card: Its card, with the test scores if there are any.
        problem: Why the model could not be calibrated or tested; None if all went well.
    """

    folder: Path
    card: ModelCard
    problem: str | None = None


@dataclass(frozen=True)
class CrossValidation:
    """The models of a cross-validation.

    Attributes:
        folder: Folder of the run, with one folder for each fold and `folds.json`.
        models: One model for each fold.
    """

    folder: Path
    models: tuple[TrainedModel, ...]

    @property
    def problem(self) -> str | None:
        """Why the first model that could not be calibrated or tested failed; None if all were."""
        return next((model.problem for model in self.models if model.problem is not None), None)
