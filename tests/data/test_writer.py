"""Both writers resume, refuse what is not theirs, and end with the same bytes, killed or not."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from darklens.data import ImageWriter, NpyTreeWriter, StoreWriter, open_dataset, open_store
from darklens.errors import BadData, BadInput

CLASSES = ("no", "sphere", "vort")
SETTINGS: dict[str, Any] = {
    "shape": (1, 5, 6),
    "dtype": np.uint16,
    "count": 40,
    "classes": CLASSES,
    "attributes": {"preset": "tiny", "seed": 7, "range": (1, 2)},
    "shard": 16,
}
Writer = Callable[..., ImageWriter]


def content(start: int, stop: int) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Images, labels and parameters of a range, each image a function of its number."""
    images = [np.random.default_rng(i).integers(0, 999, (1, 5, 6)) for i in range(start, stop)]
    labels = np.arange(start, stop, dtype=np.int64) % 3
    parameters = pd.DataFrame({"einstein_radius": 1 + np.arange(start, stop) / 100})
    if start < 32:  # the last shard lacks the column, and its rows are null in the end
        mass = np.where(labels == 2, 1e-23, np.nan)
        parameters = parameters.assign(axion_mass=mass, telescope="hst")
    return np.stack(images).astype(np.uint16), labels, parameters


def write_all(writer: ImageWriter, order: Callable[[list[Any]], Any] = list) -> Path:
    for start, stop in order(writer.pending()):
        writer.write(start, *content(start, stop))
    return writer.finish()


def tree_bytes(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(params=[StoreWriter, NpyTreeWriter])
def writer_class(request: pytest.FixtureRequest) -> Writer:
    return request.param


def test_what_is_written_is_read(writer_class: Writer, tmp_path: Path) -> None:
    path = write_all(writer_class(tmp_path / "out", **SETTINGS))
    dataset = open_dataset(path)
    images, labels, _ = content(0, 40)
    assert dataset.classes == CLASSES
    numbers = [int(Path(name).stem) for name in dataset.ids]
    assert sorted(numbers) == list(range(40))
    np.testing.assert_array_equal(dataset.images(), images[numbers])
    np.testing.assert_array_equal(dataset.labels, labels[numbers])
    table = pd.read_parquet(path / "parameters.parquet")
    assert list(table) == ["label", "einstein_radius", "axion_mass", "telescope"]
    assert table["label"].tolist() == [CLASSES[k] for k in labels]
    np.testing.assert_allclose(table["einstein_radius"], 1 + np.arange(40) / 100)
    assert table["axion_mass"].notna().tolist() == [k == 2 and i < 32 for i, k in enumerate(labels)]
    assert table["telescope"].isna().sum() == 8
    assert not (tmp_path / "out.partial").exists()


def test_order_does_not_change_the_bytes(writer_class: Writer, tmp_path: Path) -> None:
    first = write_all(writer_class(tmp_path / "a", **SETTINGS))
    second = write_all(writer_class(tmp_path / "b", **SETTINGS), order=reversed)
    assert tree_bytes(first) == tree_bytes(second)


def test_an_interrupted_run_is_continued(writer_class: Writer, tmp_path: Path) -> None:
    whole = write_all(writer_class(tmp_path / "a", **SETTINGS))
    writer = writer_class(tmp_path / "b", **SETTINGS)
    assert writer.pending() == [(0, 16), (16, 32), (32, 40)]
    writer.write(16, *content(16, 32))
    with pytest.raises(BadInput, match="lacks 2 shards"):
        writer.finish()
    again = writer_class(tmp_path / "b", **SETTINGS)
    assert again.pending() == [(0, 16), (32, 40)]
    assert tree_bytes(write_all(again)) == tree_bytes(whole)


def test_a_finished_output_needs_nothing(writer_class: Writer, tmp_path: Path) -> None:
    path = write_all(writer_class(tmp_path / "out", **SETTINGS))
    before = tree_bytes(path)
    writer = writer_class(path, **SETTINGS)
    assert writer.pending() == []
    assert writer.finish() == path
    assert tree_bytes(path) == before
    assert not (tmp_path / "out.partial").exists()


@pytest.mark.parametrize("change", [{"count": 41}, {"attributes": {"seed": 8}}, {"dtype": "f4"}])
def test_other_settings_are_refused(writer_class: Writer, tmp_path: Path, change: Any) -> None:
    writer_class(tmp_path / "begun", **SETTINGS)
    with pytest.raises(BadInput, match="other settings"):
        writer_class(tmp_path / "begun", **SETTINGS | change)
    write_all(writer_class(tmp_path / "done", **SETTINGS))
    with pytest.raises(BadInput, match="exists already"):
        writer_class(tmp_path / "done", **SETTINGS | change)


def test_other_files_are_never_overwritten(writer_class: Writer, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert writer_class(tmp_path / "mine", **SETTINGS).pending()  # an empty folder is fine
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(BadInput, match="exists already"):
        writer_class(tmp_path / "mine", **SETTINGS)
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="exists already"):
        writer_class(tmp_path / "file", **SETTINGS)
    with pytest.raises(BadInput, match="cannot create"):
        writer_class(tmp_path / "file" / "below", **SETTINGS)


def test_wrong_arguments(writer_class: Writer, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="at least 1"):
        writer_class(tmp_path / "a", **SETTINGS | {"count": 0})
    writer = writer_class(tmp_path / "b", **SETTINGS)
    images, labels, parameters = content(0, 16)
    with pytest.raises(ValueError, match="no shard begins"):
        writer.write(8, images, labels, parameters)
    with pytest.raises(ValueError, match="16 images"):
        writer.write(0, images.astype(np.float32), labels, parameters)
    with pytest.raises(ValueError, match="rows"):
        writer.write(0, images, labels, parameters[:3])
    with pytest.raises(ValueError, match="8 images"):
        writer.write(32, images, labels, parameters)


def test_writers_at_the_same_time(writer_class: Writer, tmp_path: Path) -> None:
    whole = write_all(writer_class(tmp_path / "a", **SETTINGS))

    def write(start: int) -> None:
        writer = writer_class(tmp_path / "b", **SETTINGS)
        writer.write(start, *content(start, min(start + 16, 40)))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, [0, 16, 32]))
    assert tree_bytes(writer_class(tmp_path / "b", **SETTINGS).finish()) == tree_bytes(whole)


