"""Every folder serves the purpose that its name says, and the lines before a training say so."""

from pathlib import Path

import numpy as np
import pytest

from darklens.data import divide
from darklens.errors import BadConfig, BadData


def write(root: Path, *folders: str, count: int = 10) -> Path:
    generator = np.random.default_rng(len(list(root.rglob("*.npy"))))
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for i in range(count):
            np.save(root / folder / f"{i}.npy", generator.random((3, 4)))
    return root


def sizes(root: Path, **options: int) -> dict[str, int]:
    return {name: len(part) for name, part in divide(root, **options).parts.items()}


def test_the_test_folder_is_the_test_part(tmp_path: Path) -> None:
    write(tmp_path, "train/no", "train/vort", "val/no", "val/vort", "test/no", "test/vort")
    division = divide(tmp_path)
    assert [len(part) for part in division.parts.values()] == [20, 20, 20]
    assert all(name.startswith("test/") for name in division.parts["test"].ids)
    assert division.lines() == [
        f"train: 20 images, for training: {tmp_path}/train (no 10, vort 10)",
        f"val: 20 images, to select the best weights: {tmp_path}/val (no 10, vort 10)",
        f"test: 20 images, for the final test only: {tmp_path}/test (no 10, vort 10)",
    ]


def test_the_reference_protocol_without_a_test_folder(tmp_path: Path) -> None:
    write(tmp_path, "train/no", "train/vort", "validation/no", "validation/vort", "extra/no")
    division = divide(tmp_path)
    assert {name: len(part) for name, part in division.parts.items()} == {
        "train": 20,
        "val": 18,
        "test": 2,
    }
    lines = division.lines()
    assert f"90 % of {tmp_path}/validation" in lines[1]
    assert f"10 % of {tmp_path}/validation" in lines[2]
    assert lines[3] == f"not used: {tmp_path}/extra"


def test_validation_is_taken_from_train_where_there_is_none(tmp_path: Path) -> None:
    write(tmp_path, "train_lenses", "train_nonlenses", "test_lenses", "test_nonlenses")
    division = divide(tmp_path, folds=5)
    assert sizes(tmp_path, folds=5) == {"train": 16, "val": 4, "test": 20}
    assert division.parts["train"].classes == ("lenses", "nonlenses")
    assert "1 in 5 of" in division.lines()[1]
    assert all(name.startswith("test_") for name in division.parts["test"].ids)


def test_a_set_that_is_not_divided(tmp_path: Path) -> None:
    assert sizes(write(tmp_path, "no", "vort")) == {"train": 18, "val": 2}


def test_a_val_folder_too_small_for_a_test_part(tmp_path: Path) -> None:
    write(tmp_path, "train/no", "train/vort")
    write(tmp_path, "val/no", "val/vort", count=2)
    assert sizes(tmp_path) == {"train": 20, "val": 4}


def test_folds_test_each_image_once(tmp_path: Path) -> None:
    write(tmp_path, "no", "vort")
    tested: list[str] = []
    for fold in range(1, 6):
        parts = divide(tmp_path, folds=5, fold=fold).parts
        assert [len(part) for part in parts.values()] == [12, 4, 4]
        assert len({*parts["train"].ids, *parts["val"].ids, *parts["test"].ids}) == 20
        tested += parts["test"].ids
    assert sorted(tested) == sorted(
        {f"{name}/{i}.npy" for name in ("no", "vort") for i in range(10)}
    )
    with pytest.raises(BadConfig, match=r"data\.fold must be from 1 to data\.folds \(5\)"):
        divide(tmp_path, folds=5, fold=6)


def test_folds_leave_the_test_folder_for_the_end(tmp_path: Path) -> None:
    write(tmp_path, "train/no", "train/vort", "val/no", "val/vort", "test/no", "test/vort")
    division = divide(tmp_path, folds=5, fold=2)
    assert sizes(tmp_path, folds=5, fold=2) == {"train": 16, "val": 20, "test": 4}
    assert division.lines()[-1] == f"not used: {tmp_path}/test"


def test_what_cannot_be_divided(tmp_path: Path) -> None:
    write(tmp_path / "a", "val/no", "test/no")
    with pytest.raises(BadData, match="no folder train; its parts are val, test"):
        divide(tmp_path / "a")
    write(tmp_path / "b", "no", "vort", count=3)
    with pytest.raises(BadData, match=r"too few for 10 folds; use fewer with --data\.folds"):
        divide(tmp_path / "b")
    write(tmp_path / "c", "train/no", "train/vort", "val/no", "val/sphere")
    with pytest.raises(BadData, match="the part val: the data have the class 'sphere'"):
        divide(tmp_path / "c")
