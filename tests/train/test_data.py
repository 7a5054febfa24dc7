"""What is said and refused of the data before a training: purposes, leaks, bad files, values."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darklens.cli.main import main
from darklens.data import build_preprocessing, divide
from darklens.data.parts_list import PARTS_FILE, read_parts
from darklens.errors import BadConfig, BadData
from darklens.train.data import training_data
from darklens.train.data_check import DataNeeds
from darklens.train.data_options import DataOptions

RECIPES = Path(__file__).parents[2] / "recipes"
NOTHING = build_preprocessing([])
TINY = ['--network={"name": "backbone", "backbone": "test_resnet"}', "--budget.epochs=1"]


def write(root: Path, *folders: str, count: int = 10, largest: float = 1.0) -> Path:
    """Images from 0 to `largest`, as the benchmark's are."""
    generator = np.random.default_rng(len(list(root.rglob("*.npy"))))
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for i in range(count):
            image = generator.random((1, 40, 40))
            image[0, 0, :2] = 0, 1
            np.save(root / folder / f"{i}.npy", largest * image)
    return root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folders = [f"{part}/{name}" for part in ("train", "val") for name in ("no", "vort")]
    return write(tmp_path / "t", *folders)


def copy_of_a_test_image(tree: Path) -> str:
    """Put an image of the 10 % of val that are tested into train, and give its name."""
    tested = divide(tree).parts["test"].ids[0]
    shutil.copy(tree / tested, tree / "train" / "vort" / "copy.npy")
    return tested


CODES = '{"name": "components", "size": 40, "grid": 4, "components": 3, "width": 16, "blocks": 1}'