PROGRAM = """
import sys
sys.path.insert(0, {here!r})
from test_writer import NpyTreeWriter, SETTINGS, StoreWriter, write_all
print("ready", flush=True)
write_all({name}({path!r}, **SETTINGS | {{"count": 400}}))
"""


def run_and_kill(writer_class: Any, path: Path, seconds: float | None) -> None:
    program = PROGRAM.format(
        here=str(Path(__file__).parent), name=writer_class.__name__, path=str(path)
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if seconds is None:
            assert process.wait() == 0
        else:
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)


def test_killed_at_random_points_it_ends_with_the_same_bytes(
    writer_class: Writer, tmp_path: Path
) -> None:
    begin = time.perf_counter()
    whole = write_all(writer_class(tmp_path / "a", **SETTINGS | {"count": 400}))
    duration = time.perf_counter() - begin
    chance = random.Random(0)
    for _ in range(3):
        run_and_kill(writer_class, tmp_path / "b", chance.uniform(0, duration))
    run_and_kill(writer_class, tmp_path / "b", None)
    assert tree_bytes(tmp_path / "b") == tree_bytes(whole)


def test_npy_tree_of_the_benchmark_is_scaled(tmp_path: Path) -> None:
    path = write_all(NpyTreeWriter(tmp_path / "out", **SETTINGS, scaled=True))
    image = np.load(path / "vort" / "00000002.npy")
    raw = content(2, 3)[0][0].astype(float)
    assert (image.shape, image.dtype) == ((1, 5, 6), np.float64)
    np.testing.assert_array_equal(image, (raw - raw.min()) / (raw.max() - raw.min()))


def test_store(tmp_path: Path) -> None:
    store = open_store(write_all(StoreWriter(tmp_path / "out.zarr", **SETTINGS)))
    assert len(store) == 40
    assert store.attributes == {"preset": "tiny", "seed": 7, "range": [1, 2]}
    assert store.images.shards == (16, 1, 5, 6)
    assert next(iter(store.parameters())) == "label"
    dataset = open_dataset(tmp_path / "out.zarr")
    np.testing.assert_array_equal(dataset.images([31, 2, 17]), content(0, 40)[0][[31, 2, 17]])
    assert dataset.images([]).shape == (0, 1, 5, 6)
    with pytest.raises(BadData, match="no part 'train'"):
        open_dataset(tmp_path / "out.zarr", "train")
    with pytest.raises(ValueError, match="multiple"):
        StoreWriter(tmp_path / "odd.zarr", **SETTINGS | {"shard": 20})


def test_what_is_not_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="not a darklens image store"):
        open_store(tmp_path)
    with pytest.raises(BadData, match="not a darklens image store"):
        open_store(tmp_path / "absent")
    (tmp_path / "zarr.json").write_text("{}")
    with pytest.raises(BadData, match="not a darklens image store"):
        open_dataset(tmp_path)
