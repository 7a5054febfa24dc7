"""Training at tiny size: it learns, resumes exactly, draws previews that change nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback

from darklens.data import Augmentation, ImageDataset, LensDataModule, build_preprocessing
from darklens.diffusion import GeneratorNetwork, GeneratorTask, Previews, build_generator
from darklens.nn import Budget, OptimiserConfig, RunConfig, build_trainer, fit

Examples = Callable[[GeneratorNetwork, np.ndarray], torch.Tensor]
AS_THEY_ARE = Augmentation(flips=False, rotations=False)
TRAINING = OptimiserConfig(learning_rate=3e-3, average_decay=0.9, weight_decay=0.0)


class Killed(Exception):
    """Stands for the end of the process."""


class KillAfter(Callback):
    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_train_batch_start(self, trainer: Any, *arguments: Any) -> None:
        if trainer.global_step == self.steps:
            raise Killed


def run(
    folder: Path,
    dataset: ImageDataset,
    spec: dict[str, Any],
    examples: Examples,
    *,
    epochs: int = 2,
    callbacks: tuple[Callback, ...] = (),
) -> GeneratorTask:
    torch.manual_seed(0)
    budget = Budget(epochs=epochs)
    network = build_generator(spec)
    values = examples(network, dataset.images()).numpy()
    if values.ndim == 2:
        dataset = ImageDataset.from_arrays(
            values[:, :, None, None], dataset.labels, classes=dataset.classes
        )
    task = GeneratorTask(network, TRAINING, budget=budget, seed=5)
    data = LensDataModule(
        dataset,
        build_preprocessing([]),
        val=dataset,
        augmentation=AS_THEY_ARE,
        batch_size=4,
        seed=5,
        check_leaks=False,
    )
    trainer = build_trainer(
        folder,
        RunConfig(checkpoint_minutes=0.0, monitor="val_loss", mode="min"),
        progress_bar=False,
        report=None,
        arguments={"max_epochs": epochs, "accelerator": "cpu", "gradient_clip_val": 1.0},
        callbacks=callbacks,
    )
    fit(trainer, task, data, folder)
    return task


def same(first: GeneratorTask, second: GeneratorTask) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_it_learns_one_batch_by_heart(
    spec: dict[str, Any], dataset: ImageDataset, examples: Examples
) -> None:
    torch.manual_seed(0)
    network = build_generator(spec | {"conditional": True})
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    images, labels = examples(network, dataset.images()), torch.from_numpy(dataset.labels)
    losses = []
    for _ in range(120):
        loss = network.loss(images, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-20:]) < 0.6 * sum(losses[:20])


def test_a_killed_run_resumes_exactly_and_previews_change_nothing(
    tmp_path: Path, spec: dict[str, Any], dataset: ImageDataset, examples: Examples
) -> None:
    drawn = []

    def draw(network: GeneratorNetwork, epochs: int) -> None:
        assert not network.training
        drawn.append((epochs, float(torch.rand(()))))

    whole = run(
        tmp_path / "whole", dataset, spec, examples, callbacks=(Previews(draw, every_epochs=2),)
    )
    assert [epochs for epochs, _ in drawn] == [2]
    with pytest.raises(Killed):
        run(tmp_path / "killed", dataset, spec, examples, callbacks=(KillAfter(4),))
    resumed = run(tmp_path / "killed", dataset, spec, examples)
    assert same(resumed, whole)
    assert resumed.images_seen == whole.images_seen == 24
    metrics = whole.trainer.callback_metrics
    assert metrics["val_loss"] == resumed.trainer.callback_metrics["val_loss"]
    assert whole.best_network is not whole.network
