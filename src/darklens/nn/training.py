"""Training code shared by all networks: optimiser, learning rate, budget, averaging.

The task counts images and time itself, because they define its learning rate and its end, and
because they are part of a checkpoint.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from darklens.errors import BadConfig, TrainingFailed
from darklens.nn.averaging import MovingAverage
from darklens.nn.freezing import keep_frozen
from darklens.nn.schedule import Budget, cosine_restarts, one_cycle

__all__ = ["BudgetedTask", "OptimiserConfig"]


@dataclass(frozen=True)
class OptimiserConfig:
    """How the weights are optimised.

    Attributes:
        optimiser: `adam` or `adamw`.
        learning_rate: Peak learning rate.
        final_learning_rate: Lowest learning rate.
        weight_decay: Weight decay; not applied to biases and norms.
        schedule: One cycle over the whole run, cosine restarts, or a constant rate.
        warmup: Fraction of the run in which a one-cycle schedule rises.
        restart_epochs: Period of the cosine restarts [epochs].
        average_decay: Decay of the moving average of the weights, which is validated and exported;
            0 means no average.
        compile: Whether to compile the network with `torch.compile`.
    """

    optimiser: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = 1e-3
    final_learning_rate: float = 0.0
    weight_decay: float = 0.05
    schedule: Literal["one_cycle", "cosine_restarts", "constant"] = "one_cycle"
    warmup: float = 0.1
    restart_epochs: int = 15
    average_decay: float = 0.0
    compile: bool = False

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not 0 <= self.final_learning_rate <= self.learning_rate < math.inf:
            raise BadConfig("final_learning_rate must lie between 0 and learning_rate")
        if not (0 <= self.warmup < 1 and 0 <= self.average_decay < 1):
            raise BadConfig("warmup and average_decay must be at least 0 and below 1")
        if self.restart_epochs < 1 or not 0 <= self.weight_decay < math.inf:
            raise BadConfig("restart_epochs must be at least 1 and weight_decay at least 0")

    def rate(self, *, progress: float, epoch: int) -> float:
        """Learning rate at a given point of the run."""
        factor = 1.0
        if self.schedule == "one_cycle":
            factor = one_cycle(progress, warmup=self.warmup)
        elif self.schedule == "cosine_restarts":
            factor = cosine_restarts(epoch, period=self.restart_epochs)
        span = self.learning_rate - self.final_learning_rate
        return self.final_learning_rate + factor * span


class BudgetedTask(LightningModule):
    """Training of a network until its budget is used up.

    Randomness within a step (dropout, noise) depends only on the seed and the step, so a resumed
    run continues as if it had never stopped. Subclasses define the loss and the validation; their
    training step ends with `count_images`.

    Args:
        network: The network to train, in place.
        config: How its weights are optimised.
        budget: When training ends.
        seed: Seed of the randomness.
        seconds: Time spent on preparing the network, counted as training [s].
        frozen: Parts of the network that are not trained, from `freeze_up_to`.

    Attributes:
        METRICS: Names of the validation metrics.
        images_seen: Number of training images so far, over all devices.

    Raises:
        BadConfig: If the budget has no limit.
    """

    METRICS: ClassVar[tuple[str, ...]] = ("val_loss",)

    def __init__(
        self,
        network: nn.Module,
        config: OptimiserConfig,
        *,
        budget: Budget,
        seed: int = 0,
        seconds: float = 0.0,
        frozen: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__()
        budget.check_ends()
        self.network = network
        decay = config.average_decay
        self.average = MovingAverage(network, decay=decay) if decay else None
        self.optimiser_config = config
        self.budget = budget
        self.seed = seed
        self.images_seen = 0
        self._frozen = tuple(frozen)
        self._seconds_before = seconds
        self._started: float | None = None
        if config.compile:
            network.compile()  # in place: keeps the names of the weights

    @property
    def followed_network(self) -> nn.Module:
        """The network that is validated and exported: the averaged one, if there is one."""
        return self.network if self.average is None else self.average.network

    @property
    def seconds(self) -> float:
        """Wall time of training so far, over all resumed parts [s]."""
        running = 0.0 if self._started is None else time.monotonic() - self._started
        return self._seconds_before + running

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimiser; the learning rate is set before each step."""
        config = self.optimiser_config
        parameters = [item for item in self.network.parameters() if item.requires_grad]
        groups = [
            {
                "params": [item for item in parameters if item.ndim > 1],
                "weight_decay": config.weight_decay,
            },
            {"params": [item for item in parameters if item.ndim <= 1], "weight_decay": 0.0},
        ]
        if config.optimiser == "adam":
            return torch.optim.Adam(groups, lr=config.learning_rate)
        return torch.optim.AdamW(groups, lr=config.learning_rate)

    def on_train_start(self) -> None:
        """Start the clock; a finished run that is resumed has nothing to do."""
        self._started = time.monotonic()
        self._stop_when_done()

    def on_train_end(self) -> None:
        """Stop the clock."""
        self._seconds_before, self._started = self.seconds, None

    def on_train_batch_start(self, batch: Sequence[Tensor], batch_idx: int) -> None:
        """Set the learning rate and the random state of this step."""
        batches = self.trainer.num_training_batches
        epochs = self.current_epoch + (0.0 if batches == float("inf") else batch_idx / batches)
        progress = self.budget.progress(
            images=self.images_seen, epochs=epochs, seconds=self._shared_seconds()
        )
        rate = self.optimiser_config.rate(progress=progress, epoch=self.current_epoch)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate
        keep_frozen(self._frozen)
        step = self.global_step * self.trainer.world_size + self.global_rank
        torch.manual_seed(self.seed * 1_000_003 + step)

    def optimizer_step(self, *arguments: Any, **keywords: Any) -> None:
        """One step of the optimiser, then of the moving average."""
        super().optimizer_step(*arguments, **keywords)
        if self.average is not None:
            self.average.update(self.network)

    def count_images(self, count: int, loss: Tensor) -> None:
        """Count the images of one training step, log its loss, and end the run if it is due.

        Raises:
            TrainingFailed: If the loss is not a finite number.
        """
        if loss.device.type == "cpu":  # on other devices the weights are checked before saving
            self.check_finite(float(loss.detach()), "loss")
        self.images_seen += count * self.trainer.world_size
        self.log("train_loss", loss, prog_bar=True)
        self.log("learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"])
        self._stop_when_done()

    def log_validation(self, metrics: dict[str, float]) -> None:
        """Log the metrics of a validation with the current counts.

        Undefined metrics are left out.

        Raises:
            TrainingFailed: If the loss is not a finite number.
        """
        self.check_finite(metrics["val_loss"], "validation loss")
        metrics = {name: value for name, value in metrics.items() if math.isfinite(value)}
        self.log_dict(metrics, prog_bar=True)
        self.log_dict({"images": float(self.images_seen), "seconds": self.seconds})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the counts with the weights."""
        checkpoint["counts"] = {"images": self.images_seen, "seconds": self.seconds}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the counts."""
        self.images_seen = checkpoint["counts"]["images"]
        self._seconds_before = checkpoint["counts"]["seconds"]

    def gathered(self, values: Tensor) -> Tensor:
        """Values of all devices, concatenated."""
        if self.trainer.world_size == 1:
            return values
        parts: list[Tensor] = [values] * self.trainer.world_size
        torch.distributed.all_gather_object(parts, values.cpu())  # lengths may differ
        return torch.cat(parts)

    def check_finite(self, value: float, name: str) -> None:
        """Stop before a non-finite number reaches the weights or a checkpoint.

        Raises:
            TrainingFailed: If it is not finite.
        """
        if not math.isfinite(value):
            raise TrainingFailed(
                f"the training diverged: the {name} is {value} after {self.images_seen} images; "
                "no checkpoint holds this state. Lower --training.learning-rate, or limit the "
                "gradients with --trainer.gradient-clip-val 1"
            )

    def _stop_when_done(self) -> None:
        """End the training if its images or its time are used up."""
        seconds = self._shared_seconds()
        if self.budget.progress(images=self.images_seen, epochs=0.0, seconds=seconds) >= 1:
            self.trainer.should_stop = True

    def _shared_seconds(self) -> float:
        """The clock of the first device, so that all stop at the same step."""
        if self.trainer.world_size == 1 or self.budget.minutes is None:
            return self.seconds
        return float(self.trainer.strategy.broadcast(self.seconds))
