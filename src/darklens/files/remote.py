"""Stores, images and tables at URLs: `s3://BUCKET/NAME.zarr`, `file://` and all that fsspec knows.

A store is made in a folder of this machine, where it can be continued after a stop, and sent when
it is complete. The file that makes it a store, `zarr.json`, is sent last: a store that can be
opened is whole. A table is sent when it is written. An input is copied to a folder of this machine
first, and errors name its URL in place of the copy.

S3 is read and written by Arrow, which finds credentials, region and endpoint as the AWS tools do
(`AWS_ACCESS_KEY_ID`, `AWS_PROFILE`, `AWS_REGION`, `AWS_ENDPOINT_URL`, ...) and tries again when a
request fails.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darklens.errors import BadInput, DarklensError

__all__ = [
    "FetchedFiles",
    "check_url",
    "fetched",
    "fetched_files",
    "sent_file",
    "sent_to",
    "shown_path",
    "url_of",
]

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/(.*)", re.DOTALL)
_MAGIC = re.compile(r"[*?[]")
_ATTEMPTS = 5
_LAST = "zarr.json"  # a folder without it is no store
_CREDENTIALS = "; credentials are those of the AWS tools, such as AWS_ACCESS_KEY_ID"
# NotImplementedError is fsspec's, for a file system that cannot do what is asked.
_FAILURES = (OSError, ValueError, ImportError, KeyError, NotImplementedError)


def url_of(path: Path) -> str | None:
    """The URL that a path stands for, as a path has one slash in place of two; None for others.

    >>> url_of(Path("s3://bucket/lenses.zarr")), url_of(Path("lenses.zarr"))
    ('s3://bucket/lenses.zarr', None)
    """
    found = _URL.fullmatch(path.as_posix())
    if found is None:
        return None
    slashes = ":///" if found[1] == "file" else "://"
    return f"{found[1]}{slashes}{found[2]}"


def shown_path(path: Path) -> str:
    """A path as a user writes it, a URL too.

    >>> shown_path(Path("s3://bucket/lens.npy")), shown_path(Path("lens.npy"))
    ('s3://bucket/lens.npy', 'lens.npy')
    """
    return url_of(path) or str(path)


def check_url(output: Path) -> None:
    """Check before the work that there is a file system for the URL of a file to write.

    Raises:
        BadInput: If there is none.
    """
    url = str(url_of(output))
    with _in_words(url, "write"):
        _file_system(url)


@contextmanager
def sent_file(output: Path) -> Iterator[Path]:
    """The place on this machine where a file is written; sent to its URL when the block ends.

    Args:
        output: A path, which is its own place, or a URL.

    Raises:
        BadInput: If the URL cannot be written.
    """
    url = url_of(output)
    if url is None:
        yield output
        return
    with tempfile.TemporaryDirectory(prefix="darklens-") as folder:
        place = Path(folder) / output.name
        yield place
        with _in_words(url, "write"):
            files, target = _file_system(url)
            files.makedirs(target.rpartition("/")[0], exist_ok=True)
            files.put_file(str(place), target)


@contextmanager
def sent_to(output: Path) -> Iterator[Path]:
    """The place on this machine where an output is made; sent to its URL when the block ends.

    A stopped run finds what it has made in the same place.

    Args:
        output: A path, which is its own place, or the URL of a store.

    Raises:
        BadInput: If the URL is not that of a new store, or cannot be written.
    """
    url = url_of(output)
    if url is None:
        yield output
        return
    if output.suffix.lower() != ".zarr":
        raise BadInput(f"{url} must end in .zarr: only stores can be written to a URL")
    with _in_words(url, "write"):
        files, root = _file_system(url)
        if files.exists(f"{root}/{_LAST}"):
            raise BadInput(f"{url} exists already; choose another name or remove it first")
    place = _staging() / hashlib.sha256(url.encode()).hexdigest()[:16] / output.name
    place.parent.mkdir(parents=True, exist_ok=True)
    yield place
    with _in_words(url, "write"):
        _send(place, files, root)
    shutil.rmtree(place.parent)


@contextmanager
def fetched(source: Path) -> Iterator[Path]:
    """A data set on this machine; a copy of what is at a URL is removed at the end.

    Args:
        source: A path, which is its own place, or the URL of a store, of a folder, all of which is
            copied, or of a file.

    Raises:
        BadInput: If there is nothing at the URL, or it cannot be read.
    """
    url = url_of(source)
    if url is None:
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="darklens-") as folder:
        place = Path(folder) / source.name
        with _in_words(url, "read"):
            files, root = _file_system(url)
            names = [root] if _is_file(files, root) else files.find(root)
            if source.suffix.lower() == ".zarr" and f"{root}/{_LAST}" not in names:
                raise BadInput(f"there is no store at {url}")
            for name in names:
                _copy(files, name, place, name.removeprefix(root))
        if not names:
            raise BadInput(f"there are no data at {url}")
        with _known_in_errors(FetchedFiles([], {place: url})):
            yield place


@dataclass(frozen=True)
class FetchedFiles:
    """Inputs on this machine, and the names that the user knows them by.

    Attributes:
        inputs: Files and folders.
        tops: For each folder of copies, the URL that it stands for.
    """

    inputs: list[str]
    tops: dict[Path, str]

    def known_path(self, path: Path) -> Path:
        """The path that the user knows a file by; it may stand for a URL, as in `url_of`."""
        for place, top in self.tops.items():
            if path.is_relative_to(place):
                return Path(f"{top}/{path.relative_to(place)}")
        return path

    def known_text(self, text: str) -> str:
        """A text with URLs in place of the paths of copies."""
        for place, top in self.tops.items():
            text = text.replace(str(place), top)
        return text


@contextmanager
def fetched_files(inputs: Sequence[str], endings: Sequence[str]) -> Iterator[FetchedFiles]:
    """Files and folders on this machine; copies of those at URLs are removed at the end.

    Args:
        inputs: Paths, which are their own places, and URLs of files, folders and globs.
        endings: Of a folder at a URL, what the names of the files that are meant end in.

    Raises:
        BadInput: If there is no file at a URL, or it cannot be read.
    """
    urls = [url_of(Path(given)) for given in inputs]
    if not any(urls):
        yield FetchedFiles(list(inputs), {})
        return
    with tempfile.TemporaryDirectory(prefix="darklens-") as name:
        found = FetchedFiles([], {})
        for number, (given, url) in enumerate(zip(inputs, urls, strict=True)):
            if url is None:
                found.inputs.append(given)
                continue
            place = Path(name) / str(number)
            copies, found.tops[place] = _fetch(url, place, tuple(endings))
            found.inputs.extend(map(str, copies))
        with _known_in_errors(found):
            yield found


def _fetch(url: str, place: Path, endings: tuple[str, ...]) -> tuple[list[Path], str]:
    """Copy a file, a folder or what a glob matches; also the URL of the folder of the copies."""
    with _in_words(url, "read"):
        files, root = _file_system(url)
        depth = 1  # of what is copied below the folder, in parts of the URL
        magic = _MAGIC.search(root)
        above = root if magic is None else root[: magic.start()].rpartition("/")[0]
        folder_meant = not _is_file(files, above) and magic is None
        if magic is not None:
            names, depth = sorted(files.glob(root)), 1 + root.count("/", magic.start())
        elif not folder_meant:
            names = [root]
        else:
            names = [name for name in sorted(files.find(root)) if name.lower().endswith(endings)]
        if not folder_meant:  # the folder above may be that of a class
            depth = max(depth, min(depth + 1, root.strip("/").count("/")))
        top, folder = (text.rsplit("/", depth)[0] for text in (url.rstrip("/"), root))
        copies = [_copy(files, name, place, name.removeprefix(folder)) for name in names]
    if not copies:
        raise BadInput(f"no images found at {url}")
    return ([place / Path(root).name] if folder_meant else copies), top


def _is_file(files: Any, path: str) -> bool:
    """Whether there is a file; unlike fsspec's own `isfile`, it does not hide why none is seen."""
    try:
        return bool(files.info(path)["type"] == "file")
    except FileNotFoundError:
        return False


