"""Training, validation and test batches for Lightning."""

from collections.abc import Sequence

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from darklens.data.augmentation import Augmentation
from darklens.data.batches import (
    Batch,
    BatchOrder,
    FixedBatches,
    FreshBatches,
    FreshImages,
    PreparedImages,
    ShareOfBatches,
    ShuffledBatches,
)
from darklens.data.datasets import ImageDataset
from darklens.data.preprocessing import Preprocessing
from darklens.data.splits import check_disjoint
from darklens.errors import BadConfig, BadData

__all__ = ["FreshImages", "LensDataModule"]

_ENDLESS = 2**40


class LensDataModule(lightning.LightningDataModule):
    """Preprocessed and augmented batches `(images, labels)` from data sets or fresh images.

    The batches depend on the seed alone, not on the number of workers, and a resumed run continues
    with those that remain.

    Args:
        train: The training set, or a function that yields fresh images endlessly.
        preprocessing: What the network's card declares.
        val: The set used for model selection.
        test: The set scored at the end.
        augmentation: Augmentation of the training images.
        batch_size: Images in a batch.
        workers: Worker processes that make batches; with 0 the training process makes them.
        seed: Seed of the order and the augmentation.
        images_per_epoch: Length of an epoch of fresh images; without it only the trainer's
            `limit_train_batches` ends an epoch.
        cache_gigabytes: Memory available for preprocessed images [GB]; sets that do not fit are
            read and preprocessed batch by batch.
        check_leaks: Check before training that no two sets share an image.

    Raises:
        BadConfig: If `batch_size` or `workers` is out of range.
        BadData: If a set is empty or has a class that the first set lacks.
    """

    def __init__(
        self,
        train: ImageDataset | FreshImages,
        preprocessing: Preprocessing,
        *,
        val: ImageDataset | None = None,
        test: ImageDataset | None = None,
        augmentation: Augmentation | None = None,
        batch_size: int = 32,
        workers: int = 0,
        seed: int = 0,
        images_per_epoch: int | None = None,
        cache_gigabytes: float = 4.0,
        check_leaks: bool = True,
    ) -> None:
        super().__init__()
        if batch_size < 1 or workers < 0:
            raise BadConfig("batch_size must be at least 1 and workers at least 0")
        sets = {"train": train, "val": val, "test": test}
        self._sets = _same_classes({k: d for k, d in sets.items() if isinstance(d, ImageDataset)})
        self._fresh = None if isinstance(train, ImageDataset) else train
        self._preprocessing = preprocessing
        self._augmentation = augmentation or Augmentation()
        self._batch_size = batch_size
        self._workers = workers
        self._seed = seed
        self._images_per_epoch = images_per_epoch or _ENDLESS
        self._memory = cache_gigabytes * 2**30
        self._check_leaks = check_leaks
        self._prepared: dict[str, PreparedImages] = {}
        self._seen = 0

    def setup(self, stage: str) -> None:
        """Check for leaks and preprocess the sets needed in this stage."""
        if stage == "fit" and self._check_leaks and "train" in self._sets:
            check_disjoint(self._sets)
            self._check_leaks = False
        for name in {"fit": ("val", "train"), "validate": ("val",)}.get(stage, ("test",)):
            if name in self._sets and name not in self._prepared:
                left = self._memory - sum(images.memory for images in self._prepared.values())
                prepared = PreparedImages(self._sets[name], self._preprocessing, left)
                self._prepared[name] = prepared

    def train_dataloader(self) -> "DataLoader[Batch]":
        """Training batches, starting from the next one."""
        batches = self._train_batches()
        trainer = self.trainer
        order = BatchOrder(
            batches,
            lambda: self._seen,
            num_replicas=trainer.world_size if trainer else 1,
            rank=trainer.global_rank if trainer else 0,
        )
        return self._loader(batches, order)

    def val_dataloader(self) -> "DataLoader[Batch] | list[DataLoader[Batch]]":
        """Batches of the validation set in order; none if there is no such set."""
        return self._fixed_loader("val")

    def test_dataloader(self) -> "DataLoader[Batch] | list[DataLoader[Batch]]":
        """Batches of the test set in order; none if there is no such set."""
        return self._fixed_loader("test")

    def on_after_batch_transfer(
        self, batch: Sequence[Tensor], dataloader_idx: int
    ) -> Sequence[Tensor]:
        """Count the batches used for training."""
        if self.trainer is not None and self.trainer.training:
            self._seen += 1
        return batch

    def state_dict(self) -> dict[str, int]:
        """The state saved in a checkpoint to continue with the remaining batches."""
        return {"seen": self._seen, "batch_size": self._batch_size, "seed": self._seed}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Continue from a checkpoint.

        Raises:
            BadConfig: If the checkpoint has another batch size or seed.
        """
        for name in ("batch_size", "seed"):
            if state_dict[name] != self.state_dict()[name]:
                raise BadConfig(
                    f"the run was started with {name} {state_dict[name]};"
                    f" it cannot be resumed with {self.state_dict()[name]}"
                )
        self._seen = state_dict["seen"]

    def _train_batches(self) -> ShuffledBatches | FreshBatches:
        if self._fresh is None:
            return ShuffledBatches(
                self._prepared["train"],
                self._augmentation,
                batch_size=self._batch_size,
                seed=self._seed,
            )
        return FreshBatches(
            self._fresh,
            self._preprocessing,
            self._augmentation,
            batch_size=self._batch_size,
            images_per_epoch=self._images_per_epoch,
            seed=self._seed,
        )

    def _fixed_loader(self, name: str) -> "DataLoader[Batch] | list[DataLoader[Batch]]":
        if name not in self._prepared:
            return []
        batches = FixedBatches(self._prepared[name], batch_size=self._batch_size)
        trainer = self.trainer
        if trainer is None or trainer.world_size == 1:
            return self._loader(batches, None)
        share = ShareOfBatches(batches, num_replicas=trainer.world_size, rank=trainer.global_rank)
        return self._loader(batches, share)

    def _loader(
        self,
        batches: ShuffledBatches | FreshBatches | FixedBatches,
        order: BatchOrder | ShareOfBatches | None,
    ) -> "DataLoader[Batch]":
        return DataLoader(
            batches,
            batch_size=None,  # an item is a whole batch already
            sampler=order,
            num_workers=self._workers,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self._workers > 0,
        )


def _same_classes(sets: dict[str, ImageDataset]) -> dict[str, ImageDataset]:
    """The sets with their labels renumbered to the classes of the first one."""
    for name, dataset in sets.items():
        if len(dataset) == 0:
            raise BadData(f"the set {name} has no images")
    classes = next((dataset.classes for dataset in sets.values()), ())
    return {name: dataset.with_classes(classes) for name, dataset in sets.items()}
