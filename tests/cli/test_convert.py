"""`convert` as people run it: any containers become one store or tree, with their classes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from darklens.cli.main import main
from darklens.data import open_dataset, open_store

IMAGES = np.random.default_rng(0).poisson(9, (60, 24, 24)).astype(np.uint16)
KINDS = ("no", "sphere", "vort")


def convert(*words: str | Path) -> int:
    return main(["convert", *map(str, words), "--quiet"])


@pytest.fixture
def stacks(tmp_path: Path) -> list[Path]:
    """`no.npz`, `sphere.npz` and `vort.npz` of 20 images each, with a column of masses."""
    paths = []
    for k, name in enumerate(KINDS):
        path = tmp_path / f"{name}.npz"
        chosen = IMAGES[20 * k : 20 * (k + 1)]
        np.savez(path, images=chosen, axion_mass=np.full(20, float(k)))
        paths.append(path)
    return paths


def test_stacks_become_a_store(
    stacks: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.zarr"
    assert main(["convert", *map(str, stacks), "--output", str(output)]) == 0
    assert "wrote 60 images to" in capsys.readouterr().err
    store = open_store(output)
    assert store.classes == KINDS
    np.testing.assert_array_equal(store.images[:][:, 0], IMAGES)
    assert store.images.dtype == np.uint16
    table = store.parameters()
    assert table["path"][41] == f"{stacks[2]}[1]"
    assert table["axion_mass"].tolist() == np.repeat([0.0, 1.0, 2.0], 20).tolist()
    assert table["label"].tolist() == np.repeat(KINDS, 20).tolist()
    settings = yaml.safe_load((tmp_path / "out.zarr.config.yaml").read_text())
    assert settings["output"] == str(output)
    assert convert(*stacks, "--output", output) == 0  # it is there already
    np.savez(stacks[0], images=IMAGES[:20] + 1)
    assert convert(*stacks, "--output", output) == 2
    assert "exists already" in capsys.readouterr().err


def test_labels_beside_the_images(tmp_path: Path) -> None:
    path = tmp_path / "all.npz"
    labels = np.arange(60) % 3
    np.savez_compressed(path, images=IMAGES[:, None], labels=labels, classes=["no", "cdm", "axion"])
    assert convert(path, "--output", tmp_path / "tree") == 0
    dataset = open_dataset(tmp_path / "tree")
    assert dataset.classes == KINDS
    np.testing.assert_array_equal(np.bincount(dataset.labels), [20, 20, 20])
    chosen = [dataset.ids.index(f"sphere/{k:08d}.npy") for k in (1, 4)]
    np.testing.assert_array_equal(dataset.images(chosen)[:, 0], IMAGES[[1, 4]])
    assert convert(f"{path}[4]", f"{path}[5]", "--output", tmp_path / "two.zarr") == 0
    two = open_store(tmp_path / "two.zarr")
    assert [two.classes[k] for k in two.labels] == ["sphere", "vort"]


def test_a_class_tree_and_a_store(tmp_path: Path) -> None:
    for k, name in enumerate(("no", "vort")):
        (tmp_path / "tree" / name).mkdir(parents=True)
        np.save(tmp_path / "tree" / name / "a.npy", IMAGES[20 * k : 20 * (k + 1)])
        np.save(tmp_path / "tree" / name / "b.npy", IMAGES[20 * k])
    assert convert(tmp_path / "tree", "--output", tmp_path / "one.zarr") == 0
    assert convert(tmp_path / "one.zarr", "--output", tmp_path / "two.zarr") == 0
    for name in ("one.zarr", "two.zarr"):
        store = open_store(tmp_path / name)
        assert store.classes == ("no", "vort")
        assert np.bincount(store.labels).tolist() == [21, 21]
        np.testing.assert_array_equal(store.images[21][0], IMAGES[20])


def test_images_without_classes(tmp_path: Path) -> None:
    np.save(tmp_path / "found.npy", IMAGES)
    assert convert(tmp_path / "found.npy", "--output", tmp_path / "out.zarr") == 0
    store = open_store(tmp_path / "out.zarr")
    assert store.classes == ("lens",)
    assert len(store) == 60


def test_all_bad_images_are_named_and_nothing_is_written(
    stacks: list[Path], tmp_path: Path, error_line: Callable[[], str]
) -> None:
    broken = IMAGES[:20].astype(np.float32)
    broken[3, 5, 5] = np.nan
    broken[7] = 1
    np.savez(stacks[1], images=broken)
    (tmp_path / "no").mkdir()
    (tmp_path / "no" / "empty.npy").touch()
    words = [*stacks, tmp_path / "no", "--output", tmp_path / "out.zarr"]
    assert convert(*words) == 2
    shown = error_line()
    assert "3 of 61 images cannot be used: " in shown
    for text in ("sphere.npz[3]: some pixels are NaN", "[7]: constant", "empty.npy: the file is"):
        assert text in shown
    assert not list(tmp_path.glob("out.zarr*"))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": np.arange(60) % 2}, "add an array 'classes'"),
        ({"labels": np.full(60, "../../evil")}, "cannot be a class name"),
        ({"labels": np.full(60, "a/b")}, "cannot be a class name"),
        ({"labels": np.full(60, -1), "classes": KINDS}, "whole numbers from 0 to 2"),
    ],
)
def test_labels_that_do_not_fit(
    arrays: dict[str, np.ndarray],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.savez(tmp_path / "a.npz", images=IMAGES, **arrays)
    assert convert(tmp_path / "a.npz", "--output", tmp_path / "tree") == 2
    assert message in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"a.npz"}


def test_what_cannot_be_converted_is_one_line(
    stacks: list[Path], tmp_path: Path, error_line: Callable[[], str]
) -> None:
    np.save(tmp_path / "few.npy", IMAGES[:5])
    np.save(tmp_path / "large.npy", np.repeat(IMAGES, 2, axis=1)[:20])
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / "large.npy").rename(other / "no.npy")
    cases = {
        "give --stack": [tmp_path / "few.npy"],
        "all images must be alike": [stacks[0], other / "no.npy"],
        "have no class": [stacks[0], tmp_path / "few.npy", "--stack", "true"],
        "no images found": [tmp_path / "nothing.npz"],
    }
    for message, words in cases.items():
        assert convert(*words, "--output", tmp_path / "out.zarr") == 2
        shown = error_line()
        assert message in shown
    assert convert(stacks[0], "--output", tmp_path / "out.npz") == 2
    assert convert(tmp_path / "few.npy", "--stack", "--output", tmp_path / "few.zarr") == 0
