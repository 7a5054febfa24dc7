"""What one training step and one validation of a classifier do, as a Lightning module.

Batches are `(images, labels)` as the data module gives them: preprocessed and augmented. The task
keeps count of images and time itself, because its learning rate and its end are defined by them,
and because they belong to a checkpoint.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn.functional import cross_entropy

from darklens.classify.base import ClassifierNetwork
from darklens.errors import BadConfig
from darklens.metrics import accuracy, macro_auc
from darklens.nn import Budget, MovingAverage, cosine_restarts, one_cycle

__all__ = ["ClassifierTask", "TrainingConfig"]

Batch = Sequence[Tensor]  # images (n, c, h, w) and labels (n,); loaders make lists of pairs


@dataclass(frozen=True)
class TrainingConfig:
    """How the weights are fitted.

    Attributes:
        optimiser: `adam` or `adamw`.
        learning_rate: Highest learning rate.
        final_learning_rate: Lowest learning rate.
        weight_decay: Weight decay; biases and norms have none.
        schedule: One rise and fall over the whole run, a fall in each period of epochs, or a
            constant rate.
        warmup: Part of the run in which a one-cycle schedule rises.
        restart_epochs: Period of the cosine restarts [epochs].
        label_smoothing: Probability taken from the true class and spread over all.
        average_decay: Decay of the moving average of the weights that is validated and exported;
            0 means no average.
        compile: Whether the network is compiled with `torch.compile`.
    """

    optimiser: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = 1e-3
    final_learning_rate: float = 0.0
    weight_decay: float = 0.05
    schedule: Literal["one_cycle", "cosine_restarts", "constant"] = "one_cycle"
    warmup: float = 0.1
    restart_epochs: int = 15
    label_smoothing: float = 0.0
    average_decay: float = 0.0
    compile: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that cannot work."""
        if not 0 <= self.final_learning_rate <= self.learning_rate:
            raise BadConfig("final_learning_rate must lie between 0 and learning_rate")
        if not (0 <= self.warmup < 1 and 0 <= self.label_smoothing < 1):
            raise BadConfig("warmup and label_smoothing must be at least 0 and below 1")
        if not 0 <= self.average_decay < 1:
            raise BadConfig("average_decay must be at least 0 and below 1")
        if self.restart_epochs < 1 or self.weight_decay < 0:
            raise BadConfig("restart_epochs must be at least 1 and weight_decay at least 0")

    def rate(self, *, progress: float, epoch: int) -> float:
        """Learning rate at a point of the run."""
        factor = 1.0
        if self.schedule == "one_cycle":
            factor = one_cycle(progress, warmup=self.warmup)
        elif self.schedule == "cosine_restarts":
            factor = cosine_restarts(epoch, period=self.restart_epochs)
        span = self.learning_rate - self.final_learning_rate
        return self.final_learning_rate + factor * span


