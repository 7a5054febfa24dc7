"""Data sets at URLs: training and evaluation copy them, use the copy and name the URL."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest
import yaml

from darklens.cli.main import main
from darklens.data import open_store
from darklens.errors import BadInput
from darklens.files.remote import fetched, sent_file

CLASSES = ("no", "sphere", "vort")
TINY = ["--budget.epochs=1", "--data.folds=2", "--data.batch_size=4"]
CLASSIFIER = [*TINY, '--preprocessing=[{"min_max": {}}]']
CLASSIFIER += ['--network={"name": "backbone", "backbone": "test_resnet"}']
COMPONENTS = (
    '--network={"name": "components", "size": 16, "grid": 4, "components": 3, "width": 16, '
    '"blocks": 1, "embedding": 8}'
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven images of noise of each class, 16 x 16 pixels."""
    root = tmp_path_factory.mktemp("data") / "tree"
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for number in range(7):
            np.save(root / name / f"{number}.npy", rng.random((1, 16, 16)))
    return root


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder, in which nothing must stay."""
    folder = tmp_path / "copies"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def send(folder: Path, url: str) -> str:
    """Copy a folder to a URL."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with sent_file(Path(f"{url}/{path.relative_to(folder)}")) as place:
                shutil.copy(path, place)
    return url


