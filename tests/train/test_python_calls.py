"""Training from Python: the same runs as on the command line, with a result instead of a code."""

from pathlib import Path

import numpy as np
import pytest

from darklens.data import Augmentation
from darklens.errors import BadConfig
from darklens.hub import load_card, load_classifier, load_generator
from darklens.nn import Budget
from darklens.train import (
    CrossValidation,
    DataOptions,
    TrainedModel,
    train_classifier,
    train_generator,
)

BACKBONE = {"backbone": "test_resnet"}
COMPONENTS = {
    "name": "components",
    "size": 32,
    "grid": 4,
    "components": 3,
    "width": 16,
    "blocks": 1,
    "embedding": 8,
}
ONE_EPOCH = Budget(epochs=1)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each of two classes."""
    root = tmp_path_factory.mktemp("tree")
    generator = np.random.default_rng(0)
    for name in ("no", "vort"):
        (root / name).mkdir()
        for number in range(12):
            np.save(root / name / f"{number}.npy", generator.random((1, 32, 32)))
    return root


def test_a_classifier(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained = train_classifier(
        data=DataOptions(path=tree, batch_size=4, folds=3, fold=1),
        network=BACKBONE,
        budget=ONE_EPOCH,
        output=tmp_path / "run",
    )
    assert isinstance(trained, TrainedModel)
    assert trained.problem is None
    assert trained.folder == tmp_path / "run" / "model"
    assert load_card(trained.folder) == trained.card
    assert {metric.name for metric in trained.card.metrics} == {"accuracy", "macro_auc"}
    assert load_classifier(trained.folder).classes == ("no", "vort")
    said = capsys.readouterr()
    assert said.out == ""
    assert f"model: {trained.folder}" in said.err


def test_a_cross_validation(tree: Path, tmp_path: Path) -> None:
    trained = train_classifier(
        data=DataOptions(path=tree, batch_size=4, folds=2, fold="all"),
        network=BACKBONE,
        budget=ONE_EPOCH,
        output=tmp_path / "run",
        quiet=True,
    )
    assert isinstance(trained, CrossValidation)
    assert trained.problem is None
    folders = [model.folder for model in trained.models]
    assert folders == [tmp_path / "run" / f"fold-{k}" / "model" for k in (1, 2)]
    assert all(load_card(model.folder) == model.card for model in trained.models)


def test_a_generator(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained = train_generator(
        data=DataOptions(path=tree, batch_size=4),
        normalise=True,
        network=COMPONENTS,
        augmentation=Augmentation(rotations=False),
        budget=ONE_EPOCH,
        preview_epochs=1,
        preview_steps=2,
        output=tmp_path / "run",
        quiet=True,
    )
    assert load_card(trained.folder) == trained.card
    assert trained.problem is None
    assert load_generator(trained.folder).generate(2, steps=2).images.shape == (2, 1, 32, 32)
    assert (tmp_path / "run" / "previews" / "epoch-0001.png").is_file()
    assert capsys.readouterr() == ("", "")


def test_settings_that_contradict_each_other_are_errors_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="give --init or --pretrained"):
        train_classifier(freeze=True, output=tmp_path / "run")
    with pytest.raises(BadConfig, match="normalises already"):
        train_generator(init="lenses-2021", normalise=True, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()
