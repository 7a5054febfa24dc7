"""Stacks of images in one file: their names, their shapes, reading one image without the others."""

import io
import os
import pickle
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darklens.data import find_images, read_image
from darklens.data.npz_files import read_columns, read_labels
from darklens.data.stacks import Stack, expand_stacks, open_stack
from darklens.errors import BadInput, UnreadableImage

IMAGES = np.random.default_rng(0).poisson(9, (20, 12, 12)).astype(np.uint16)


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


@pytest.mark.parametrize("form", ["npy", "stored", "compressed", "fortran", "compressed fortran"])
@pytest.mark.parametrize("shape", [(20, 12, 12), (20, 1, 12, 12), (20, 12, 12, 1)])
def test_each_image_is_read_by_its_name(tmp_path: Path, form: str, shape: tuple[int, ...]) -> None:
    values = IMAGES.reshape(shape)
    if "fortran" in form:
        values = np.asfortranarray(values)
    path = tmp_path / ("stack.npy" if form in ("npy", "fortran") else "stack.npz")
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        save = np.savez if form == "stored" else np.savez_compressed
        save(path, images=values)
    found = expand_stacks(find_images([path]))
    assert names(found) == [f"{path.name}[{k}]" for k in range(20)]
    for k in (0, 7, 19):
        np.testing.assert_array_equal(read_image(found[k])[0], IMAGES[k])
        assert find_images([found[k]]) == [found[k]]
        assert find_images(str(found[k])) == [found[k]]
    with pytest.raises(UnreadableImage, match="no image 20 in the stack; its images are 0 to 19"):
        read_image(f"{path}[20]")


def test_threads_and_processes_read_one_compressed_stack(tmp_path: Path) -> None:
    path = tmp_path / "stack.npz"
    np.savez_compressed(path, images=IMAGES)
    wrong = []

    def read() -> None:
        for k in range(20):
            if not np.array_equal(read_image(f"{path}[{k}]")[0], IMAGES[k]):
                wrong.append(k)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_changed_stack_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "stack.npy"
    np.save(path, IMAGES)
    read_image(f"{path}[3]")
    np.save(tmp_path / "new.npy", IMAGES[::-1])
    (tmp_path / "new.npy").replace(path)
    np.testing.assert_array_equal(read_image(f"{path}[3]")[0], IMAGES[16])


def test_what_few_planes_are_is_decided_and_said(tmp_path: Path) -> None:
    path = tmp_path / "few.npy"
    np.save(path, IMAGES[:5])
    said: list[str] = []
    assert len(expand_stacks([path], channels=1, say=said.append)) == 5
    assert "is read as 5 images of one channel, to match the model" in said[0]
    assert "--stack false" in said[0]
    for channels in (3, 5):
        assert expand_stacks([path], channels=channels) == [path]
    assert expand_stacks([path], stacked=False) == [path]
    assert len(expand_stacks([path], channels=5, stacked=True)) == 5
    with pytest.raises(
        BadInput, match=r"may be 5 images, or one image of 5 channels: give --stack"
    ):
        expand_stacks([path])
    np.savez(tmp_path / "few.npz", images=IMAGES[:5])
    assert len(expand_stacks([tmp_path / "few.npz"])) == 5
    np.save(path, np.repeat(IMAGES[:1], 3, axis=0))  # grey, in three colours
    assert expand_stacks([path], channels=1) == [path]
    assert read_image(path).shape == (1, 12, 12)


