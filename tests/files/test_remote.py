"""Stores, images and tables at URLs: in memory, as files, and on a server that speaks S3."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from darklens import predict
from darklens.cli.main import main
from darklens.data import open_store
from darklens.files.remote import fetched, fetched_files, sent_file, sent_to

WORDS = ["--count", "6", "--seed", "2", "--workers", "1", "--quiet"]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def check_round_trip(url: str, tmp_path: Path, tiny_model: Path) -> None:
    """A store written to a URL has the bytes of one written here, and can be evaluated there."""
    here = tmp_path / "here.zarr"
    assert main(["simulate", str(here), *WORDS]) == 0
    assert main(["simulate", url, *WORDS]) == 0
    with fetched(Path(url)) as copy:
        assert contents(copy) == contents(here)
        assert len(open_store(copy)) == 6
    assert not list((tmp_path / "cache" / "outgoing").iterdir()), "nothing stays on this machine"
    model = ["--model", str(tiny_model), "--output", str(tmp_path / "report"), "--quiet"]
    assert main(["evaluate", "classifier", "--data", url, "--resamples", "20", *model]) == 0


def test_a_store_in_memory_and_as_a_file(tmp_path: Path, tiny_model: Path) -> None:
    check_round_trip("memory://lenses/a.zarr", tmp_path, tiny_model)
    url = f"file://{tmp_path}/there.zarr"
    assert main(["simulate", url, *WORDS]) == 0
    assert contents(tmp_path / "there.zarr") == contents(tmp_path / "here.zarr")
    assert (tmp_path / "there.zarr.config.yaml").is_file()


@pytest.mark.usefixtures("_credentials")
def test_a_store_on_s3(tmp_path: Path, tiny_model: Path, error_line: Callable[[], str]) -> None:
    url = "s3://lenses/survey/a.zarr"
    check_round_trip(url, tmp_path, tiny_model)
    assert main(["simulate", url, *WORDS]) == 2
    assert f"{url} exists already" in error_line()


@pytest.mark.usefixtures("_no_credentials")
def test_without_credentials_it_is_one_line(error_line: Callable[[], str]) -> None:
    assert main(["simulate", "s3://lenses/b.zarr", *WORDS]) == 2
    error = error_line()
    assert "cannot write s3://lenses/b.zarr" in error
    assert "AWS_ACCESS_KEY_ID" in error


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("memory://lenses/b", "must end in .zarr: only stores"),
        ("memory://lenses/b.png", "must end in .zarr: only stores"),
        ("nowhere://lenses/b.zarr", "cannot write nowhere://lenses/b.zarr"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    url: str, line: str, error_line: Callable[[], str]
) -> None:
    assert main(["simulate", url, *WORDS]) == 2
    assert line in error_line()


def test_no_store_at_a_url_is_one_line(tiny_model: Path, error_line: Callable[[], str]) -> None:
    words = ["evaluate", "classifier", "--model", str(tiny_model), "--data", "memory://none.zarr"]
    assert main(words) == 2
    assert "there is no store at memory://none.zarr" in error_line()


def test_a_store_that_is_not_wholly_sent_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error_line: Callable[[], str]
) -> None:
    files = fsspec.filesystem("memory")
    put = files.put_file
    sent = []

    def fail(*arguments: object, **options: object) -> None:
        sent.append(arguments)
        if len(sent) == 4:
            raise OSError("the network is down")
        put(*arguments, **options)

    monkeypatch.setattr(type(files), "put_file", staticmethod(fail))
    url = "memory://lenses/c.zarr"
    assert main(["simulate", url, *WORDS]) == 2
    assert "cannot write memory://lenses/c.zarr: the network is down" in error_line()
    with pytest.raises(Exception, match="there is no store"), fetched(Path(url)):
        pass
    monkeypatch.undo()
    monkeypatch.setenv("DARKLENS_CACHE", str(tmp_path / "cache"))
    assert main(["simulate", url, *WORDS]) == 0, "what was made is sent again"
    with fetched(Path(url)) as copy:
        assert len(open_store(copy)) == 6


def test_a_path_is_its_own_place(tmp_path: Path) -> None:
    with sent_to(tmp_path / "a.zarr") as place:
        assert place == tmp_path / "a.zarr"


def check_prediction(url: str, tmp_path: Path, tiny_model: Path) -> None:
    """Images and a table at URLs give the answers of the same files here."""
    here = tmp_path / "images"
    rng = np.random.default_rng(1)
    for name in ("b.npy", "sub/a.npy", "sub/stack.npz"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        shape = (2, 1, 150, 150) if name.endswith("npz") else (150, 150)
        image = rng.poisson(50, shape).astype(np.uint16)
        np.save(here / name, image) if name.endswith("npy") else np.savez(here / name, image)
        send(str(here / name), f"{url}/{name}")
    (here / "notes.txt").write_text("no image")
    send(str(here / "notes.txt"), f"{url}/notes.txt")
    words = ["--model", str(tiny_model), "--quiet"]
    expected = predict([str(here)], model=str(tiny_model), quiet=True)
    table = f"{url}/tables/found.csv"
    assert main(["predict", url, *words, "--output", table]) == 0
    for name, beginning in (("found.csv", "path,"), ("found.csv.config.yaml", "# darklens ")):
        with fetched_files([f"{url}/tables/{name}"], ()) as copies:
            text = Path(copies.inputs[0]).read_text()
        assert text.startswith(beginning)
        if name.endswith(".csv"):
            found = pd.read_csv(io.StringIO(text))
    names = ["b.npy", "sub/a.npy", "sub/stack.npz[0]", "sub/stack.npz[1]"]
    assert found["path"].tolist() == [f"{url}/{name}" for name in names]
    assert found["label"].tolist() == expected["label"].tolist()
    glob = predict([f"{url}/sub/*.npy", f"{url}/b.npy"], model=str(tiny_model), quiet=True)
    assert glob["path"].tolist() == [f"{url}/sub/a.npy", f"{url}/b.npy"]


def send(local: str, url: str) -> None:
    """Copy a file to a URL."""
    with sent_file(Path(url)) as place:
        shutil.copy(local, place)


@pytest.mark.parametrize("scheme", ["memory://lenses/images", "file://{}/there/images"])
def test_images_and_a_table_at_urls(scheme: str, tmp_path: Path, tiny_model: Path) -> None:
    check_prediction(scheme.format(tmp_path), tmp_path, tiny_model)


@pytest.mark.usefixtures("_credentials")
def test_images_and_a_table_on_s3(tmp_path: Path, tiny_model: Path) -> None:
    check_prediction("s3://lenses/images", tmp_path, tiny_model)


@pytest.mark.parametrize("verb", ["inspect", "fit"])
def test_verbs_for_telescope_images_read_urls(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, url = tmp_path / "cutouts", f"memory://telescope-{verb}/cutouts"
    here.mkdir()
    header = fits.Header({"CD1_1": -0.05 / 3600, "CD2_2": 0.05 / 3600, "CD1_2": 0, "CD2_1": 0})
    rng = np.random.default_rng(3)
    for name in ("a.fits", "a_rms.fits", "broken.fits"):
        fits.writeto(here / name, rng.normal(1, 0.1, (24, 24)).astype(np.float32), header)
    (here / "broken.fits").write_bytes(b"no image")
    (here / "darklens.yaml").write_text("pixel_scale: 0.05\n")
    for path in here.iterdir():
        send(str(path), f"{url}/{path.name}")
    tables = []
    for number, place in enumerate((str(here), url)):
        table = tmp_path / f"{number}.csv"
        options = ["--preset", "galaxy"] if verb == "fit" else []
        main([verb, place, *options, "--output", str(table), "--quiet"])
        tables.append(table.read_text().replace(place, "PLACE"))
    assert "darklens-" not in tables[1]
    assert tables[0] == tables[1]
    assert "PLACE/a.fits" in tables[0]
    assert url in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["memory://nothing"], "no images found at memory://nothing"),
        (["nowhere://images"], "cannot read nowhere://images"),
        (["memory://nothing/*.npy"], "no images found at memory://nothing/*.npy"),
        (["lens.npy", "--output", "nowhere://a/t.csv"], "cannot write nowhere://a/t.csv"),
        (["lens.npy", "--output", "memory://a/t.txt"], "must end in one of .csv"),
    ],
)
def test_no_image_or_place_at_a_url_is_one_line(
    words: list[str], line: str, tiny_model: Path, error_line: Callable[[], str]
) -> None:
    assert main(["predict", *words, "--model", str(tiny_model)]) == 2
    assert line in error_line()
