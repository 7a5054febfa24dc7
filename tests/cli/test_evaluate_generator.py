"""`darklens evaluate generator`, as a user runs it: a model, folders, simulations, bad input."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from darklens.cli.main import main
from darklens.data import StoreWriter
from darklens.evaluate.generator import inception, protocols
from darklens.hub import load_card
from darklens.simulation import Simulator

FILES = {
    "metrics.json",
    "report.html",
    "config.yaml",
    "images.png",
    *(f"{name}.{end}" for name in ("physics", "frechet") for end in ("png", "svg")),
}
CLASSES = ("no", "sphere", "vort")


def evaluate(*words: str | Path) -> int:
    return main(["evaluate", "generator", "--quiet", "--splits=1", *map(str, words)])


def write_store(path: Path, images: np.ndarray, classes: tuple[str, ...] = CLASSES) -> Path:
    """A store of images of all classes in turn."""
    count = len(images)
    writer = StoreWriter(
        path, shape=images.shape[1:], dtype=images.dtype, count=count, classes=classes, shard=64
    )
    labels = np.arange(count) % len(classes)
    writer.write(0, images, labels, pd.DataFrame({"number": range(count)}))
    writer.finish()
    return path


def small_counts(count: int, seed: int, size: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).poisson(9, (count, 1, size, size)).astype(np.uint16)


def metrics_of(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def test_a_model_beside_a_folder_of_real_images(
    tiny_generator: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_generator, model)
    data = write_store(tmp_path / "real.zarr", small_counts(60, seed=0))
    output = tmp_path / "out"
    words = ["--model", model, "--data", data, "--folds=2", "--steps=1", "--record"]
    assert evaluate(*words, "--output", output) == 0
    assert {path.name for path in output.iterdir()} == {*FILES, "closest.png"}
    metrics = metrics_of(output)
    assert metrics["model"] == "tiny-generator"
    assert (metrics["real"], metrics["generated"]) == (30, 30)
    assert metrics["real_images"] == "real.zarr, one of 2 folds"
    assert metrics["training_images"] == "real.zarr, the other folds"
    assert set(metrics["features"]) == {"neutral"}
    assert set(metrics["memorisation"]) == {"pixels", "neutral"}
    assert metrics["not_computed"]["inception"].startswith("not computed: weights not found at")
    assert "16 x 16 pixels" in metrics["not_computed"]["default-pixels"]
    assert {test["label"] for test in metrics["physics"]} == set(CLASSES)
    shown = capsys.readouterr().out
    assert shown.startswith("neutral")
    assert "inception       not computed" in shown
    recorded = {item.name: item for item in load_card(model).metrics}
    assert list(recorded) == ["frechet_distance", "frechet_over_baseline", "two_sample_auc"]
    assert recorded["frechet_distance"].command == (
        "darklens evaluate generator --model tiny-generator --data real.zarr --folds 2 "
        "--steps 1 --count 30 --seed 1000003"
    )
    settings = yaml.safe_load((output / "config.yaml").read_text())
    assert (settings["folds"], settings["steps"]) == (2, 1)
    first = {key: value for key, value in metrics.items() if key != "date"}
    again = ["--config", output / "config.yaml", "--output", tmp_path / "again"]
    assert evaluate(*again) == 0
    second = {key: value for key, value in metrics_of(tmp_path / "again").items() if key != "date"}
    assert second == first


def test_expected_counts_beside_those_of_a_preset(tmp_path: Path, tiny_model: Path) -> None:
    expected = Simulator("common-test-1").expectation().simulate(21, seed=5).images
    made = write_store(tmp_path / "made.zarr", expected)
    words = ["--generated", made, "--preset=common-test-1", "--expected", "--training", made]
    words += ["--classifier", f"{tiny_model},none", "--count=99"]
    assert evaluate(*words, "--output", tmp_path / "out") == 0
    metrics = metrics_of(tmp_path / "out")
    assert (metrics["real"], metrics["model"]) == (21, None)
    assert "expected counts of simulations" in metrics["real_images"]
    assert set(metrics["features"]) == {"neutral", "tiny"}
    assert set(metrics["agreement"]["tiny"]["real"]) == set(CLASSES)
    assert metrics["memorisation"]["pixels"]["closest_distances"][0] == 0
    assert metrics["memorisation"]["pixels"]["share_close"] == 1


def test_generated_images_without_classes(tmp_path: Path) -> None:
    made = write_store(tmp_path / "made.zarr", small_counts(20, seed=1), ("lens",))
    real = write_store(tmp_path / "real.zarr", small_counts(25, seed=2), ("no_sub", "sub"))
    words = ["--generated", made, "--data", real, "--classifier=none"]
    assert evaluate(*words, "--output", tmp_path / "out") == 0
    metrics = metrics_of(tmp_path / "out")
    assert {test["label"] for test in metrics["physics"]} == {"all"}
    assert set(metrics["not_computed"]) == {"inception", "memorisation", "transfer"}


def test_flat_folders_and_stacks_are_one_set_without_classes(tmp_path: Path) -> None:
    counts = small_counts(45, seed=1)
    flat = tmp_path / "flat"
    flat.mkdir()
    for k, image in enumerate(counts[:25]):
        np.save(flat / f"{k}.npy", image)
    np.savez(tmp_path / "samples.npz", counts[25:, 0, :, :, None])
    words = ["--generated", tmp_path / "samples.npz", "--data", flat, "--classifier=none"]
    assert evaluate(*words, "--output", tmp_path / "out") == 0
    metrics = metrics_of(tmp_path / "out")
    assert (metrics["real"], metrics["generated"]) == (20, 20)
    assert (metrics["real_images"], metrics["generated_images"]) == ("flat", "samples.npz")
    assert metrics["not_computed"]["transfer"].endswith("the classes of the images are unknown")


def test_named_protocols_of_the_inception_fid(
    inception_weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    published = dict(protocols.INCEPTION_PROTOCOLS)
    short = {name: replace(found, images=20) for name, found in published.items()}
    monkeypatch.setattr(protocols, "INCEPTION_PROTOCOLS", short)
    monkeypatch.setattr(inception, "_SHA256_STARTS", "")
    made = write_store(tmp_path / "made.zarr", small_counts(21, seed=1))
    real = write_store(tmp_path / "real.zarr", small_counts(24, seed=2))
    words = ["--generated", made, "--data", real, "--classifier=none"]
    words += ["--inception", inception_weights]
    words += ["--inception-protocol=clean-fid-1000-64", "--splits=1"]
    assert evaluate(*words, "--output", tmp_path / "out") == 0
    found = metrics_of(tmp_path / "out")
    assert found["not_computed"]["inception"].endswith("measured by --inception-protocol instead")
    assert list(found["protocols"]) == ["clean-fid-1000-64"]
    clean = found["protocols"]["clean-fid-1000-64"]
    assert clean["protocol"]["published"] == 2.20
    assert clean["protocol"]["resizing"] == "clean"
    assert clean["fid"] == clean["frechet"]["value"] > 0
    shown = capsys.readouterr().out
    assert f"clean-fid-1000-64  FID {clean['fid']:.4g}, published 2.20, " in shown
    settings = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())
    assert settings["inception_protocol"] == "clean-fid-1000-64"


def test_a_protocol_without_weights_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error_line: Callable[[], str]
) -> None:
    short = {"tiny": replace(protocols.INCEPTION_PROTOCOLS["fid-10000"], name="tiny", images=20)}
    monkeypatch.setattr(protocols, "INCEPTION_PROTOCOLS", short)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    made = write_store(tmp_path / "made.zarr", small_counts(24, seed=3))
    words = ["--generated", made, "--data", made, "--classifier=none", "--inception-protocol=tiny"]
    assert evaluate(*words, "--output", tmp_path / "out") == 2
    assert "--inception-protocol: weights not found at" in error_line()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model=x"], "give either --data"),
        (["--data=x"], "give either --model"),
        (["--model=x", "--generated=y", "--preset=z"], "give either --model"),
        (["--model=nothing", "--preset=common-test-1"], "there is no model 'nothing'"),
        (["--generated={made}", "--preset=common-test-1"], "generated images are 1 x 16 x 16"),
        (["--generated={made}", "--data={made}", "--folds=1"], "--folds must be from 2"),
        (["--generated={made}", "--preset=common-test-1", "--folds=2"], "--folds splits --data"),
        (
            ["--generated={made}", "--data={made}", "--inception-protocol=fid-3040"],
            "fid-3040 needs 3,040 images on each side, but there are 24 real and 24 generated ones",
        ),
        (
            ["--generated={made}", "--data={made}", "--inception-protocol=fid-3"],
            "there is no protocol 'fid-3', but fid-3040, clean-fid-1000-64, fid-10000",
        ),
        (["--generated={made}", "--data={made}", "--count=5"], "scores need at least 20"),
        (["--generated={made}", "--data={made}", "--training-count=0"], "--training-count must"),
        (["--generated={made}", "--data={made}", "--splits=0"], "--splits must be from 1"),
        (["--generated={made}", "--data={made}", "--record"], "--record needs --model"),
        (["--generated={made}", "--data={made}", "--classifier=guess"], "no model 'guess'"),
        (["--generated={made}", "--data={made}", "--training=/no/such"], "/no/such"),
        (["--generated=/no/such", "--data={made}"], "/no/such"),
        (["--generated={made}", "--preset=model-1-legacy", "--expected"], "no expected counts"),
        (["--generated={made}", "--data={other}"], "the class 'sphere'"),
        (["--model={model}", "--data={other}"], "the class 'ring', but the model generates only"),
        (["--model={model}", "--data={made}", "--steps=0"], "--steps must be from 1"),
        (["--model={model}", "--data={made}", "--device=abacus"], "abacus"),
    ],
)
def test_wrong_arguments_are_one_line(
    words: list[str],
    message: str,
    tiny_generator: Path,
    tmp_path: Path,
    error_line: Callable[[], str],
) -> None:
    made = write_store(tmp_path / "made.zarr", small_counts(24, seed=3))
    other = write_store(tmp_path / "other.zarr", small_counts(24, seed=4), ("no", "ring"))
    places = {"made": made, "other": other, "model": tiny_generator}
    words = [word.format(**places) for word in words]
    assert evaluate(*words, "--classifier=none", "--output", tmp_path / "out", *words) == 2
    shown = error_line()
    assert message in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.zarr", "other.zarr"]


def test_an_output_that_may_not_be_replaced_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").touch()
    words = ["--model=nothing", "--preset=common-test-1", "--output", tmp_path]
    assert evaluate(*words) == 2
    assert "exists already" in capsys.readouterr().err
