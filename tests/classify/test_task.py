"""Training at tiny size: it learns, stops at its budget, resumes exactly, and saves and loads."""

import csv
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback

from darklens.classify import ClassifierTask, TrainingConfig, build_network
from darklens.data import Augmentation, ImageDataset, LensDataModule, build_preprocessing
from darklens.errors import BadConfig, BadModel, TrainingFailed
from darklens.nn import (
    Budget,
    RunConfig,
    Stopped,
    StopSignals,
    best_weights,
    build_trainer,
    can_resume,
    fit,
)

NETWORK = {"name": "backbone", "backbone": "test_resnet", "dropout": 0.2}
STEPS = build_preprocessing([{"min_max": {}}])


TRAINING = TrainingConfig(average_decay=0.9, learning_rate=3e-3)
THREE_EPOCHS = Budget(epochs=3)
EACH_STEP = RunConfig(checkpoint_minutes=0.0)
TURNED = Augmentation()


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
    *,
    training: TrainingConfig = TRAINING,
    budget: Budget = THREE_EPOCHS,
    run_config: RunConfig = EACH_STEP,
    kill_after: int | None = None,
    report: Any = None,
    augmentation: Augmentation = TURNED,
    callback: Callback | None = None,
    stop: StopSignals | None = None,
) -> ClassifierTask:
    torch.manual_seed(0)
    task = ClassifierTask(build_network(NETWORK), training, budget=budget, seed=5)
    data = LensDataModule(
        dataset,
        STEPS,
        val=dataset,
        augmentation=augmentation,
        batch_size=4,
        seed=5,
        check_leaks=False,
    )
    trainer = build_trainer(
        folder,
        run_config,
        progress_bar=False,
        report=report,
        arguments={"max_epochs": budget.epochs or -1, "accelerator": "cpu"},
        stop=stop,
    )
    if kill_after is not None:
        trainer.callbacks.insert(0, KillAfter(kill_after))
    if callback is not None:
        trainer.callbacks.insert(0, callback)
    fit(trainer, task, data, folder, stop=stop)
    return task


