"""Pickles are taken apart: every way to keep an image is read, every attack is one line."""

import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darklens.data import read_image
from darklens.errors import UnreadableImage

IMAGE = np.random.default_rng(0).random((20, 20))
HEADER = b"\x93NUMPY\x01\x00\x3d\x00{'descr': '|O', 'fortran_order': False, 'shape': (2,), }    \n"


def objects(*items: Any) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def pickled(path: Path, content: bytes) -> Path:
    path.write_bytes(HEADER + content)
    return path


def reason(path: Path) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read_image(path)
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        objects(*IMAGE),
        objects(IMAGE.ravel(), 1e-23),
        objects(IMAGE.ravel(), np.float64(1e-23)),
        IMAGE.astype(object),
        IMAGE.ravel().astype(object),
        objects(*(row.tolist() for row in IMAGE)),
        objects(IMAGE[None], {"axion_mass": 1e-23}, "vort", None),
        objects(1e-23, IMAGE),
        objects(np.stack([IMAGE] * 3), 1e-23),
        objects([IMAGE, 1e-23]),
    ],
    ids=lambda content: str(content.shape),
)
def test_every_way_to_keep_an_image_as_objects(tmp_path: Path, content: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", content, allow_pickle=True)
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy"), IMAGE[None])


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_every_protocol(tmp_path: Path, protocol: int) -> None:
    content = pickle.dumps(objects(IMAGE, np.float64(1.0), "text"), protocol=protocol)
    np.testing.assert_array_equal(read_image(pickled(tmp_path / "a.npy", content))[0], IMAGE)


def test_arrays_of_several_shapes_are_not_chosen_from(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", objects(IMAGE, IMAGE[:10]), allow_pickle=True)
    assert "several shapes: (20, 20), (10, 20)" in reason(tmp_path / "a.npy")


SCALAR = b"cnumpy._core.multiarray\nscalar\n"
ATTACKS = {
    # Each stack instruction that follows is spelt as `pickletools.dis` does.
    "state for a class": b"\x80\x04" + SCALAR + b"N}\x8c\x05builtK\x01s\x86b.",
    "a new object": b"\x80\x04cnumpy\nndarray\n)\x81.",
    "a name": b"cos\nsystem\n(S'true'\ntR.",
    "a large memo": b"\x80\x04Nr\x00\x00\x00\x08.",
    "an absent memo": b"\x80\x04h\x07.",
    "a persistent identity": b"Pname\n.",
    "a set": b"\x80\x04\x8f(K\x01\x90.",
    "no mark": b"\x80\x04t.",
    "nothing": b"\x80\x04.",
    "a call of a number": b"\x80\x04K\x01)R.",
    "no end": b"\x80\x04N",
    "a huge whole number": b"\x80\x04\x8b\xff\xff\xff\x7f\x01.",
    "an append to a tuple": b"\x80\x04)K\x01a.",
}


@pytest.mark.parametrize("content", ATTACKS.values(), ids=ATTACKS.keys())
def test_attacks_are_one_line_and_change_nothing(tmp_path: Path, content: bytes) -> None:
    assert "\n" not in reason(pickled(tmp_path / "bad.npy", content))
    np.save(tmp_path / "good.npy", objects(IMAGE, np.float64(1e-23)), allow_pickle=True)
    np.testing.assert_array_equal(read_image(tmp_path / "good.npy")[0], IMAGE)


def test_tuples_that_are_deep_are_neither_hashed_nor_followed(tmp_path: Path) -> None:
    deep = b"N" + b"\x85" * 20_000
    assert "deep" in reason(pickled(tmp_path / "a.npy", b"\x80\x04" + deep + b"."))
    as_a_key = b"\x80\x04}" + deep + b"K\x01s."
    assert "no image" in reason(pickled(tmp_path / "b.npy", as_a_key))


def test_what_grows_without_end_is_refused_at_once(tmp_path: Path) -> None:
    numbers = pickle.dumps(IMAGE, protocol=4)[:-1]
    doubled = numbers + b"\x94"
    for _ in range(7):
        doubled += b"q\x63(" + b"h\x63" * 40 + b"l"
    began = time.monotonic()
    said = reason(pickled(tmp_path / "a.npy", doubled + b"."))
    assert "more numbers than its size allows" in said
    assert time.monotonic() - began < 5
