"""Arrays kept in the cache are those that would be made."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from darklens.modelling import SmoothFitter, smooth_model
from darklens.modelling.precomputed import precomputed
from darklens.simulation import load_preset


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("DARKLENS_CACHE", str(folder))
    return folder


def never() -> np.ndarray:
    raise AssertionError("it is in the cache")


def test_an_array_is_made_once(cache: Path) -> None:
    made = precomputed("numbers", {"seed": 1}, lambda: np.arange(5.0))
    np.testing.assert_array_equal(precomputed("numbers", {"seed": 1}, never), made)
    other = precomputed("numbers", {"seed": 2}, lambda: np.zeros(2))
    assert len(other) == 2, "another key is another array"
    assert len(list(cache.iterdir())) == 2


def test_a_damaged_file_is_replaced(cache: Path) -> None:
    precomputed("numbers", 1, lambda: np.arange(5.0))
    (file,) = cache.iterdir()
    for damage in (b"", file.read_bytes()[:-8], b"no array"):
        file.write_bytes(damage)
        assert precomputed("numbers", 1, lambda: np.arange(5.0)).tolist() == [0, 1, 2, 3, 4]
        np.testing.assert_array_equal(precomputed("numbers", 1, never), np.arange(5.0))


def test_a_cache_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DARKLENS_CACHE", str(tmp_path / "file" / "folder"))
    assert len(precomputed("numbers", 1, lambda: np.arange(5.0))) == 5


def test_files_not_used_for_longest_are_removed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darklens.modelling.precomputed._MOST_BYTES", 2 * (128 + 5 * 8))
    for number in range(4):
        precomputed("numbers", number, lambda: np.arange(5.0))
        precomputed("numbers", 0, never)  # used again and again
        for file in cache.iterdir():
            os.utime(file, (time.time() - 60, file.stat().st_mtime - 60))
    assert len(list(cache.iterdir())) == 2
    precomputed("numbers", 3, never)


def test_a_fitter_from_the_cache_starts_from_the_same_lenses(cache: Path) -> None:
    preset = load_preset("common-test-1")
    first, second = (SmoothFitter(smooth_model(preset, draws=1000)) for _ in range(2))
    assert first.model.draws.tobytes() == second.model.draws.tobytes()
    assert first._templates.tobytes() == second._templates.tobytes()
    assert {path.name.partition("-")[0] for path in cache.iterdir()} == {"draws", "templates"}
