"""A store that lacks anything or is damaged anywhere is refused in one line when it is opened."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

from darklens.data import ImageDataset, StoreWriter, open_dataset, open_store
from darklens.errors import BadData, BadInput

COUNT, SHARD = 40, 16


def write_store(path: Path, labels: np.ndarray | None = None) -> Path:
    writer = StoreWriter(
        path, shape=(1, 5, 6), dtype=np.uint16, count=COUNT, classes=("no", "vort"), shard=SHARD
    )
    values = np.arange(COUNT) % 2 if labels is None else labels
    for start, stop in writer.pending():
        images = np.random.default_rng(start).integers(0, 999, (stop - start, 1, 5, 6))
        table = pd.DataFrame({"index": range(start, stop)})
        writer.write(start, images.astype(np.uint16), values[start:stop], table)
    return writer.finish()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("whole") / "lenses.zarr")


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "lenses.zarr"))


def edit(name: str, change: Callable[[dict], None]) -> Callable[[Path], None]:
    def damage(store: Path) -> None:
        path = store / name
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return damage


def cut(name: str, size: int) -> Callable[[Path], None]:
    def damage(store: Path) -> None:
        path = store / name
        path.write_bytes(path.read_bytes()[:size])

    return damage


def write(name: str, text: str) -> Callable[[Path], None]:
    def damage(store: Path) -> None:
        (store / name).write_text(text)

    return damage


def remove(name: str) -> Callable[[Path], None]:
    return lambda store: (store / name).unlink()


def label(value: int) -> Callable[[Path], None]:
    def damage(store: Path) -> None:
        zarr.open_array(store / "labels", mode="r+")[3] = value

    return damage


def fewer_rows(store: Path) -> None:
    path = store / "parameters.parquet"
    pd.read_parquet(path)[:-1].to_parquet(path, index=False)


DAMAGES = {
    "no images": (remove("images/c/1/0/0/0"), r"images/c/1/0/0/0 is missing: images 16 to 31"),
    "empty images": (cut("images/c/1/0/0/0", 0), "images/c/1/0/0/0 is cut short"),
    "half the images": (cut("images/c/1/0/0/0", 400), "images/c/1/0/0/0 .*: images 16 to 31"),
    "no labels": (remove("labels/c/0"), "labels disagree with parameters.parquet"),
    "empty labels": (cut("labels/c/0", 0), "is damaged"),
    "half the labels": (cut("labels/c/0", 9), "is damaged"),
    "a label of -1": (label(-1), "the label of image 3, -1, is not one of its classes"),
    "a label of 2": (label(2), "the label of image 3, 2, is not one of its classes"),
    "another label": (label(0), "1 of 40 labels disagree with parameters.parquet"),
    "no table": (remove("parameters.parquet"), "parameters.parquet"),
    "half a table": (cut("parameters.parquet", 700), "is damaged"),
    "fewer rows": (fewer_rows, "has 39 rows for 40 images"),
    "no description": (remove("dataset.yaml"), "no description"),
    "no metadata": (remove("zarr.json"), "is not a darklens image store"),
    "no metadata of labels": (remove("labels/zarr.json"), "is not a darklens image store"),
    "metadata that is a list": (write("images/zarr.json", "[]"), "is not a darklens image store"),
    "deep metadata": (write("images/zarr.json", "[" * 100_000), "is not a darklens image store"),
    "more images": (
        edit("images/zarr.json", lambda d: d["shape"].__setitem__(0, 10**12)),
        "but the description says",
    ),
    "another type": (
        edit("images/zarr.json", lambda d: d.update(data_type="float64")),
        "but the description says",
    ),
    "huge chunks": (
        edit(
            "labels/zarr.json",
            lambda d: d["chunk_grid"]["configuration"].update(chunk_shape=[10**11]),
        ),
        "which are too large",
    ),
    "other classes": (
        edit("zarr.json", lambda d: d["attributes"].update(classes=["vort", "no"])),
        "classes differ from those",
    ),
    "classes that are a number": (
        edit("zarr.json", lambda d: d["attributes"].update(classes=3)),
        "classes differ from those",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_store_is_refused_in_one_line(name: str, store: Path) -> None:
    damage, message = DAMAGES[name]
    damage(store)
    with pytest.raises(BadData, match=message) as caught:
        open_dataset(store)
    assert "\n" not in str(caught.value)
    assert str(store) in str(caught.value)


def test_any_changed_byte_is_noticed_or_does_no_harm(whole: Path, store: Path) -> None:
    chance = random.Random(1)
    files = sorted(path for path in store.rglob("*") if path.is_file())
    truth = ImageDataset.from_store(open_store(whole))
    noticed = 0
    for _ in range(120):
        path = chance.choice(files)
        before = path.read_bytes()
        data = bytearray(before)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        noticed += notices(store, truth)
        path.write_bytes(before)
    assert noticed > 60


def notices(store: Path, truth: ImageDataset) -> bool:
    """Whether the damage of a store is noticed; if not, it must be as good as the true one."""
    try:
        found = open_dataset(store)
        images = found.images()
    except BadData as error:
        return len(str(error).splitlines()) == 1
    np.testing.assert_array_equal(images, truth.images())
    np.testing.assert_array_equal(found.labels, truth.labels)
    return False


def test_changed_pixels_are_noticed_when_they_are_read(store: Path) -> None:
    path = store / "images" / "c" / "0" / "0" / "0" / "0"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    dataset = open_dataset(store)
    with pytest.raises(BadData, match=r"images 2 to 2 are damaged: .*checksum"):
        dataset.images([2])
    assert dataset.images([20]).shape == (1, 1, 5, 6)


def test_labels_that_are_all_zero_are_written_and_read(tmp_path: Path) -> None:
    """Zarr writes no chunk of zeros on its own, and earlier stores have none."""
    path = write_store(tmp_path / "no.zarr", np.zeros(COUNT, np.int64))
    assert (path / "labels" / "c" / "2").is_file()
    assert not open_store(path).labels.any()
    shutil.rmtree(path / "labels" / "c")
    assert not open_store(path).labels.any(), "the table says that they are zero"


def test_a_damaged_partial_output_is_not_finished(tmp_path: Path) -> None:
    settings = {"shape": (1, 5, 6), "dtype": np.uint16, "count": 32, "classes": ("no", "vort")}
    images, labels = np.ones((16, 1, 5, 6), np.uint16), np.zeros(16, np.int64)
    writer = StoreWriter(tmp_path / "out.zarr", **settings, shard=16)
    for start in (0, 16):
        writer.write(start, images, labels, pd.DataFrame({"index": range(16)}))
    (writer.partial / "images" / "c" / "1" / "0" / "0" / "0").write_bytes(b"")
    assert writer.pending() == [(16, 32)]
    writer.write(16, images, labels, pd.DataFrame({"index": range(16)}))
    (writer.partial / "parts" / "000000000016.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadInput, match=r"000000000016\.parquet is damaged; remove it and run"):
        writer.finish()
    assert not (tmp_path / "out.zarr").exists()
