"""Trees in all spellings, stores and arrays give the same interface."""

import tarfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from darklens.data import ImageDataset, open_dataset
from darklens.errors import BadData


def write_tree(root: Path, folders: list[str], count: int = 2) -> Path:
    for k, folder in enumerate(folders):
        (root / folder).mkdir(parents=True)
        for i in range(count):
            np.save(root / folder / f"{i}.npy", np.arange(12.0).reshape(1, 3, 4) + 100 * k + i)
    return root


@pytest.mark.parametrize(
    ("folders", "classes"),
    [
        (["no", "sphere", "vort"], ("no", "sphere", "vort")),
        (["axion", "cdm", "no_sub"], ("no", "sphere", "vort")),
        (["Vortex", "Spherical", "no_substructure"], ("no", "sphere", "vort")),
        (["subhalos", "nosub"], ("no", "sphere")),
        (["no_sub", "sub"], ("no_sub", "sub")),
        (["vort", "no"], ("no", "vort")),
        (["wdm", "no", "cdm"], ("no", "sphere", "wdm")),
    ],
)
def test_spellings_of_classes(tmp_path: Path, folders: list[str], classes: tuple[str]) -> None:
    dataset = open_dataset(write_tree(tmp_path, folders))
    assert dataset.classes == classes
    assert len(dataset) == 2 * len(folders)
    np.testing.assert_array_equal(dataset.labels, np.repeat(np.arange(len(classes)), 2))


def test_two_spellings_of_one_class_are_one_class(tmp_path: Path) -> None:
    dataset = open_dataset(write_tree(tmp_path, ["no", "no_sub", "vort"]))
    assert dataset.classes == ("no", "vort")
    assert dataset.ids[:4] == ["no/0.npy", "no/1.npy", "no_sub/0.npy", "no_sub/1.npy"]


def test_images_labels_and_names_belong_together(tmp_path: Path) -> None:
    dataset = open_dataset(write_tree(tmp_path, ["vort", "no"]))
    assert dataset.ids == ["no/0.npy", "no/1.npy", "vort/0.npy", "vort/1.npy"]
    image, label = dataset[2]
    assert (image.shape, image[0, 0, 0], label) == ((1, 3, 4), 0.0, 1)
    assert dataset.images([3, 0])[:, 0, 0, 0].tolist() == [1.0, 100.0]
    assert dataset.images(slice(0, 2)).shape == dataset.images()[:2].shape
    assert [label for _, label in (dataset[i] for i in range(-1, 3))] == [1, 0, 0, 1]
    with pytest.raises(IndexError):
        dataset[4]
    assert len(list(dataset)) == 4


def test_subsets_of_subsets(tmp_path: Path) -> None:
    dataset = open_dataset(write_tree(tmp_path, ["no", "vort"]))
    part = dataset.subset([3, 1, 0]).subset([0, 2])
    assert part.ids == ["vort/1.npy", "no/0.npy"]
    assert part.labels.tolist() == [1, 0]
    np.testing.assert_array_equal(part.images(), dataset.images([3, 0]))


def test_splits_are_chosen_by_name(tmp_path: Path) -> None:
    write_tree(tmp_path, ["train/no", "train/vort", "val/no", "val/vort"])
    dataset = open_dataset(tmp_path, "val")
    assert dataset.ids[0] == "val/no/0.npy"
    with pytest.raises(BadData, match="train, val; choose one with --split"):
        open_dataset(tmp_path)
    with pytest.raises(BadData, match="no folder 'test'"):
        open_dataset(tmp_path, "test")


def test_labels_can_count_in_other_classes(tmp_path: Path) -> None:
    dataset = open_dataset(write_tree(tmp_path, ["no", "vort"]))
    relabelled = dataset.with_classes(("no", "sphere", "vort"))
    assert relabelled.classes == ("no", "sphere", "vort")
    assert relabelled.labels.tolist() == [0, 0, 2, 2]
    with pytest.raises(BadData, match="class 'vort'"):
        dataset.with_classes(("no", "sphere"))
    assert dataset.subset([0]).with_classes(("sphere", "no")).labels.tolist() == [1]


def test_bad_trees_are_reported(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="not a folder"):
        open_dataset(tmp_path / "absent")
    with pytest.raises(BadData, match="no class folders"):
        open_dataset(tmp_path)
    (tmp_path / "no").mkdir()
    with pytest.raises(BadData, match="has no images"):
        open_dataset(tmp_path)
    (tmp_path / "no" / "0.npy").write_text("text")
    with pytest.raises(BadData, match=r"0\.npy: not a .npy file"):
        open_dataset(tmp_path).images()
    np.save(tmp_path / "no" / "0.npy", np.arange(6.0).reshape(2, 3))
    np.save(tmp_path / "no" / "1.npy", np.arange(8.0).reshape(2, 4))
    with pytest.raises(BadData, match="all images must have the same shape"):
        open_dataset(tmp_path).images()


def test_arrays() -> None:
    images = np.arange(24.0).reshape(4, 1, 2, 3)
    dataset = ImageDataset.from_arrays(images, np.array([0, 1, 0, 1]), classes=("no", "vort"))
    assert dataset.ids == ["00000000", "00000001", "00000002", "00000003"]
    np.testing.assert_array_equal(dataset.images([3, 1]), images[[3, 1]])
    with pytest.raises(ValueError, match="same length"):
        ImageDataset.from_arrays(images, dataset.labels, classes=("no", "vort"), ids=["a"])


def test_real_jpegs_of_two_classes(shared_data: Path, tmp_path: Path) -> None:
    with tarfile.open(shared_data / "lenses_2021" / "train.tar") as tar:
        for folder in ("no_sub", "sub"):
            members = (m for m in tar if m.name.startswith(f"lenses_2021/{folder}/"))
            tar.extractall(tmp_path, list(islice(members, 3)), filter="data")
    dataset = open_dataset(tmp_path / "lenses_2021")
    assert dataset.classes == ("no_sub", "sub")
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert (dataset.images().shape, dataset.images().dtype) == ((6, 1, 150, 150), np.uint8)


def test_real_trees(shared_data: Path) -> None:
    dataset = open_dataset(shared_data / "common_test_1")
    assert dataset.classes == ("no", "sphere", "vort")
    assert dataset.images().shape[1:] == (1, 150, 150)
