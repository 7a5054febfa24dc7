"""Training and validation steps of a classifier, as a Lightning module.

Batches are `(images, labels)` as the data module gives them: preprocessed and augmented.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from darklens.classify.base import ClassifierNetwork
from darklens.errors import BadConfig
from darklens.metrics import accuracy, macro_auc
from darklens.nn import Budget, BudgetedTask, OptimiserConfig

__all__ = ["ClassifierTask", "TrainingConfig"]


@dataclass(frozen=True)
class TrainingConfig(OptimiserConfig):
    """How a classifier is trained; see `OptimiserConfig` for the other attributes.

    Attributes:
        label_smoothing: Probability taken from the true class and spread over all.
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        super().__post_init__()
        if not 0 <= self.label_smoothing < 1:
            raise BadConfig("label_smoothing must be at least 0 and below 1")


class ClassifierTask(BudgetedTask):
    """Training of a classifier network by cross-entropy.

    Args:
        network: The network to train, in place.
        config: How to train it.
        budget: When the training ends.
        seed: Seed of the dropout.
        seconds: Time spent on preparing the network, which counts as training [s].
        frozen: Parts of the network that stay as they are.
    """

    METRICS: ClassVar[tuple[str, ...]] = ("val_loss", "val_accuracy", "val_auc")

    def __init__(
        self,
        network: ClassifierNetwork,
        config: TrainingConfig,
        *,
        budget: Budget,
        seed: int = 0,
        seconds: float = 0.0,
        frozen: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__(network, config, budget=budget, seed=seed, seconds=seconds, frozen=frozen)
        self.config = config
        self._outputs: list[tuple[Tensor, Tensor]] = []

    @property
    def best_network(self) -> ClassifierNetwork:
        """The network that is validated and exported: the averaged one, if there is one."""
        network = self.followed_network
        assert isinstance(network, ClassifierNetwork)
        return network

    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> Tensor:
        """Loss of one batch."""
        images, labels = batch
        logits = self.network(images)
        loss = cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)
        self.count_images(len(images), loss)
        return loss

    def validation_step(self, batch: Sequence[Tensor], batch_idx: int) -> None:
        """Keep the logits of one batch, by one pass even where predictions average over turns."""
        images, labels = batch
        self._outputs.append((self.best_network.logits(images), labels))

    def on_validation_epoch_end(self) -> None:
        """Log loss, accuracy and macro AUC over the whole validation set.

        The AUC is not defined, and not logged, if a class has no images.
        """
        logits = self.gathered(torch.cat([item for item, _ in self._outputs]))
        labels = self.gathered(torch.cat([item for _, item in self._outputs]))
        self._outputs.clear()
        loss = float(cross_entropy(logits.double(), labels))
        self.check_finite(loss, "validation loss")
        probabilities = logits.double().softmax(dim=1).cpu().numpy()
        truth = labels.cpu().numpy().astype(np.int64)
        self.log_validation(
            {
                "val_loss": loss,
                "val_accuracy": float(accuracy(truth, probabilities)),
                "val_auc": float(macro_auc(truth, probabilities)),
            }
        )
