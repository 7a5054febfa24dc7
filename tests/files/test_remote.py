"""Stores at URLs: in memory, as files, and on a server that speaks S3."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from darklens.cli.main import main
from darklens.data import open_store
from darklens.files.remote import fetched, sent_to

WORDS = ["--count", "6", "--seed", "2", "--workers", "1", "--quiet"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKLENS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an S3 server on this machine with the bucket `lenses`."""
    pytest.importorskip("moto.server")
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"], stderr=file
        )
    while "Running on http" not in log.read_text():
        assert server.poll() is None, log.read_text()
        time.sleep(0.05)
    address = log.read_text().partition("Running on ")[2].split()[0]
    urllib.request.urlopen(urllib.request.Request(f"{address}/lenses", method="PUT")).close()
    yield address
    server.kill()
    server.wait()


@pytest.fixture
def _credentials(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


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


def test_without_credentials_it_is_one_line(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, error_line: Callable[[], str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint + "1/closed")
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