class ClassifierTask(LightningModule):
    """Training of a classifier network by cross-entropy.

    Randomness inside the network (dropout) depends on the seed and the step alone, so a resumed
    run continues as if it had never stopped.

    Args:
        network: The network to train, in place.
        config: How to train it.
        budget: When the training ends.
        seed: Seed of the dropout.
        seconds: Time that preparing the network took, which counts as training [s].

    Attributes:
        images_seen: Training images so far, over all devices.

    Raises:
        BadConfig: If the budget has no end.
    """

    def __init__(
        self,
        network: ClassifierNetwork,
        config: TrainingConfig,
        *,
        budget: Budget,
        seed: int = 0,
        seconds: float = 0.0,
    ) -> None:
        super().__init__()
        if all(limit is None for limit in budget.limits):
            raise BadConfig("the run has no end: give budget.images, .epochs or .minutes")
        self.network = network
        decay = config.average_decay
        self.average = MovingAverage(network, decay=decay) if decay else None
        self.config = config
        self.budget = budget
        self.seed = seed
        self.images_seen = 0
        self._seconds_before = seconds
        self._started: float | None = None
        self._outputs: list[tuple[Tensor, Tensor]] = []
        if config.compile:
            network.compile()  # in place: the names of the weights stay

    @property
    def best_network(self) -> ClassifierNetwork:
        """The network that is validated and exported: the averaged one, where there is one."""
        network = self.network if self.average is None else self.average.network
        assert isinstance(network, ClassifierNetwork)
        return network

    @property
    def seconds(self) -> float:
        """Wall time of the training so far, over all resumed parts [s]."""
        running = 0.0 if self._started is None else time.monotonic() - self._started
        return self._seconds_before + running

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimiser; the learning rate is set before each step."""
        parameters = [item for item in self.network.parameters() if item.requires_grad]
        groups = [
            {
                "params": [item for item in parameters if item.ndim > 1],
                "weight_decay": self.config.weight_decay,
            },
            {"params": [item for item in parameters if item.ndim <= 1], "weight_decay": 0.0},
        ]
        if self.config.optimiser == "adam":
            return torch.optim.Adam(groups, lr=self.config.learning_rate)
        return torch.optim.AdamW(groups, lr=self.config.learning_rate)

    def on_train_start(self) -> None:
        """Start the clock; a run that is resumed after its end has nothing to do."""
        self._started = time.monotonic()
        self._stop_when_done()

    def on_train_end(self) -> None:
        """Stop the clock."""
        self._seconds_before, self._started = self.seconds, None

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the learning rate and the random state of this step."""
        batches = self.trainer.num_training_batches
        epochs = self.current_epoch + (0.0 if batches == float("inf") else batch_idx / batches)
        progress = self.budget.progress(
            images=self.images_seen, epochs=epochs, seconds=self._shared_seconds()
        )
        rate = self.config.rate(progress=progress, epoch=self.current_epoch)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate
        step = self.global_step * self.trainer.world_size + self.global_rank
        torch.manual_seed(self.seed * 1_000_003 + step)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch."""
        images, labels = batch
        logits = self.network(images)
        loss = cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)
        self.images_seen += len(images) * self.trainer.world_size
        self.log("train_loss", loss, prog_bar=True)
        self.log("learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"])
        self._stop_when_done()
        return loss

    def optimizer_step(self, *arguments: Any, **keywords: Any) -> None:
        """One step of the optimiser, and of the moving average behind it."""
        super().optimizer_step(*arguments, **keywords)
        if self.average is not None:
            self.average.update(self.network)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep the logits of one batch, by one pass even where predictions average over turns."""
        images, labels = batch
        self._outputs.append((self.best_network.logits(images), labels))

    def on_validation_epoch_end(self) -> None:
        """Log loss, accuracy and macro AUC over the whole validation set."""
        logits = self._gathered(torch.cat([item for item, _ in self._outputs]))
        labels = self._gathered(torch.cat([item for _, item in self._outputs]))
        self._outputs.clear()
        probabilities = logits.double().softmax(dim=1).cpu().numpy()
        truth = labels.cpu().numpy().astype(np.int64)
        metrics = {
            "val_loss": float(cross_entropy(logits.double(), labels)),
            "val_accuracy": float(accuracy(truth, probabilities)),
            "val_auc": float(macro_auc(truth, probabilities)),
        }
        progress = {"images": float(self.images_seen), "seconds": self.seconds}
        self.log_dict(metrics, prog_bar=True)
        self.log_dict(progress)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the counts with the weights."""
        checkpoint["counts"] = {"images": self.images_seen, "seconds": self.seconds}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue the counts."""
        self.images_seen = checkpoint["counts"]["images"]
        self._seconds_before = checkpoint["counts"]["seconds"]

    def _stop_when_done(self) -> None:
        """End the training if its images or its time are used up."""
        seconds = self._shared_seconds()
        if self.budget.progress(images=self.images_seen, epochs=0.0, seconds=seconds) >= 1:
            self.trainer.should_stop = True

    def _shared_seconds(self) -> float:
        """The clock of the first device, because all must stop at the same step."""
        if self.trainer.world_size == 1 or self.budget.minutes is None:
            return self.seconds
        return float(self.trainer.strategy.broadcast(self.seconds))

    def _gathered(self, values: Tensor) -> Tensor:
        """Values of all devices, one after the other."""
        if self.trainer.world_size == 1:
            return values
        parts: list[Tensor] = [values] * self.trainer.world_size
        torch.distributed.all_gather_object(parts, values.cpu())  # parts may differ in length
        return torch.cat(parts)
