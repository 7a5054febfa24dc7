"""A folder given to a recipe: fitted once, shared by runs, mixed with simulations."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from darklens.cli.main import main
from darklens.hub import load_card
from darklens.simulation import Simulator

STEPS = [{"smooth_residual": {"preset": "common-test-1", "size": 80, "binning": 4}}]
RECIPE = [
    "--data.preset=common-test-1",
    "--data.prepared_images=6",
    "--data.workers=1",
    "--data.folds=2",
    "--budget.epochs=1",
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Four images of each of two classes."""
    lenses = Simulator("common-test-1", classes=("no", "vort")).simulate(8, seed=5)
    for number, (image, label) in enumerate(zip(lenses.images, lenses.labels, strict=True)):
        folder = tmp_path / "tree" / lenses.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{number}.npy", image)
    return tmp_path / "tree"


def test_a_folder_is_fitted_once_for_all_runs_on_it(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    words = ["train", "classifier", *RECIPE, f"--data.path={tree}"]
    network = '--network={"name": "backbone", "backbone": "test_resnet"}'
    steps = f"--preprocessing={json.dumps(STEPS)}"
    assert main([*words, network, steps, "--data.batch_size=4", f"--output={first}"]) == 0
    said = capsys.readouterr().err
    assert f"training on {tree} alone; --data.mix adds" in said
    assert "fitting 8 images" in said
    card = load_card(first / "model")
    assert card.classes == ("no", "vort")
    assert (card.input.height, card.channels, card.training.images) == (150, 6, 4)
    assert (card.training.preset, card.training.data) == (None, "tree")
    assert card.training.preparation_seconds is not None

    # A few labelled images among simulations, from the weights of the first run and its fits.
    words += [f"--init={first / 'model'}", "--freeze", f"--data.cache={first / 'prepared'}"]
    assert main([*words, "--data.mix", "--data.batch_size=8", f"--output={second}"]) == 0
    assert "fitting" not in capsys.readouterr().err
    card = load_card(second / "model")
    assert card.classes == ("no", "vort")
    assert card.training.images == 8  # 4 of the folder, and the 4 simulations of its classes
    assert (card.training.preset, card.training.data) == ("common-test-1", "tree")
    assert card.training.simulations is None, "not all of its training images are simulations"


def test_images_of_another_size_end_the_run_with_advice(
    tree: Path, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    for path in tree.rglob("*.npy"):
        np.save(path, np.load(path)[:, 43:107, 43:107])
    words = ["train", "classifier", *RECIPE, f"--data.path={tree}", "--quiet"]
    words += [f"--preprocessing={json.dumps(STEPS)}", f"--output={tmp_path / 'run'}"]
    assert main(words) == 2
    error = error_line()
    assert "the images are 1 x 64 x 64, but smooth_residual fits the lenses" in error
    assert "give the preset of your images (model-2, " in error