@pytest.mark.parametrize(
    "verb",
    [
        ["classifier", *TINY],
        ["generator", f"--network={CODES}", "--normalise=true", "--budget.epochs=1"],
    ],
)
def test_a_test_image_in_train_is_refused(
    verb: list[str], tree: Path, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    tested = copy_of_a_test_image(tree)
    words = ["train", *verb, f"--data.path={tree}", f"--output={tmp_path / 'run'}", "--quiet"]
    assert main(words) == 2
    error = error_line()
    assert "train and test share images: train/vort/copy.npy in train is the same as" in error
    assert tested in error


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_copy_in_any_part_is_refused(tree: Path, tmp_path: Path, part: str) -> None:
    write(tree, "test/no", "test/vort")
    scaled = 7 * np.load(tree / "train" / "no" / "3.npy") + 2
    np.save(tree / part / "vort" / "copy.npy", scaled)
    with pytest.raises(BadData, match=f"train and {part} share images: train/no/3.npy"):
        training_data(DataOptions(path=tree), NOTHING, tmp_path / "run")


def test_copies_in_two_folds_are_refused(tmp_path: Path) -> None:
    tree = write(tmp_path / "t", "no", "vort")
    for i in range(5, 10):
        shutil.copy(tree / "no" / f"{i - 5}.npy", tree / "no" / f"{i}.npy")
    with pytest.raises(BadData, match="share images"):
        training_data(DataOptions(path=tree, folds=5, fold=1), NOTHING, tmp_path / "run")


def test_the_purposes_are_said_and_listed(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = training_data(DataOptions(path=tree), NOTHING, tmp_path / "run")
    said = capsys.readouterr().err.splitlines()
    assert said[:3] == divide(tree).lines()
    rows = read_parts(tmp_path / "run" / PARTS_FILE)
    assert parts.test is not None
    assert {row.name for row in rows if row.part == "test"} == set(parts.test.ids)
    assert len(rows) == 40


def test_all_bad_files_are_listed_at_once(
    tree: Path, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    bad = [tree / "train" / "no" / f"{i}.npy" for i in range(4)]
    for path in bad:
        path.write_bytes(b"no image")
    np.save(tree / "val" / "vort" / "9.npy", np.full((1, 40, 40), np.inf))
    run = tmp_path / "run"
    words = ["train", "classifier", *TINY, f"--data.path={tree}", f"--output={run}", "--quiet"]
    assert main(words) == 2
    error = error_line()
    assert "5 of 40 images cannot be used: train/no/0.npy: not a .npy file" in error
    assert f"listed in {run / 'bad_files.csv'}" in error
    with (run / "bad_files.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert [row["path"] for row in listed] == [*map(str, bad), str(tree / "val/vort/9.npy")]
    assert listed[-1]["reason"] == "some pixels are infinite"
    for path in [*bad, tree / "val" / "vort" / "9.npy"]:
        path.unlink()
    training_data(DataOptions(path=tree), NOTHING, run, quiet=True)
    assert not (run / "bad_files.csv").exists()


def test_a_resumed_run_needs_the_images_that_it_began_with(tree: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    training_data(DataOptions(path=tree), NOTHING, run, quiet=True)
    (tree / "train" / "no" / "0.npy").unlink()
    training_data(DataOptions(path=tree), NOTHING, run, quiet=True)  # it had not begun to train
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "last.ckpt").touch()
    training_data(DataOptions(path=tree), NOTHING, run, quiet=True)
    (tree / "train" / "no" / "1.npy").unlink()
    with pytest.raises(BadData, match=r"0 images are new or .* 1 are gone.*train/no/1\.npy"):
        training_data(DataOptions(path=tree), NOTHING, run, quiet=True)


def test_one_class_is_too_few_for_a_classifier(tmp_path: Path) -> None:
    tree = write(tmp_path / "t", "train/no", "val/no")
    with pytest.raises(BadData, match="only the class 'no'; a classifier needs"):
        training_data(DataOptions(path=tree), NOTHING, tmp_path / "run", quiet=True)
    needs = DataNeeds(classes=1)
    parts = training_data(DataOptions(path=tree), NOTHING, tmp_path / "run", needs=needs)
    assert parts.val.classes == ("no",)


def test_simulations_have_a_range_too(tmp_path: Path) -> None:
    options: dict[str, Any] = {"preset": "model-1-legacy", "validation_images": 3}
    with pytest.raises(BadData, match="expects 0 to 1"):
        training_data(DataOptions(**options, value_range=(0, 1)), NOTHING, tmp_path)
    training_data(DataOptions(**options, value_range=(0, 2500)), NOTHING, tmp_path)
    with pytest.raises(BadConfig, match=r"data\.value-range: 5 must be below 1"):
        training_data(DataOptions(**options, value_range=(5, 1)), NOTHING, tmp_path)
    with pytest.raises(BadConfig, match="need no folds"):
        training_data(DataOptions(**options, fold=1), NOTHING, tmp_path)


GENERATORS = ["generator-reference", "generator-reference-diffusers", "generator-lenses-2021"]


@pytest.mark.parametrize(
    ("recipe", "largest"),
    [
        *((name, 1.0) for name in GENERATORS),
        *((name.replace("reference", "reference-scaled"), 255.0) for name in GENERATORS[:2]),
        ("generator-common-test-1-components", 1.0),
        ("classifier-model-1-legacy-pixels", 1.0),
    ],
)
def test_values_that_a_recipe_is_not_made_for_are_refused(
    recipe: str, largest: float, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    tree = write(tmp_path / "t", "no", "vort", largest=largest)
    verb = recipe.split("-")[0]
    words = ["train", verb, f"--config={RECIPES / recipe}.yaml", f"--data.path={tree}"]
    words += ["--data.preset=null", "--data.prepared_images=0", f"--output={tmp_path / 'run'}"]
    words += ["--data.expected=false", "--quiet"]
    assert main(words) == 2
    error = error_line()
    assert f"run from 0 to {largest:g}, but the preprocessing expects 0 to" in error
    assert "--data.value-range" in error
    if verb == "generator":
        assert "recipes/generator-reference-scaled.yaml is for images from 0 to 1" in error


def test_a_preprocessing_that_leaves_nothing_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = write(tmp_path / "t", "no", "vort")
    words = ["train", "generator", f"--data.path={tree}", "--budget.epochs=1", "--quiet"]
    words += [f"--network={CODES}", "--preprocessing=[{affine: {scale: 0.00784, shift: -1}}]"]
    assert main([*words, f"--output={tmp_path / 'run'}"]) == 2
    assert "all pixels lie between -1 and -0.99216" in capsys.readouterr().err
