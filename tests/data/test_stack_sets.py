"""Data sets of stacks: one for each class, in class folders, with labels, and without classes."""

from pathlib import Path

import numpy as np
import pytest

from darklens.data import ImageDataset, divide, open_dataset, open_images
from darklens.errors import BadData

IMAGES = np.random.default_rng(0).poisson(9, (60, 24, 24)).astype(np.uint16)
KINDS = ("no", "sphere", "vort")


def check(dataset: ImageDataset) -> None:
    """All 60 images, 20 of each class, each once."""
    assert dataset.classes == KINDS
    assert np.bincount(dataset.labels).tolist() == [20, 20, 20]
    assert len(set(dataset.ids)) == 60
    np.testing.assert_array_equal(dataset.images()[:, 0], IMAGES)
    chosen = np.array([41, 3, 22])
    np.testing.assert_array_equal(dataset.images(chosen)[:, 0], IMAGES[chosen])


def write_stacks(root: Path, names: tuple[str, ...] = KINDS, ending: str = ".npz") -> Path:
    for k, name in enumerate(names):
        path = root / f"{name}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        images = IMAGES[20 * k : 20 * (k + 1)]
        if ending == ".npy":
            np.save(path, images)
        else:
            np.savez_compressed(path, images=images)
    return root


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_one_stack_for_each_class(tmp_path: Path, ending: str) -> None:
    root = write_stacks(tmp_path / "set", ("no_sub", "CDM", "axion"), ending)
    dataset = open_dataset(root)
    check(dataset)
    assert dataset.ids[20] == f"CDM{ending}[0]"
    check(open_images(root))


def test_stacks_in_class_folders(tmp_path: Path) -> None:
    root = write_stacks(tmp_path / "set", ("no/a", "sphere/a", "vort/a"))
    check(open_dataset(root))
    np.save(root / "vort" / "b.npy", IMAGES[0])
    assert len(open_dataset(root)) == 61


def test_few_images_of_a_class_in_its_own_file(tmp_path: Path) -> None:
    for k, name in enumerate(("no", "vort")):
        np.save(tmp_path / f"{name}.npy", IMAGES[5 * k : 5 * (k + 1)])
    assert np.bincount(open_dataset(tmp_path).labels).tolist() == [5, 5]


def test_labels_beside_the_images(tmp_path: Path) -> None:
    path = tmp_path / "all.npz"
    np.savez(path, images=IMAGES, labels=np.repeat([0, 1, 2], 20), classes=KINDS)
    check(open_dataset(path))
    check(open_images(path))
    parts = divide(path, folds=4).parts
    assert {name: len(part) for name, part in parts.items()} == {"train": 45, "val": 15}


def test_parts_of_stacks(tmp_path: Path) -> None:
    write_stacks(tmp_path / "a" / "train")
    write_stacks(tmp_path / "a" / "val")
    (tmp_path / "b").mkdir()
    for part in ("train", "test"):
        np.savez(tmp_path / "b" / f"{part}.npz", images=IMAGES, labels=np.repeat(KINDS, 20))
    check(open_dataset(tmp_path / "a", "train"))
    check(open_dataset(tmp_path / "b", "test"))
    assert len(divide(tmp_path / "a").parts["train"]) == 60
    assert set(divide(tmp_path / "b").parts) == {"train", "val", "test"}


def test_sets_without_classes(tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    write_stacks(flat, ("samples_0", "samples_1", "samples_2"))
    np.save(flat / "one.npy", IMAGES[0])
    dataset = open_images(flat)
    assert dataset.classes == ("lens",)
    assert len(dataset) == 61
    np.savez(tmp_path / "samples.npz", IMAGES[..., None])
    np.testing.assert_array_equal(open_images(tmp_path / "samples.npz").images()[:, 0], IMAGES)
    for path, message in {
        flat: "has no class folders",
        tmp_path / "samples.npz": "has no labels",
        flat / "one.npy": "one image, not a stack",
    }.items():
        with pytest.raises(BadData, match=message):
            open_dataset(path)
    (flat / "one.npy").unlink()
    with pytest.raises(BadData, match="has no class folders"):
        open_dataset(flat)


def test_a_damaged_stack_is_named(tmp_path: Path) -> None:
    root = write_stacks(tmp_path / "set")
    (root / "vort.npz").write_bytes(b"nothing")
    with pytest.raises(BadData, match=r"vort.npz: not a .npz archive"):
        open_dataset(root).images()
