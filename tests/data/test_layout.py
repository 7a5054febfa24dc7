"""Each layout in use is read as its author meant it, and what cannot be read is explained."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from darklens.data import StoreWriter, open_dataset
from darklens.data.datasets import open_part
from darklens.data.layout import find_layout, part_name
from darklens.errors import BadData


def write(root: Path, *folders: str, count: int = 2) -> Path:
    """Folders with images that differ."""
    for k, folder in enumerate(folders):
        (root / folder).mkdir(parents=True)
        for i in range(count):
            np.save(root / folder / f"{i}.npy", np.arange(12.0).reshape(3, 4) * (1 + k) + i)
    return root


def parts(root: Path) -> dict[str, tuple[tuple[str, ...], int]]:
    """Classes and number of images of each part."""
    layout = find_layout(root)
    opened = {name: open_part(layout, name) for name in layout.parts}
    return {name: (data.classes, len(data)) for name, data in opened.items()}


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Val", "VALIDATION", "val_set"])
def test_a_part_goes_by_several_names(tmp_path: Path, name: str) -> None:
    write(tmp_path, "Train/no", "Train/vort", f"{name}/no", f"{name}/vort", "testing/vort")
    assert parts(tmp_path) == {
        "train": (("no", "vort"), 4),
        "val": (("no", "vort"), 4),
        "test": (("vort",), 2),
    }
    assert open_dataset(tmp_path, "val").ids == open_dataset(tmp_path, "validation").ids
    assert open_dataset(tmp_path, "val").ids[0] == f"{name}/no/0.npy"


def test_names_that_mean_no_part() -> None:
    assert [part_name(name) for name in ("trained", "no", "testimony", "val2")] == [None] * 4


def test_two_folders_for_one_part_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "train/no", "val/no", "valid/no")
    with pytest.raises(BadData, match="both denote the part val"):
        find_layout(tmp_path)


@pytest.mark.parametrize("pattern", ["{}_{}", "{}-{}", "{} {}"])
def test_the_layout_of_the_lens_finding_data(tmp_path: Path, pattern: str) -> None:
    names = [pattern.format(a, b) for a in ("train", "test") for b in ("lenses", "nonlenses")]
    write(tmp_path, *names)
    both = ("lenses", "nonlenses")
    assert parts(tmp_path) == {"train": (both, 4), "test": (both, 4)}
    with pytest.raises(BadData, match="the parts train, test; choose one with --split"):
        open_dataset(tmp_path)


def test_the_part_may_stand_behind_the_class(tmp_path: Path) -> None:
    write(tmp_path, "no_sub_train", "sub_train", "no_sub_valid", "sub_valid")
    both = ("no_sub", "sub")
    assert parts(tmp_path) == {"train": (both, 4), "val": (both, 4)}


def test_parts_below_the_classes(tmp_path: Path) -> None:
    write(tmp_path, "no/train", "no/test", "vort/train", "vort/test")
    assert parts(tmp_path) == {"train": (("no", "vort"), 4), "test": (("no", "vort"), 4)}


def test_a_class_may_be_called_like_a_part(tmp_path: Path) -> None:
    write(tmp_path, "test_particles", "vort")
    assert open_dataset(tmp_path).classes == ("vort", "test_particles")


def test_results_beside_the_parts_are_no_part(tmp_path: Path) -> None:
    write(tmp_path, "train/no", "train/vort", "val/no", "val/vort", "test_results", "figures")
    layout = find_layout(tmp_path)
    assert list(layout.parts) == ["train", "val"]
    assert sorted(folder.name for folder in layout.unused) == ["figures", "test_results"]


def test_archives_that_were_unpacked_into_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "dataset/dataset/train/no", "dataset/dataset/train/vort")
    write(tmp_path, "dataset/dataset/val/val/no", "dataset/dataset/val/val/vort")
    write(tmp_path, "__MACOSX/dataset", "dataset/.ipynb_checkpoints")
    (tmp_path / "dataset/dataset/train/no/.DS_Store").write_bytes(b"no image")
    (tmp_path / "dataset/dataset/train/no/._0.npy").write_bytes(b"no image")
    both = (("no", "vort"), 4)
    assert parts(tmp_path) == {"train": both, "val": both}
    assert open_dataset(tmp_path, "train").ids[0] == "dataset/dataset/train/no/0.npy"


def test_sub_keeps_its_meaning_where_a_part_lacks_it(tmp_path: Path) -> None:
    write(tmp_path, "train/no_sub", "train/sub", "test/no_sub")
    assert open_dataset(tmp_path, "test").classes == ("no_sub",)


def test_stores_as_parts_have_names_of_their_own(tmp_path: Path) -> None:
    images = np.arange(96, dtype=np.uint16).reshape(2, 1, 6, 8)
    for name in ("train", "val.zarr"):
        writer = StoreWriter(
            tmp_path / name, shape=(1, 6, 8), dtype="u2", count=2, classes=("no", "vort")
        )
        writer.write(0, images, np.array([0, 1]), pd.DataFrame(index=range(2)))
        writer.finish()
    assert open_dataset(tmp_path, "train").ids == ["train/00000000", "train/00000001"]
    assert open_dataset(tmp_path, "val").ids[0] == "val.zarr/00000000"


def test_odd_names_of_classes(tmp_path: Path) -> None:
    names = ["$x^2_$", "a b", "galaxie près", "=1+1", "透镜"]
    assert open_dataset(write(tmp_path, *names)).classes == tuple(sorted(names))


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "no", "line\nbreak")
    with pytest.raises(BadData, match="must be plain text"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (
            ["euclid/no", "euclid/vort", "hst/no", "hst/vort"],
            "holds no images but the folders",
        ),
        (["train"], "no class folders, only loose images"),
    ],
)
def test_other_layouts_are_explained(tmp_path: Path, folders: list[str], message: str) -> None:
    write(tmp_path, *folders)
    with pytest.raises(BadData, match=message):
        open_dataset(tmp_path, "train" if folders == ["train"] else None)