def check_training(url: str, tree: Path, tmp_path: Path, copies: Path) -> None:
    """A classifier trained on images at a URL is that of the same images here."""
    send(tree, url)
    words = ["train", "classifier", *CLASSIFIER, "--quiet"]
    here, there = tmp_path / "here", tmp_path / "there"
    assert main([*words, f"--data.path={tree}", f"--output={here}"]) == 0
    assert main([*words, f"--data.path={url}", f"--output={there}"]) == 0
    weights = [run / "model" / "weights.safetensors" for run in (here, there)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert (here / "parts.csv").read_text() == (there / "parts.csv").read_text()
    assert yaml.safe_load((there / "config.yaml").read_text())["data"]["path"] == url
    report = tmp_path / "report"
    words = ["evaluate", "classifier", f"--run={there}", "--part=val", "--resamples=20"]
    assert main([*words, f"--output={report}", "--quiet"]) == 0
    words = ["evaluate", "classifier", f"--model={there / 'model'}", f"--data={url}"]
    assert main([*words, f"--output={report}", "--resamples=20", "--quiet"]) == 0
    assert yaml.safe_load((report / "config.yaml").read_text())["data"] == url
    assert not list(copies.glob("darklens-*"))


@pytest.mark.parametrize("scheme", ["memory://training/tree", "file://{}/remote/tree"])
def test_a_classifier_on_images_at_a_url(
    scheme: str, tree: Path, tmp_path: Path, copies: Path
) -> None:
    check_training(scheme.format(tmp_path), tree, tmp_path, copies)


@pytest.mark.usefixtures("_credentials")
def test_a_classifier_on_images_on_s3(tree: Path, tmp_path: Path, copies: Path) -> None:
    check_training("s3://lenses/training/tree", tree, tmp_path, copies)


def test_the_folds_share_one_copy(
    tree: Path, tmp_path: Path, copies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = send(tree, "memory://folds/tree")
    words = [f"--data.path={url}", "--data.fold=all", f"--output={tmp_path / 'run'}"]
    assert main(["train", "classifier", *CLASSIFIER, *words]) == 0
    said = capsys.readouterr().err
    assert said.count(f"copying {url}") == 1
    assert f"fold 2 of 2 of {url}" in said
    assert str(copies) not in said
    assert not list(copies.glob("darklens-*"))


def test_a_generator_on_a_store_at_a_url(tree: Path, tmp_path: Path, copies: Path) -> None:
    url = "memory://generator/lenses.zarr"
    assert main(["convert", send(tree, "memory://generator/tree"), "--output", url, "--quiet"]) == 0
    with fetched(Path(url)) as place:
        store = open_store(place)
        names = store.parameters()["path"].tolist()
        assert len(store) == 21
    assert sorted(names)[0] == "memory://generator/tree/no/0.npy"
    words = [f"--data.path={url}", COMPONENTS, "--preview_epochs=0", "--quiet"]
    run = tmp_path / "run"
    assert main(["train", "generator", *TINY, *words, f"--output={run}"]) == 0
    made = "memory://generator/made.zarr"
    words = [f"--model={run / 'model'}", "--count=24", "--steps=1", f"--output={made}"]
    assert main(["generate", *words, "--quiet"]) == 0
    words = [f"--generated={made}", f"--data={url}", f"--training={url}", "--classifier=none"]
    words += ["--splits=1", f"--output={tmp_path / 'report'}", "--quiet"]
    assert main(["evaluate", "generator", *words]) == 0
    settings = yaml.safe_load((tmp_path / "report" / "config.yaml").read_text())
    assert [settings[name] for name in ("generated", "data", "training")] == [made, url, url]
    assert not list(copies.glob("darklens-*"))


def test_bad_images_are_named_by_their_urls(
    tree: Path, tmp_path: Path, copies: Path, error_line: Callable[[], str]
) -> None:
    shutil.copytree(tree, tmp_path / "tree")
    for number in (1, 2):
        (tmp_path / "tree" / "no" / f"{number}.npy").write_bytes(b"no image")
    url = send(tmp_path / "tree", "memory://bad/tree")
    words = [f"--data.path={url}", f"--output={tmp_path / 'run'}", "--quiet"]
    assert main(["train", "classifier", *CLASSIFIER, *words]) == 2
    error = error_line()
    assert f"error: {url}: 2 of 21 images" in error
    assert str(copies) not in error
    listed = pd.read_csv(tmp_path / "run" / "bad_files.csv")["path"]
    assert listed.tolist() == [f"{url}/no/1.npy", f"{url}/no/2.npy"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--data.path=memory://nothing"], "there are no data at memory://nothing"),
        (["--data.path=memory://nothing.zarr"], "there is no store at memory://nothing.zarr"),
        (["--data.path=nowhere://data"], "cannot read nowhere://data"),
        (["--data.path=.", "--output=s3://b/run"], "--output s3://b/run: a run keeps its check"),
        (["--data.path=.", "--data.cache=s3://b/c"], "--data.cache s3://b/c: prepared images"),
    ],
)
def test_what_training_cannot_read_or_write_is_one_line(
    words: list[str], line: str, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    assert (
        main(["train", "classifier", *TINY, "--quiet", f"--output={tmp_path / 'run'}", *words]) == 2
    )
    assert line in error_line()


@pytest.mark.usefixtures("_no_credentials")
def test_training_without_credentials_is_one_line(
    tmp_path: Path, error_line: Callable[[], str]
) -> None:
    words = ["--data.path=s3://lenses/tree", f"--output={tmp_path / 'run'}", "--quiet"]
    assert main(["train", "classifier", *TINY, *words]) == 2
    error = error_line()
    assert "cannot read s3://lenses/tree" in error
    assert "AWS_ACCESS_KEY_ID" in error


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "classifier", "--preset=model-1-legacy", "--output=memory://out/a"],
        ["predict", "lens.npy", "--figures=memory://out/a"],
        ["fit", "lens.npy", "--preset=model-1-legacy", "--figures=memory://out/a"],
    ],
)
def test_folders_of_reports_and_figures_are_made_here(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error_line: Callable[[], str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert "cannot write memory://out/a: this folder is made on this machine" in error_line()
    assert not list(tmp_path.iterdir())


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    files = fsspec.filesystem("memory")
    files.pipe_file("/escape/tree/a.npy", b"")
    files.store["/escape/tree/../../../b.npy"] = files.store["/escape/tree/a.npy"]
    with (
        pytest.raises(BadInput, match="leads out of the folder"),
        fetched(Path("memory://escape/tree")),
    ):
        pass
