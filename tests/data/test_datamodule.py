"""Batches follow from the seed alone; a stopped training goes on with exactly the rest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from darklens.data import (
    Augmentation,
    ImageDataset,
    LensDataModule,
    StoreWriter,
    build_preprocessing,
    open_dataset,
)
from darklens.data.batches import BatchOrder, PreparedImages, ShuffledBatches
from darklens.errors import BadConfig, BadData

CLASSES = ("no", "sphere", "vort")
MIN_MAX = build_preprocessing([{"min_max": {}}])

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*GPU available"),
    pytest.mark.filterwarnings("ignore:.*Checkpoint directory"),
    pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
    pytest.mark.filterwarnings("ignore:The dirpath has changed"),
]


def image_of(number: int) -> np.ndarray:
    return np.random.default_rng(number).random((1, 6, 6))


def fresh(start: int, stride: int) -> Iterator[tuple[np.ndarray, int]]:
    number = start
    while True:
        yield image_of(number), number % 3
        number += stride


def dataset(start: int, stop: int) -> ImageDataset:
    images = np.stack([image_of(i) for i in range(start, stop)])
    return ImageDataset.from_arrays(images, np.arange(start, stop) % 3, classes=CLASSES)


def module(train: Any = None, **options: Any) -> LensDataModule:
    settings = {"batch_size": 8, "images_per_epoch": 40, "seed": 5} | options
    return LensDataModule(train or dataset(0, 44), MIN_MAX, val=dataset(100, 110), **settings)


def batches(data: LensDataModule) -> list[tuple[torch.Tensor, torch.Tensor]]:
    data.setup("fit")
    return list(data.train_dataloader())


def same(first: Any, second: Any) -> bool:
    pairs = list(zip(first, second, strict=True))
    return all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in pairs)


@pytest.mark.parametrize("train", [None, fresh])
def test_batches_do_not_depend_on_workers_or_memory(train: Any) -> None:
    expected = batches(module(train))
    assert len(expected) == 5
    assert expected[0][0].shape == (8, 1, 6, 6)
    assert (expected[0][0].dtype, expected[0][1].dtype) == (torch.float32, torch.int64)
    assert same(expected, batches(module(train, workers=2)))
    assert same(expected, batches(module(train, cache_gigabytes=0)))
    assert not same(expected, batches(module(train, seed=6)))


def test_an_epoch_has_each_image_at_most_once_and_labels_that_fit() -> None:
    plain = Augmentation(flips=False, rotations=False)
    known = {MIN_MAX(image_of(i)).tobytes(): i for i in range(44)}
    seen = []
    for images, labels in batches(module(augmentation=plain)):
        numbers = [known[image.numpy().tobytes()] for image in images]
        assert [i % 3 for i in numbers] == labels.tolist()
        seen += numbers
    assert len(set(seen)) == len(seen) == 40


def test_epochs_have_different_orders_and_augmentations() -> None:
    images = PreparedImages(dataset(0, 16), MIN_MAX, memory=1e9)
    numbered = ShuffledBatches(images, Augmentation(), batch_size=8, seed=0)
    assert not torch.equal(numbered[0][0], numbered[2][0])
    sums = [torch.cat([numbered[i][0], numbered[i + 1][0]]).sum(dim=(1, 2, 3)) for i in (0, 2)]
    np.testing.assert_allclose(sums[0].sort().values, sums[1].sort().values, rtol=1e-5)


def test_a_store_beyond_the_memory_is_shuffled_in_runs(tmp_path: Path) -> None:
    images = dataset(0, 44)
    writer = StoreWriter(tmp_path / "s", shape=(1, 6, 6), dtype=float, count=44, classes=CLASSES)
    writer.write(0, images.images(), images.labels, pd.DataFrame(index=range(44)))
    stored = open_dataset(writer.finish())
    plain = Augmentation(flips=False, rotations=False)
    known = {MIN_MAX(image_of(i)).tobytes(): i for i in range(44)}
    data = module(stored, augmentation=plain, cache_gigabytes=0, batch_size=11)
    read = torch.cat([images for images, _ in batches(data)])
    numbers = np.array([known[image.numpy().tobytes()] for image in read])
    assert sorted(numbers) == list(range(44))
    assert 0 < (np.diff(numbers) != 1).sum() <= 2
    kept = torch.cat([images for images, _ in batches(module(stored, batch_size=11))])
    assert len(torch.unique(kept, dim=0)) == 44


def test_fresh_images_continue_through_the_epochs() -> None:
    data = module(fresh, augmentation=Augmentation(flips=False, rotations=False))
    first = batches(data)
    data.load_state_dict(data.state_dict() | {"seen": 5})
    second = batches(data)
    expected = [MIN_MAX(image_of(i)) for i in range(80)]
    images = torch.cat([images for images, _ in first + second])
    np.testing.assert_array_equal(images, np.stack(expected))


def test_small_sets_make_one_batch() -> None:
    assert [len(labels) for _, labels in batches(module(dataset(0, 3)))] == [3]


def test_validation_images_are_not_changed() -> None:
    data = LensDataModule(
        dataset(0, 8), MIN_MAX, val=dataset(100, 110), test=dataset(20, 23), batch_size=4
    )
    data.setup("fit")
    data.setup("test")
    loader = data.val_dataloader()
    assert len(loader) == 3
    images = torch.cat([images for images, _ in loader])
    np.testing.assert_array_equal(images, MIN_MAX.batch(dataset(100, 110).images()))
    assert [len(labels) for _, labels in data.test_dataloader()] == [3]
    without = LensDataModule(dataset(0, 8), MIN_MAX)
    without.setup("validate")
    assert without.val_dataloader() == []


def test_processes_share_the_batches() -> None:
    images = PreparedImages(dataset(0, 44), MIN_MAX, memory=0)
    numbered = ShuffledBatches(images, Augmentation(), batch_size=8, seed=0)
    orders = [list(BatchOrder(numbered, lambda: 2, num_replicas=2, rank=r)) for r in (0, 1)]
    assert orders == [[4, 6], [5, 7]]


def test_labels_are_aligned_and_other_classes_refused() -> None:
    val = ImageDataset.from_arrays(dataset(0, 2).images(), np.array([0, 1]), classes=("no", "vort"))
    data = LensDataModule(dataset(10, 20), MIN_MAX, val=val)
    data.setup("validate")
    assert next(iter(data.val_dataloader()))[1].tolist() == [0, 2]
    other = ImageDataset.from_arrays(dataset(0, 1).images(), np.array([0]), classes=("sub",))
    with pytest.raises(BadData, match="'sub'"):
        LensDataModule(dataset(10, 20), MIN_MAX, val=other)
    with pytest.raises(BadData, match="no images"):
        LensDataModule(dataset(10, 20), MIN_MAX, val=val.subset([]))


def test_leaks_stop_the_training() -> None:
    leaky = LensDataModule(dataset(0, 20), MIN_MAX, val=dataset(19, 25))
    with pytest.raises(BadData, match="00000019 in train is the same as 00000000 in val"):
        leaky.setup("fit")
    LensDataModule(dataset(0, 20), MIN_MAX, val=dataset(19, 25), check_leaks=False).setup("fit")


def test_wrong_numbers() -> None:
    with pytest.raises(BadConfig, match="batch_size"):
        module(batch_size=0)
    with pytest.raises(BadConfig, match="started with seed 5"):
        module(seed=6).load_state_dict(module().state_dict())


class Recorder(lightning.LightningModule):
    """A tiny network that remembers what it was trained on."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = torch.nn.Linear(36, 3)
        self.trained_on: list[tuple[torch.Tensor, torch.Tensor]] = []

    def training_step(self, batch: Any, _: int) -> torch.Tensor:
        self.trained_on.append(batch)
        return torch.nn.functional.cross_entropy(self.network(batch[0].flatten(1)), batch[1])

    def validation_step(self, batch: Any, _: int) -> None:
        assert len(batch[0]) == len(batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 0.01)


def train(data: LensDataModule, folder: Path, resume: Path | None = None) -> Recorder:
    recorder = Recorder()
    checkpoints = ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1)
    trainer = lightning.Trainer(
        accelerator="cpu",
        callbacks=[checkpoints],
        enable_model_summary=False,
        enable_progress_bar=False,
        logger=False,
        max_steps=13,
    )
    trainer.fit(recorder, data, ckpt_path=resume)
    return recorder


@pytest.mark.parametrize(
    ("source", "steps", "workers"), [(None, 3, 0), (fresh, 5, 0), (fresh, 7, 2)]
)
def test_a_stopped_training_goes_on_exactly(
    tmp_path: Path, source: Any, steps: int, workers: int
) -> None:
    whole = train(module(source), tmp_path / "a")
    checkpoint = tmp_path / "a" / f"step={steps}.ckpt"
    rest = train(module(source, workers=workers), tmp_path / "b", resume=checkpoint)
    assert len(whole.trained_on) == 13
    assert same(rest.trained_on, whole.trained_on[steps:])
    assert torch.equal(rest.network.weight, whole.network.weight)
