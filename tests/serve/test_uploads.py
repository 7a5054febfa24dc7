"""Uploaded files and archives."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from darklens.data import read_image
from darklens.errors import BadInput
from darklens.serve.uploads import store_uploads

IMAGE = np.random.default_rng(0).random((20, 20)).astype(np.float32)


def _npy(image: np.ndarray = IMAGE) -> bytes:
    memory = io.BytesIO()
    np.save(memory, image)
    return memory.getvalue()


def _zip(**members: bytes) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return memory.getvalue()


def _stored(folder: Path, limit: int = 10**6, **files: bytes) -> dict[str, Path]:
    given = [(name, io.BytesIO(content)) for name, content in files.items()]
    uploads = store_uploads(given, folder, channels=1, limit=limit)
    return {upload.label: upload.path for upload in uploads}


@pytest.mark.parametrize(
    "name", ["../../etc/a.npy", "/root/a.NPY", "a\x1b[31m\n.npy", "a" * 900 + ".npy"]
)
def test_the_name_is_only_a_label(name: str, tmp_path: Path) -> None:
    ((label, path),) = _stored(tmp_path, **{name: _npy()}).items()
    assert path == tmp_path / "000000.npy"
    assert label.isprintable()
    assert len(label) <= 200
    np.testing.assert_array_equal(read_image(path)[0], IMAGE)


def test_a_stack_is_its_images(tmp_path: Path) -> None:
    found = _stored(tmp_path, **{"s.npy": _npy(np.stack([IMAGE] * 3)[:, None])})
    assert list(found) == ["s.npy[0]", "s.npy[1]", "s.npy[2]"]
    np.testing.assert_array_equal(read_image(found["s.npy[2]"])[0], IMAGE)


def test_an_archive_is_its_images_without_the_rest(tmp_path: Path) -> None:
    members = {
        "a/b.npy": _npy(),
        "../c.npy": _npy(),
        ".d.npy": b"",
        "e.txt": b"",
        "__MACOSX/f.npy": b"",
    }
    found = _stored(tmp_path, **{"all.zip": _zip(**members)})
    assert list(found) == ["a/b.npy", "../c.npy"]
    assert {path.parent for path in found.values()} == {tmp_path}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.zip": b"PK\x03\x04 nonsense"}, "a.zip cannot be unpacked: it is damaged"),
        ({"a.zip": _zip(**{"a.npy": _npy()})[:-30]}, "a.zip cannot be unpacked"),
        ({"a.zip": _zip(**{"a.txt": b"text"})}, "no image file in the upload"),
        ({"a.zip": _zip(**{"a.npy": bytes(2 * 10**6)})}, "the files hold more than 1 MB"),
        ({"a.npy": bytes(2 * 10**6)}, "the files hold more than 1 MB"),
        ({"a.zip": _zip(**{f"{k}.png": b"" for k in range(501)})}, "more than 500 files"),
        ({"a.npy": _npy(np.zeros((2001, 1, 8, 8), np.uint8))}, "more than 2000 images"),
    ],
)
def test_what_cannot_be_used_is_refused(
    files: dict[str, bytes], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=message):
        _stored(tmp_path, **files)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    content = bytearray(_zip(**{"a.npy": _npy()}))
    content[6] |= 1  # the flag of encryption, in both headers
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(BadInput, match="encrypted"):
        _stored(tmp_path, **{"a.zip": bytes(content)})
