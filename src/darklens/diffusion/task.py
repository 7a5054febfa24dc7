"""Training and validation steps of a generator, as a Lightning module."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from darklens.diffusion.base import GeneratorNetwork
from darklens.nn import BudgetedTask

__all__ = ["GeneratorTask", "Previews"]


class GeneratorTask(BudgetedTask):
    """Training of a generator network with its own loss; see `BudgetedTask` for the arguments.

    The validation loss is that of the averaged network, with the same noise each time.
    """

    _sums: tuple[float, int] = (0.0, 0)

    @property
    def best_network(self) -> GeneratorNetwork:
        """The network that is validated and exported: the averaged one, if there is one."""
        network = self.followed_network
        assert isinstance(network, GeneratorNetwork)
        return network

    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> Tensor:
        """Loss of one batch."""
        images, labels = batch
        assert isinstance(self.network, GeneratorNetwork)
        loss = self.network.loss(images, labels)
        self.count_images(len(images), loss)
        return loss

    def validation_step(self, batch: Sequence[Tensor], batch_idx: int) -> None:
        """Accumulate the loss of one batch."""
        images, labels = batch
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(batch_idx)
            loss = float(self.best_network.loss(images, labels))
        total, count = self._sums
        self._sums = (total + loss * len(images), count + len(images))

    def on_validation_epoch_end(self) -> None:
        """Log the mean loss over the whole validation set."""
        sums = self.gathered(torch.tensor([self._sums], dtype=torch.float64)).sum(0)
        self._sums = (0.0, 0)
        self.log_validation({"val_loss": float(sums[0] / sums[1])})


class Previews(Callback):
    """Requests preview images from the network every few epochs.

    Args:
        draw: Takes the network, in evaluation mode, and the number of epochs done.
        every_epochs: Epochs between two pictures.
    """

    def __init__(self, draw: Any, *, every_epochs: int) -> None:
        self.draw = draw
        self.every_epochs = every_epochs

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw if it is time; the randomness of the training is left as it is."""
        epochs = trainer.current_epoch + 1
        if epochs % self.every_epochs or not trainer.is_global_zero:
            return
        assert isinstance(pl_module, GeneratorTask)
        network = pl_module.best_network
        was_training = network.training
        network.eval()
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            self.draw(network, epochs)
        network.train(was_training)
