"""Training and evaluation batches by index.

A batch is a pure function of the seed and its number, counted over all epochs. Workers therefore
need no state, the batches do not depend on the number of workers, and a resumed run restores the
counter and continues with exactly the batches that remain.
"""

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float32, Int64, Shaped
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from darklens.data.augmentation import Augmentation
from darklens.data.datasets import ImageDataset
from darklens.data.preprocessing import Preprocessing

__all__ = [
    "Batch",
    "BatchOrder",
    "FixedBatches",
    "FreshBatches",
    "FreshImages",
    "PreparedImages",
    "ShareOfBatches",
    "ShuffledBatches",
]

Batch = tuple[Float32[Tensor, "n c h w"], Int64[Tensor, " n"]]
FreshImages = Callable[[int, int], Iterator[tuple[Shaped[np.ndarray, "c h w"], int]]]
"""`fresh(start, stride)` gives images `start`, `start + stride`, ... with labels, endlessly."""

_READ_AT_ONCE = 256
_ORDER, _AUGMENTATION = 0, 1  # separate the random streams of one seed


class PreparedImages:
    """The images of a data set after preprocessing, kept in memory if they fit.

    Args:
        dataset: The images.
        preprocessing: What the network's card declares.
        memory: Memory available to keep them [byte].

    Attributes:
        labels: Class of each image.
        memory: Memory in use [byte].
        together: Number of consecutive images best read together; 1 when they are in memory.
    """

    def __init__(self, dataset: ImageDataset, preprocessing: Preprocessing, memory: float) -> None:
        self._dataset: ImageDataset | None = dataset
        self.labels = torch.from_numpy(dataset.labels)
        self._preprocessing = preprocessing
        self._kept: Tensor | None = None
        one = preprocessing.batch(dataset.images([0]))
        self.memory = one.nbytes * len(dataset)
        self.together = 1
        if self.memory <= memory:
            self._kept = self._prepare_all(dataset, one.shape[1:])
            self._dataset = None  # worker processes need no second copy of the images
        else:
            self.memory = 0
            self.together = dataset.together

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, positions: Int64[np.ndarray, " n"]) -> Float32[Tensor, "n c h w"]:
        """The prepared images at these positions."""
        if self._kept is not None:
            return self._kept[torch.from_numpy(positions)]
        assert self._dataset is not None
        return torch.from_numpy(self._preprocessing.batch(self._dataset.images(positions)))

    def _prepare_all(self, dataset: ImageDataset, shape: tuple[int, ...]) -> Tensor:
        n = len(self)
        kept = torch.empty((n, *shape))
        for start in range(0, n, _READ_AT_ONCE):
            positions = np.arange(start, min(start + _READ_AT_ONCE, n))
            images = self._preprocessing.batch(dataset.images(positions))
            kept[start : start + len(images)] = torch.from_numpy(images)
        return kept


class ShuffledBatches(Dataset[Batch]):
    """Training batches of a data set: a new order in each epoch, whole batches only.

    If a store is too large for memory, its images are read in runs of consecutive images and the
    order of the runs is shuffled. Consecutive images of a store are of different classes, and
    reading them one by one takes ten times as long.
    """

    def __init__(
        self, images: PreparedImages, augmentation: Augmentation, *, batch_size: int, seed: int
    ) -> None:
        self._images = images
        self._augmentation = augmentation
        self._batch_size = min(batch_size, len(images))
        self._seed = seed
        self._order: tuple[int, Int64[np.ndarray, " n"]] | None = None

    def __len__(self) -> int:
        return len(self._images) // self._batch_size

    def __getitem__(self, number: int) -> Batch:
        epoch, place = divmod(number, len(self))
        chosen = self._epoch_order(epoch)[place * self._batch_size :][: self._batch_size]
        images = self._images.read(chosen)
        labels = self._images.labels[torch.from_numpy(chosen)]
        return self._augmentation(images, _torch_generator(self._seed, number)), labels

    def _epoch_order(self, epoch: int) -> Int64[np.ndarray, " n"]:
        if self._order is None or self._order[0] != epoch:
            generator = np.random.default_rng([self._seed, _ORDER, epoch])
            n, run = len(self._images), self._images.together
            starts = run * generator.permutation(-(-n // run))
            order = (starts[:, None] + np.arange(run)).ravel()
            self._order = (epoch, order[order < n])
        return self._order[1]


class FreshBatches(Dataset[Batch]):
    """Training batches of fresh images: batch `b` starts at image `b * batch_size`."""

    def __init__(
        self,
        fresh: FreshImages,
        preprocessing: Preprocessing,
        augmentation: Augmentation,
        *,
        batch_size: int,
        images_per_epoch: int,
        seed: int,
    ) -> None:
        self._fresh = fresh
        self._preprocessing = preprocessing
        self._augmentation = augmentation
        self._batch_size = batch_size
        self._count = max(1, images_per_epoch // batch_size)
        self._seed = seed

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Batch:
        pairs = list(islice(self._fresh(number * self._batch_size, 1), self._batch_size))
        raw = np.stack([image for image, _ in pairs])
        images = torch.from_numpy(self._preprocessing.batch(raw))
        labels = torch.tensor([label for _, label in pairs], dtype=torch.int64)
        return self._augmentation(images, _torch_generator(self._seed, number)), labels


class FixedBatches(Dataset[Batch]):
    """Batches of a data set in order, without augmentation; the last may be shorter."""

    def __init__(self, images: PreparedImages, *, batch_size: int) -> None:
        self._images = images
        self._batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self._images) // self._batch_size)

    def __getitem__(self, number: int) -> Batch:
        start = number * self._batch_size
        chosen = np.arange(start, min(start + self._batch_size, len(self._images)))
        return self._images.read(chosen), self._images.labels[torch.from_numpy(chosen)]


class BatchOrder(DistributedSampler[int]):
    """The numbers of the batches of one epoch, starting from the next one in training.

    It is a `DistributedSampler` so that Lightning leaves it in place: process `rank` of
    `num_replicas` takes every `num_replicas`-th batch.

    Args:
        batches: The training batches.
        next_batch: Returns the number of batches each process has trained on so far.
        num_replicas: Number of training processes.
        rank: Number of this process.
    """

    def __init__(
        self,
        batches: ShuffledBatches | FreshBatches,
        next_batch: Callable[[], int],
        *,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        super().__init__(batches, num_replicas=num_replicas, rank=rank, shuffle=False)
        self._next_batch = next_batch
        self._count = max(1, len(batches) // num_replicas)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        start = self._next_batch()
        for step in range(start, start + self._count):
            yield step * self.num_replicas + self.rank


class ShareOfBatches(DistributedSampler[int]):
    """The numbers of the batches that one of several processes evaluates, none of them twice.

    PyTorch's own sampler repeats batches until all processes have equally many, and a metric would
    count their images twice. It does so here only if there are fewer batches than processes.

    Args:
        batches: The batches.
        num_replicas: Number of processes.
        rank: Number of this process.
    """

    def __init__(self, batches: FixedBatches, *, num_replicas: int, rank: int) -> None:
        super().__init__(batches, num_replicas=num_replicas, rank=rank, shuffle=False)
        self._numbers = list(range(rank, len(batches), num_replicas)) or [0]

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)


def _torch_generator(seed: int, number: int) -> torch.Generator:
    state = np.random.SeedSequence([seed, _AUGMENTATION, number]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> 1))
