"""`darklens generate`, as a user runs it: pictures, stores, trees, what is refused."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from darklens.cli.main import main
from darklens.data import open_dataset, open_store


def run(*words: str | Path) -> int:
    return main(["generate", *map(str, words)])


def test_a_picture_a_film_and_the_configuration(tiny_generator: Path, tmp_path: Path) -> None:
    output = tmp_path / "grid.png"
    words = ["--model", tiny_generator, "--count=4", "--label=vort", "--steps=2", "--quiet"]
    assert run(*words, "--output", output, "--figures", tmp_path / "figures") == 0
    with Image.open(output) as picture:
        assert picture.width > 100
    assert (tmp_path / "figures" / "film.png").is_file()
    settings = yaml.safe_load((tmp_path / "grid.png.config.yaml").read_text())
    assert (settings["count"], settings["label"], settings["steps"]) == (4, "vort", 2)
    first = output.read_bytes()
    assert run("--config", tmp_path / "grid.png.config.yaml", "--quiet") == 0
    assert output.read_bytes() == first


def test_a_store_holds_counts_of_all_classes_and_continues(
    tiny_generator: Path, tmp_path: Path
) -> None:
    words = ["--model", tiny_generator, "--steps=2", "--seed=5", "--quiet"]
    assert run(*words, "--count=70", "--output", tmp_path / "all.zarr") == 0
    store = open_store(tmp_path / "all.zarr")
    images = np.asarray(store.images[:])
    assert images.dtype == np.uint16
    assert images.shape == (70, 1, 16, 16)
    assert store.labels.tolist() == [i % 3 for i in range(70)]
    assert store.attributes["model"] == "tiny-generator"
    assert run(*words, "--count=5", "--batch=2", "--output", tmp_path / "few.zarr") == 0
    few = np.asarray(open_store(tmp_path / "few.zarr").images[:])
    np.testing.assert_array_equal(few, images[:5])
    assert run(*words, "--count=70", "--output", tmp_path / "all.zarr") == 0  # nothing is left
    assert run(*words, "--count=69", "--output", tmp_path / "all.zarr") == 2


def test_a_tree_is_scaled_as_the_benchmark_and_expected_counts_are_not(
    tiny_generator: Path, tmp_path: Path
) -> None:
    words = ["--model", tiny_generator, "--count=3", "--steps=2", "--quiet"]
    assert run(*words, "--output", tmp_path / "tree") == 0
    dataset = open_dataset(tmp_path / "tree")
    assert dataset.classes == ("no", "sphere", "vort")
    assert (dataset.images().min(), dataset.images().max()) == (0, 1)
    assert dataset.images().dtype == np.float64
    assert (tmp_path / "tree" / "vort" / "00000002.npy").is_file()
    assert run(*words, "--expected", "--label=axion", "--output", tmp_path / "mean") == 0
    (first, *_) = sorted((tmp_path / "mean" / "vort").glob("*.npy"))
    assert np.load(first).dtype == np.float32


def test_it_says_what_it_does(tiny_generator: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "darklens", "generate", "--model", str(tiny_generator)]
    command += ["--count=1", "--steps=1", "--output", str(tmp_path / "one.png")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == "generating 1 images with 'tiny-generator'"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model=nothing"], "there is no model 'nothing'"),
        (["--count=0"], "--count must be from 1"),
        (["--count=0", "--output=x.zarr"], "count"),
        (["--count=401"], "1 to 400 images"),
        (["--label=ring"], "no class 'ring'"),
        (["--steps=0"], "--steps must be from 1"),
        (["--seed=-1"], "seed"),
        (["--batch=0"], "batch"),
        (["--guidance=nan"], "guidance"),
        (["--steps=9999", "--output=x.zarr"], "supports 1 to 256 steps"),
        (["--model=common-test-1", "--guidance=2", "--output=x.zarr"], "a guidance of 0 or 1"),
        (["--device=abacus"], "abacus"),
        (["--output=.."], "not a valid name"),
    ],
)
def test_wrong_input_exits_with_2_and_one_line(
    words: list[str],
    message: str,
    tiny_generator: Path,
    tmp_path: Path,
    error_line: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("--model", tiny_generator, "--output", "x.png", *words, "--quiet") == 2
    error = error_line()
    assert message in error
    assert list(tmp_path.iterdir()) == []


def test_a_classifier_generates_nothing(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--model", tiny_model, "--output", tmp_path / "x.png") == 2
    assert "is a classifier, not a generator" in capsys.readouterr().err


def test_names_of_other_files_are_refused_before_the_model_is_loaded(
    tmp_path: Path, error_line: Callable[[], str]
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    before = list(tmp_path.iterdir())
    for name in ("x.jpg", "x.npy", "x.fits", "link", "link/x.zarr"):
        assert main(["generate", "--model", "no-such", "--output", str(tmp_path / name)]) == 2
        error = error_line()
        assert "should be a folder" in error or "symbolic link" in error
    assert list(tmp_path.iterdir()) == before