def _copy(files: Any, name: str, place: Path, below: str) -> Path:
    """Copy a file to a path below a place on this machine."""
    if ".." in below.split("/"):  # object stores allow such names
        raise BadInput(f"{name} is not copied: .. in its name leads out of the folder")
    local = place / below.lstrip("/")
    local.parent.mkdir(parents=True, exist_ok=True)
    files.get_file(name, str(local))
    return local


@contextmanager
def _known_in_errors(copies: FetchedFiles) -> Iterator[None]:
    """Errors of the block name URLs in place of the copies."""
    try:
        yield
    except DarklensError as error:
        error.args = tuple(copies.known_text(str(part)) for part in error.args)
        raise


def _send(place: Path, files: Any, root: str) -> None:
    """Send a store, and the configuration of its run beside it."""
    names = [path for path in sorted(place.rglob("*")) if path.is_file() and path.name != _LAST]
    names += sorted(place.rglob(_LAST), key=lambda path: -len(path.parts))
    for path in names:
        target = f"{root}/{path.relative_to(place).as_posix()}"
        files.makedirs(target.rpartition("/")[0], exist_ok=True)
        files.put_file(str(path), target)
    beside = place.with_name(f"{place.name}.config.yaml")
    if beside.is_file():
        files.put_file(str(beside), f"{root}.config.yaml")


def _file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    if not url.startswith("s3://"):
        from fsspec.core import url_to_fs

        files, root = url_to_fs(url)
        return files, root.rstrip("/")
    from fsspec.implementations.arrow import ArrowFSWrapper
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    s3 = S3FileSystem(
        endpoint_override=endpoint,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    )
    return ArrowFSWrapper(s3), url.removeprefix("s3://").rstrip("/")


@contextmanager
def _in_words(url: str, what: str) -> Iterator[None]:
    try:
        yield
    except _FAILURES as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        hint = _CREDENTIALS if url.startswith("s3://") else ""
        raise BadInput(f"cannot {what} {url}: {reason}{hint}") from error


def _staging() -> Path:
    """Folder for outputs that are not yet sent."""
    if given := os.environ.get("DARKLENS_CACHE"):
        return Path(given) / "outgoing"
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "darklens" / "outgoing"
