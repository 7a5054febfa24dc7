"""`evaluate classifier` over a tree, a store and fresh simulations."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from darklens.cli.main import main
from darklens.data import ImageDataset, StoreWriter
from darklens.files.configuration import write_configuration
from darklens.hub import calibrate_model, export_model, load_card, load_classifier

FILES = {
    "metrics.json",
    "report.html",
    "config.yaml",
    *(f"{name}.{end}" for name in ("roc", "confusion", "reliability") for end in ("png", "svg")),
}


def evaluate(*words: str | Path) -> int:
    return main(["evaluate", "classifier", *map(str, words), "--quiet", "--resamples", "50"])


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).poisson(40, (count, 1, 150, 150)).astype(np.uint16)


def test_fresh_simulations(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "evaluation"
    words = ["--model", tiny_model, "--preset", "model-1-legacy", "--count", 9]
    assert evaluate(*words, "--output", output) == 0
    assert {path.name for path in output.iterdir()} == FILES
    metrics = json.loads((output / "metrics.json").read_text())
    assert metrics["images_per_class"] == {"no": 3, "sphere": 3, "vort": 3}
    names = ["accuracy", "macro_auc", "auc_no", "auc_sphere", "auc_vort"]
    assert list(metrics["metrics"]) == [*names, "expected_calibration_error"]
    for item in metrics["metrics"].values():
        assert 0 <= item["low"] <= item["value"] <= item["high"] <= 1
    assert np.sum(metrics["confusion_matrix"]["value"]) == 9
    assert yaml.safe_load((output / "config.yaml").read_text())["count"] == 9
    assert capsys.readouterr().out.startswith("accuracy")


def test_shifts_of_the_models_own_preset_go_into_the_report(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "evaluation"
    words = ["--model", tiny_model, "--count", 3, "--stress", "--stress-count", 1, "--workers", 1]
    assert evaluate(*words, "--output", output) == 0
    tables = {f"stress.{end}" for end in ("md", "csv", "json", "png", "svg")}
    assert {path.name for path in output.iterdir()} == FILES | tables
    assert "model-1-legacy" in json.loads((output / "metrics.json").read_text())["data"]
    report = (output / "report.html").read_text()
    assert "<td>JPEG of quality 90</td>" in report
    assert "sky 10 % darker (" in report
    assert evaluate(*words[:4], "--preset", "model-1-legacy", "--output", output) == 0
    assert {path.name for path in output.iterdir()} == FILES, "the folder is replaced"


def test_a_calibrated_model_is_scored_on_its_sets_and_refusals(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = np.arange(60, dtype=np.int64) % 3
    data = ImageDataset.from_arrays(images(60), labels, classes=("no", "sphere", "vort"))
    export_model(tiny_model, tmp_path / "model")
    calibrate_model(tmp_path / "model", data, data="noise")
    words = ["--model", tmp_path / "model", "--preset", "model-1-legacy", "--count", 6]
    assert evaluate(*words, "--output", tmp_path / "out", "--coverage", "0.5") == 0
    scores = json.loads((tmp_path / "out" / "metrics.json").read_text())["metrics"]
    assert 0 <= scores["set_coverage"]["value"] <= 1
    assert 1 <= scores["mean_set_size"]["value"] <= 3
    assert "share_unfamiliar" in capsys.readouterr().out
    assert "Share of images with the label unknown" in (tmp_path / "out/report.html").read_text()
    assert evaluate(*words, "--output", tmp_path / "out", "--coverage", "95") == 2


def test_a_tree_with_other_spellings(tiny_model: Path, tmp_path: Path) -> None:
    for name, image in zip(["no_sub", "cdm", "axion"], images(3), strict=True):
        (tmp_path / "tree" / "test" / name).mkdir(parents=True)
        np.save(tmp_path / "tree" / "test" / name / "1.npy", image)
    words = ["--model", tiny_model, "--data", tmp_path / "tree", "--split", "test"]
    assert evaluate(*words, "--output", tmp_path / "out") == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["count"] == 3
    assert metrics["data"] == "tree, test"


def test_a_store_without_one_class_has_null_for_its_auc(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "lenses.zarr"
    labels = np.arange(6) % 2
    writer = StoreWriter(
        path, shape=(1, 150, 150), dtype=np.uint16, count=6, classes=("no", "vort"), shard=6
    )
    writer.write(0, images(6), labels, pd.DataFrame({"number": range(6)}))
    writer.finish()
    output = tmp_path / "out"
    assert evaluate("--model", tiny_model, "--data", path, "--output", output) == 0
    metrics = json.loads((output / "metrics.json").read_text())["metrics"]
    assert metrics["auc_sphere"] == {"value": None, "low": None, "high": None}
    assert metrics["auc_vort"]["value"] is not None
    assert "not defined" in (output / "report.html").read_text()


def test_the_numbers_can_go_into_the_card(tiny_model: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    words = ["--preset", "model-1-legacy", "--count", 6, "--seed", 5, "--record"]
    for number in (1, 2):
        assert evaluate("--model", model, *words, "--output", tmp_path / str(number)) == 0
    metrics = {item.name: item for item in load_card(model).metrics if "fresh" in item.data}
    assert list(metrics) == ["accuracy", "macro_auc", "expected_calibration_error"]
    assert len(load_card(model).metrics) == 4, "the second run replaces what the first recorded"
    assert metrics["accuracy"].command == (
        "darklens evaluate classifier --model tiny --preset model-1-legacy --count 6 --seed 5"
    )
    assert load_classifier(model).classes == ("no", "sphere", "vort")


def test_an_earlier_evaluation_is_replaced(tiny_model: Path, tmp_path: Path) -> None:
    words = ["--model", tiny_model, "--preset", "model-1-legacy", "--output", tmp_path / "out"]
    assert evaluate(*words, "--count", 3) == 0
    assert evaluate(*words, "--count", 6) == 0
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["count"] == 6
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_other_files_is_refused_before_the_work(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model", tiny_model, "--preset", "model-1-legacy", "--count", 10**8]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "metrics.json").write_text("{}")
    (mine / "thesis.txt").write_text("years of work")
    assert evaluate(*words, "--output", mine) == 2
    assert "was not written by this verb" in capsys.readouterr().err
    assert (mine / "thesis.txt").read_text() == "years of work"
    ours = tmp_path / "out"
    write_configuration(ours / "config.yaml", "evaluate generator", {})
    (ours / "metrics.json").write_text("{}")
    (ours / "notes.txt").write_text("a day of work")
    assert evaluate(*words, "--output", ours) == 2
    assert "holds notes.txt, which darklens did not write" in capsys.readouterr().err
    assert sorted(path.name for path in ours.iterdir()) == [
        "config.yaml",
        "metrics.json",
        "notes.txt",
    ]
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for name in ("link", "thesis.txt/out", "report.html"):
        (tmp_path / "thesis.txt").touch()
        assert evaluate(*words, "--output", tmp_path / name) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give either --data"),
        (["--data", "a", "--preset", "b"], "give either --data"),
        (["--data", "a", "--preset", "b", "--stress"], "give either --data"),
        (["--stress", "--stress-count", "0"], "--stress-count must be from 1"),
        (["--preset", "model-1-legacy", "--count", "0"], "--count must be from 1"),
        (["--preset", "no-such-preset"], "no-such-preset"),
        (["--data", "/no/such/folder"], "/no/such/folder"),
        (["--data", "{tmp}/two"], "the data have the class"),
        (["--data", "{tmp}/small"], "small"),
    ],
)
def test_wrong_arguments_are_one_line(
    words: list[str],
    message: str,
    tiny_model: Path,
    tmp_path: Path,
    error_line: Callable[[], str],
) -> None:
    for tree, names, size in (("two", ("no_sub", "sub"), 150), ("small", ("no", "vort"), 40)):
        for name, image in zip(names, images(2), strict=True):
            (tmp_path / tree / name).mkdir(parents=True)
            np.save(tmp_path / tree / name / "1.npy", image[:, :size, :size])
    words = [word.replace("{tmp}", str(tmp_path)) for word in words]
    assert evaluate(*words, "--model", tiny_model, "--output", tmp_path / "out") == 2
    shown = error_line()
    assert message in shown
    assert not (tmp_path / "out").exists()


def test_an_output_that_may_not_be_replaced_is_refused_before_the_work(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    words = ["--preset", "model-1-legacy", "--model", tiny_model, "--output", tmp_path / "out"]
    assert evaluate(*words) == 2
    shown = capsys.readouterr().err
    assert "exists already" in shown
    assert "classifying" not in shown
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]
