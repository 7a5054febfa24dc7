"""Each verb gives the same bytes on a Dask cluster as in one process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from darklens.cli.main import main


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder, by their names in it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", ["lenses.zarr", "lenses"])
def test_simulations_have_the_same_bytes(
    name: str,
    scheduler: Any,
    preset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)  # relative paths, which the workers see too
    given = ["simulate", "--preset", preset.name, "--count", "150", "--seed", "3"]
    assert main([*given, f"here-{name}", "--workers", "1", "--quiet"]) == 0
    assert main([*given, f"there-{name}", "--cluster", scheduler.address]) == 0
    shown = capsys.readouterr().err
    assert "Dask: 2 workers, dashboard at http" in shown
    assert "simulating 150 images of small" in shown
    here, there = contents(tmp_path / f"here-{name}"), contents(tmp_path / f"there-{name}")
    assert len(here) > 6
    assert here == there


def test_tables_of_fits_and_predictions_have_the_same_bytes(
    scheduler: Any, tiny_model: Path, residual_model: Path, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    simulated = ["simulate", str(images), "--count", "13", "--seed", "7", "--workers", "1"]
    assert main([*simulated, "--quiet"]) == 0
    (images / "no" / "damaged.npy").write_bytes(b"no array")
    verbs = {
        "fit": ["fit", str(images)],
        "pixels": ["predict", str(images), "--model", str(tiny_model), "--batch", "4"],
        "residual": ["predict", str(images), "--model", str(residual_model)],
    }
    for name, words in verbs.items():
        tables = [tmp_path / f"{name}-{where}.csv" for where in ("here", "there")]
        quiet = ["--quiet", "--workers", "1"]
        assert main([*words, *quiet, "--output", str(tables[0])]) == 1  # one file is damaged
        far = ["--output", str(tables[1]), "--cluster", scheduler.address]
        assert main([*words, *quiet, *far]) == 1
        assert tables[0].read_bytes() == tables[1].read_bytes(), name


def test_figures_are_made_on_the_cluster(scheduler: Any, tiny_model: Path, tmp_path: Path) -> None:
    images, figures = tmp_path / "images", tmp_path / "figures"
    simulated = ["simulate", str(images), "--count", "2", "--seed", "7", "--workers", "1"]
    assert main([*simulated, "--quiet"]) == 0
    words = [str(images), "--cluster", scheduler.address, "--figures", str(figures), "--quiet"]
    assert main(["fit", *words, "--output", str(tmp_path / "fits.csv")]) == 0
    assert len(list(figures.iterdir())) == 2
    for picture in figures.iterdir():
        picture.unlink()
    given = ["--model", str(tiny_model), "--output", str(tmp_path / "table.csv")]
    assert main(["predict", *words, *given]) == 0
    assert len(list(figures.iterdir())) == 2


def test_training_images_are_prepared_with_the_same_bytes(
    scheduler: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from darklens.cluster import open_workers
    from darklens.hub import model_preprocessing
    from darklens.train.prepared_simulations import PreparedSimulations, prepare_simulations

    step = {"smooth_residual": {"preset": "common-test-1", "size": 80, "binning": 2}}
    wanted = PreparedSimulations(["common-test-1"], [step], 5, 9, copies=True, shard=4)
    assert model_preprocessing(wanted.steps).explains
    kept = []
    for where in (None, scheduler.address):
        path = tmp_path / str(where is None) / "train.npy"
        with open_workers(where, 1, quiet=True) as workers:
            prepare_simulations(wanted, path, workers=workers, quiet=True)
        kept.append(contents(path.parent))
    assert kept[0] == kept[1]
    assert sorted(kept[0])[:3] == ["train.done/0", "train.done/1", "train.done/2"]


def test_training_reads_nothing_on_a_cluster_that_it_does_not_prepare_once(
    tmp_path: Path, error_line: Callable[[], str]
) -> None:
    words = ["--data.preset", "common-test-1", "--data.cluster", "local", "--budget.images", "9"]
    assert main(["train", "classifier", *words, "--output", str(tmp_path / "run")]) == 2
    assert "--data.cluster prepares images once" in error_line()
    assert not (tmp_path / "run" / "model").exists()