@pytest.mark.parametrize(
    "shape", [(12, 12), (1, 12, 12), (1, 1, 12, 12), (40, 40, 3), (40, 40, 1), (1, 3, 12, 12)]
)
def test_one_image_is_no_stack(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "one.npy"
    np.save(path, np.arange(float(np.prod(shape))).reshape(shape))
    assert expand_stacks([path]) == [path]
    assert read_image(path).ndim == 3


def test_one_image_in_an_archive(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", lens=IMAGES[0], redshift=np.array(0.5))
    np.testing.assert_array_equal(read_image(tmp_path / "one.npz")[0], IMAGES[0])
    np.savez(tmp_path / "two.npz", images=IMAGES[:1])
    assert names(expand_stacks([tmp_path / "two.npz"])) == ["two.npz[0]"]


def test_the_array_of_images_must_be_clear(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", first=IMAGES, second=IMAGES)
    with pytest.raises(
        UnreadableImage, match=r"several arrays .*first, second.* name one 'images'"
    ):
        read_image(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", arr_0=IMAGES, labels=np.zeros(20))
    assert len(open_stack(tmp_path / "a.npz")) == 20
    np.savez(tmp_path / "a.npz", labels=np.zeros(20))
    with pytest.raises(UnreadableImage, match="no array of images"):
        read_image(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", IMAGES)
    with pytest.raises(UnreadableImage, match=r"a stack of 20 images: b.npz\[0\]"):
        read_image(tmp_path / "b.npz")


def test_labels_and_columns_beside_the_images(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    mass = np.arange(20.0)
    kinds = np.array(["no", "vort"])
    numbers = np.arange(20) % 2
    wanted = kinds[numbers].tolist()
    for labels, classes in ((numbers, kinds), (numbers.astype(float), kinds), (kinds[numbers], [])):
        np.savez(path, images=IMAGES, labels=labels, classes=classes, axion_mass=mass, seed=3)
        assert read_labels(path, 20) == wanted
        np.testing.assert_array_equal(read_columns(path, 20)["axion_mass"], mass)
        assert set(read_columns(path, 20)) == {"axion_mass"}
    np.savez(path, images=IMAGES)
    assert read_labels(path, 20) is None
    bad = {
        "add an array 'classes'": {"labels": numbers},
        "from 0 to 1": {"labels": numbers - 1, "classes": kinds},
        "need one per image": {"labels": numbers[:5], "classes": kinds},
        "holds objects": {"labels": np.array([None] * 20), "classes": kinds},
    }
    for message, arrays in bad.items():
        np.savez(path, images=IMAGES, **arrays)
        with pytest.raises(UnreadableImage, match=message):
            read_labels(path, 20)


class Trojan:
    """Runs a command when it is unpickled by an unguarded reader."""

    def __reduce__(self):
        return exec, ("open('trojan', 'w').close()",)


def test_bad_archives_have_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.npz"
    np.savez(path, images=IMAGES)
    whole = path.read_bytes()
    stored = len(whole)
    for content, reason in {
        b"": "the file is empty",
        b"no archive": "not a .npz archive",
        whole[: stored // 2]: "not a .npz archive",
        pickle.dumps(Trojan()): "not a .npz archive",
    }.items():
        path.write_bytes(content)
        with pytest.raises(UnreadableImage, match=reason):
            read_image(path)
        assert expand_stacks([path]) == [path]
    np.savez(path, images=np.array([Trojan()] * 3))
    with pytest.raises(UnreadableImage, match="holds objects"):
        read_image(path)
    assert not Path("trojan").exists()
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 500, 500)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", header.getvalue())
    with pytest.raises(UnreadableImage, match="cut short"):
        read_image(path)


def test_an_archive_that_is_compressed_too_far_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    header = io.BytesIO()
    shape = (3000, 200, 200)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    zeros = bytes(2**24)
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("images.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for _ in range(29):
            member.write(zeros)
    assert path.stat().st_size < 2**20
    with pytest.raises(UnreadableImage, match="compression ratio too high"):
        read_image(f"{path}[0]")


@given(st.integers(0, 10**9), st.binary(min_size=1, max_size=8), st.booleans())
def test_damaged_archives_never_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory, place: int, noise: bytes, packed: bool
) -> None:
    content = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(
        content, images=IMAGES[:3], labels=["no", "no", "vort"], x=np.arange(3)
    )
    damaged = bytearray(content.getvalue())
    place %= len(damaged)
    damaged[place : place + len(noise)] = noise
    path = tmp_path_factory.getbasetemp() / f"damaged{os.getpid()}.npz"
    path.unlink(missing_ok=True)
    path.write_bytes(damaged)
    try:
        read_image(expand_stacks([path])[0])
        read_labels(path, 3)
        read_columns(path, 3)
    except UnreadableImage:
        pass


def test_a_large_stack_is_not_loaded_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (20_000, 250, 250)}
        )
        file.truncate(file.tell() + 20_000 * 250 * 250 * 8)  # 10 GB of nothing
        file.seek(-8, 2)
        file.write(np.float64(1.0).tobytes())
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30));"
        "from darklens.data import read_image; import sys; print(read_image(sys.argv[1]).sum())"
    )
    command = [sys.executable, "-c", program, f"{path}[19999]"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "1.0\n", done.stderr
    assert len(Stack(path)) == 20_000
