"""Whatever goes to a worker process can be pickled, however these processes are started.

On macOS and Windows they are spawned, from Python 3.14 on they come from a fork server; neither
inherits anything.
"""

import multiprocessing
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from darklens.data import Augmentation, ImageDataset, LensDataModule, build_preprocessing
from darklens.data.batches import FixedBatches, FreshBatches, PreparedImages, ShuffledBatches
from darklens.data.inverse_preprocessing import undo_preprocessing
from darklens.data.steps import STEPS
from darklens.hub import load_card
from darklens.hub.output import build_noise, build_restore
from darklens.hub.preprocessing import model_preprocessing
from darklens.simulation import Simulator
from darklens.train.data import SimulatedStream

IMAGES = np.random.default_rng(0).random((6, 1, 12, 12)).astype(np.float32)
STEP_SPECS: dict[str, dict[str, Any]] = {
    "affine": {"scale": 2.0, "shift": 1.0},
    "asinh": {"scale": 2.0},
    "center_crop": {"size": 8},
    "log": {"offset": 1.0},
    "min_max": {},
    "resize": {"size": 6},
    "sqrt": {"scale": 3.0},
    "standardise": {},
}


def copied(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize("name", sorted(STEPS))
def test_every_step_survives_pickling(name: str) -> None:
    step = STEPS[name](**STEP_SPECS[name])
    assert copied(step) == step
    np.testing.assert_array_equal(copied(step)(IMAGES), step(IMAGES))


def test_the_way_back_survives_pickling(tiny_generator: Path) -> None:
    spec = [{name: STEP_SPECS[name]} for name in ("center_crop", "affine", "asinh", "log", "sqrt")]
    undo = undo_preprocessing(spec)
    np.testing.assert_array_equal(copied(undo)(IMAGES), undo(IMAGES))
    card = load_card(tiny_generator)
    restore, observe = build_restore(card), build_noise(card)
    assert observe is not None
    expected = observe(restore(IMAGES), 1, range(6))
    np.testing.assert_array_equal(copied(observe)(copied(restore)(IMAGES), 1, range(6)), expected)


def test_the_fit_as_a_step_and_streams_of_simulations_survive_pickling() -> None:
    steps = model_preprocessing(
        [{"smooth_residual": {"preset": "model-2", "size": 32, "binning": 2}}]
    )
    assert copied(steps).spec == steps.spec
    stream = SimulatedStream(Simulator("model-2"), seed=3)
    image, label = next(stream(4, 1))
    again, same_label = next(copied(stream)(4, 1))
    np.testing.assert_array_equal(again, image)
    assert same_label == label


def prepared(memory: float) -> PreparedImages:
    dataset = ImageDataset.from_arrays(IMAGES, np.arange(6) % 3, classes=("no", "sphere", "vort"))
    return PreparedImages(dataset, build_preprocessing([{"min_max": {}}]), memory)


def test_images_that_are_kept_go_to_a_worker_once() -> None:
    kept = len(pickle.dumps(prepared(1e9)))
    assert kept < 1.5 * IMAGES.nbytes + 2000
    np.testing.assert_array_equal(
        copied(prepared(0)).read(np.arange(6)), prepared(1e9).read(np.arange(6))
    )


@pytest.fixture(params=["spawn", "forkserver"])
def start_method(request: pytest.FixtureRequest) -> Iterator[str]:
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method(request.param, force=True)
    yield request.param
    multiprocessing.set_start_method(before, force=True)


def test_workers_make_the_same_batches(start_method: str) -> None:
    steps = build_preprocessing([{"min_max": {}}, {"center_crop": {"size": 40}}])
    if start_method == "spawn":
        batches: Any = FreshBatches(
            SimulatedStream(Simulator("model-2"), seed=3),
            steps,
            Augmentation(),
            batch_size=2,
            images_per_epoch=4,
            seed=1,
        )
    else:
        batches = ShuffledBatches(prepared(1e9), Augmentation(), batch_size=3, seed=1)
    loader = DataLoader(batches, batch_size=None, num_workers=1)
    for (images, labels), number in zip(loader, range(2), strict=True):
        expected, expected_labels = batches[number]
        assert torch.equal(images, expected)
        assert torch.equal(labels, expected_labels)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_a_training_runs_with_workers(start_method: str, tmp_path: Path) -> None:
    from darklens.cli.main import main

    words = ["train", "classifier", "--data.preset=model-2", "--data.workers=1", "--quiet"]
    words += ["--data.validation_images=6", "--data.epoch_images=8", "--data.batch_size=4"]
    words += ['--network={"name": "backbone", "backbone": "test_resnet"}', "--budget.epochs=1"]
    assert main([*words, f"--output={tmp_path / 'run'}"]) == 0
    assert (tmp_path / "run" / "model" / "card.yaml").is_file()


def test_the_data_module_gives_nothing_else_to_its_workers() -> None:
    dataset = ImageDataset.from_arrays(IMAGES, np.arange(6) % 3, classes=("no", "sphere", "vort"))
    steps = build_preprocessing([{"standardise": {}}])
    data = LensDataModule(dataset, steps, val=dataset, workers=1, check_leaks=False)
    data.setup("fit")
    for loader in (data.train_dataloader(), data.val_dataloader()):
        assert isinstance(loader, DataLoader)
        assert isinstance(copied(loader.dataset), ShuffledBatches | FixedBatches)