def same(first: ClassifierTask, second: ClassifierTask) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_it_learns_one_small_set_by_heart(tmp_path: Path, dataset: ImageDataset) -> None:
    lines: list[str] = []
    task = run(
        tmp_path,
        dataset,
        budget=Budget(epochs=12),
        training=TrainingConfig(learning_rate=3e-3, average_decay=0.8),
        augmentation=Augmentation(flips=False, rotations=False),
        report=lines.append,
    )
    assert len(lines) == 12
    assert lines[-1].startswith("epoch 12: images 288, seconds ")
    assert float(task.trainer.callback_metrics["val_accuracy"]) >= 0.9
    assert float(task.trainer.callback_metrics["val_auc"]) >= 0.95
    assert (tmp_path / "metrics.csv").is_file()
    assert list((tmp_path / "tensorboard").glob("events*"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, dataset: ImageDataset) -> ClassifierTask:
    return run(tmp_path_factory.mktemp("whole"), dataset)


@pytest.mark.parametrize("killed", [1, 5, 6, 7, 11, 17])  # six steps an epoch
def test_a_killed_run_resumes_exactly(
    tmp_path: Path, dataset: ImageDataset, whole: ClassifierTask, killed: int
) -> None:
    with pytest.raises(Killed):
        run(tmp_path, dataset, kill_after=killed)
    resumed = run(tmp_path, dataset)
    assert same(resumed, whole)
    assert resumed.images_seen == whole.images_seen == 72
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    steps = [int(row["step"]) for row in csv.DictReader(rows) if row["val_loss"]]
    assert steps == [5, 11, 17]  # each validation once, whichever part of the run it was in


def test_a_budget_of_images_stops_within_an_epoch_and_is_validated(
    tmp_path: Path, dataset: ImageDataset
) -> None:
    task = run(tmp_path, dataset, budget=Budget(images=30))
    assert task.images_seen == 32
    assert "val_loss" in task.trainer.callback_metrics
    again = run(tmp_path, dataset, budget=Budget(images=30))
    assert again.images_seen == 32
    assert same(task, again)


def test_a_budget_of_time_ends_with_a_low_rate(tmp_path: Path, dataset: ImageDataset) -> None:
    task = run(tmp_path, dataset, budget=Budget(minutes=0.02))
    assert 1.2 <= task.seconds < 60
    assert task.trainer.optimizers[0].param_groups[0]["lr"] < 3e-3 / 2


def test_early_stopping(tmp_path: Path, dataset: ImageDataset) -> None:
    task = run(
        tmp_path,
        dataset,
        training=TrainingConfig(learning_rate=0.0, schedule="constant"),
        budget=Budget(epochs=9),
        run_config=RunConfig(patience=2, monitor="val_accuracy"),
    )
    assert task.current_epoch < 6


def test_best_weights_are_saved_and_loaded(tmp_path: Path, dataset: ImageDataset) -> None:
    assert best_weights(tmp_path) is None
    assert not can_resume(tmp_path)
    task = run(tmp_path, dataset, budget=Budget(epochs=1))
    assert can_resume(tmp_path)
    weights = best_weights(tmp_path)
    assert weights is not None
    fresh = ClassifierTask(
        build_network(NETWORK), TrainingConfig(average_decay=0.9), budget=Budget(epochs=1)
    )
    fresh.load_state_dict(dict(weights))
    images = torch.from_numpy(STEPS.batch(dataset.images([0, 1])))
    with torch.no_grad():
        expected = task.best_network.eval().logits(images)
        assert torch.equal(fresh.best_network.eval().logits(images), expected)


def test_a_damaged_or_foreign_checkpoint_is_refused(tmp_path: Path, dataset: ImageDataset) -> None:
    last = tmp_path / "checkpoints" / "last.ckpt"
    last.parent.mkdir()
    for content in (b"", b"cos\nsystem\n(S'echo pwned'\ntR."):
        last.write_bytes(content)
        with pytest.raises(BadModel, match="cannot resume"):
            run(tmp_path, dataset)
    torch.save({"state_dict": {"other": torch.zeros(1)}}, last)
    with pytest.raises(BadModel, match="cannot resume"):
        run(tmp_path, dataset)


def rare(dataset: ImageDataset) -> ImageDataset:
    """The images of two of the three classes."""
    return dataset.subset(np.flatnonzero(dataset.labels < 2))


def test_an_auc_that_is_not_defined_is_not_logged(tmp_path: Path, dataset: ImageDataset) -> None:
    lines: list[str] = []
    task = run(tmp_path, rare(dataset), budget=Budget(epochs=1), report=lines.append)
    assert "val_auc" not in task.trainer.callback_metrics
    assert "auc" not in lines[0]


class Spoil(Callback):
    """A loss that is NaN, or a step that leads to weights that are, from some step on."""

    def __init__(self, steps: int, what: str) -> None:
        self.steps, self.what = steps, what

    def on_train_batch_start(self, trainer: Any, task: Any, batch: Any, *rest: Any) -> None:
        if trainer.global_step == self.steps and self.what == "loss":
            batch[0].fill_(float("nan"))

    def on_train_batch_end(self, trainer: Any, task: Any, *rest: Any) -> None:
        if trainer.global_step == self.steps and self.what == "weights":
            with torch.no_grad():
                next(task.parameters()).fill_(float("inf"))


@pytest.mark.parametrize("what", ["loss", "weights"])
def test_a_run_that_diverges_keeps_its_last_good_checkpoint(
    tmp_path: Path, dataset: ImageDataset, what: str
) -> None:
    with pytest.raises(TrainingFailed, match=r"diverged.*learning-rate"):
        run(tmp_path, dataset, callback=Spoil(4, what))
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(bool(value.isfinite().all()) for value in state.values())


class Signal(Callback):
    """Sends a signal to the process, at one place of the run."""

    def __init__(self, number: int, hook: str, step: int) -> None:
        self.number, self.step = number, step
        setattr(self, hook, self.send)

    def send(self, trainer: Any, *rest: Any, **keywords: Any) -> None:
        if trainer.global_step >= self.step:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(
    ("hook", "step", "kept", "number", "code"),
    [
        ("setup", 0, None, signal.SIGTERM, 143),
        ("on_train_start", 0, None, signal.SIGINT, 130),
        ("on_train_batch_start", 3, 4, signal.SIGTERM, 143),  # the step is finished and saved
        ("on_before_optimizer_step", 3, 4, signal.SIGINT, 130),
        ("on_train_batch_end", 3, 3, signal.SIGTERM, 143),
        ("on_validation_start", 6, None, signal.SIGTERM, 143),
        ("on_validation_batch_end", 12, 6, signal.SIGINT, 130),
        ("on_train_epoch_end", 12, 12, signal.SIGTERM, 143),
        ("on_train_end", 18, 18, signal.SIGINT, 130),
    ],
)
def test_a_signal_ends_the_run_wherever_it_comes_and_the_run_resumes_exactly(
    tmp_path: Path,
    dataset: ImageDataset,
    whole: ClassifierTask,
    hook: str,
    step: int,
    kept: int | None,
    number: int,
    code: int,
) -> None:
    rarely = RunConfig(checkpoint_minutes=1e6)  # so that only epochs and signals save
    before = signal.signal(number, lambda *_: pytest.fail("nobody handled the signal"))
    try:
        with pytest.raises(Stopped) as stopped, StopSignals() as stop:
            run(
                tmp_path,
                dataset,
                run_config=rarely,
                callback=Signal(number, hook, step),
                stop=stop,
            )
    finally:
        signal.signal(number, before)
    assert stopped.value.code == code
    if kept is None:
        assert not can_resume(tmp_path)
        return
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == kept
    assert same(run(tmp_path, dataset), whole)


class Raise(Callback):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def on_train_batch_end(self, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == 4:
            raise self.error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate"), "--data.batch-size"),
        (RuntimeError("DataLoader worker (pid 7) is\nkilled by signal: Killed."), "pid 7"),
        (OSError(28, "No space left on device"), "No space left"),
    ],
)
def test_what_ends_a_training_early_is_reported_in_one_line(
    tmp_path: Path, dataset: ImageDataset, error: Exception, message: str
) -> None:
    with pytest.raises(TrainingFailed, match=message) as failed:
        run(tmp_path, dataset, callback=Raise(error))
    assert "--resume continues from the last checkpoint" in str(failed.value)
    assert "\n" not in str(failed.value)


def test_the_reference_schedule_restarts() -> None:
    config = TrainingConfig(
        learning_rate=3e-4, final_learning_rate=1e-6, schedule="cosine_restarts"
    )
    assert config.rate(progress=0.5, epoch=15) == pytest.approx(3e-4)
    assert config.rate(progress=0.5, epoch=14) < 1e-5
    assert TrainingConfig(schedule="constant").rate(progress=0.9, epoch=3) == 1e-3


@pytest.mark.parametrize(
    "wrong",
    [
        {"final_learning_rate": 1.0},
        {"warmup": 1.0},
        {"average_decay": 1.0},
        {"restart_epochs": 0},
        {"weight_decay": -1.0},
        {"weight_decay": float("nan")},
        {"learning_rate": float("inf")},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadConfig):
        TrainingConfig(**wrong)  # type: ignore[arg-type]


def test_a_run_needs_an_end() -> None:
    with pytest.raises(BadConfig, match="no limit"):
        ClassifierTask(build_network(NETWORK), TrainingConfig(), budget=Budget())


def test_biases_and_norms_have_no_weight_decay() -> None:
    config = TrainingConfig(optimiser="adam", weight_decay=0.1)
    task = ClassifierTask(build_network(NETWORK), config, budget=Budget(epochs=1))
    optimiser = task.configure_optimizers()
    assert isinstance(optimiser, torch.optim.Adam)
    decayed, others = optimiser.param_groups
    assert decayed["weight_decay"] == 0.1
    assert others["weight_decay"] == 0.0
    assert all(item.ndim > 1 for item in decayed["params"])
    count = sum(len(group["params"]) for group in optimiser.param_groups)
    assert count == len(list(task.network.parameters()))
    assert np.isfinite(count)
