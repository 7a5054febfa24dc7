"""Every format is read, and whatever is wrong with a file is one line, never an execution."""

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from darklens.data import read_image
from darklens.errors import UnreadableImage

IMAGE = np.arange(48, dtype=np.float64).reshape(6, 8) / 47


def reason(path: Path) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read_image(path)
    text = str(caught.value)
    assert text
    assert "\n" not in text
    assert len(text) < 200
    return text


def save(path: Path, image: Any) -> Path:
    np.save(path, image, allow_pickle=True)
    return path


def objects(*items: Any) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "i8", "f4", "f8", ">f8", ">u2", "f2", "?"])
def test_npy_of_every_real_type(tmp_path: Path, dtype: str) -> None:
    image = (IMAGE * 40).astype(dtype)
    read = read_image(save(tmp_path / "a.npy", image))
    assert read.shape == (1, 6, 8)
    assert read.dtype.isnative
    np.testing.assert_array_equal(read[0], image)


@pytest.mark.parametrize("shape", [(6, 8), (1, 6, 8), (4, 6, 8)])
def test_npy_shapes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    image = np.arange(np.prod(shape)).reshape(shape)
    read = read_image(save(tmp_path / "a.npy", image))
    np.testing.assert_array_equal(read, image.reshape(-1, 6, 8))


def test_npy_in_fortran_order(tmp_path: Path) -> None:
    read = read_image(save(tmp_path / "a.npy", np.asfortranarray(IMAGE)))
    np.testing.assert_array_equal(read[0], IMAGE)


@pytest.mark.parametrize("mass", [1e-23, np.float64(1e-23), np.array(1e-23), np.array([1e-23])])
def test_pickled_image_with_axion_mass(tmp_path: Path, mass: Any) -> None:
    read = read_image(save(tmp_path / "a.npy", objects(IMAGE, mass)))
    np.testing.assert_array_equal(read[0], IMAGE)


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("image", [IMAGE, np.asfortranarray(IMAGE), (IMAGE * 99).astype(">u2")])
def test_pickles_as_numpy_has_written_them(
    tmp_path: Path, protocol: int, image: np.ndarray
) -> None:
    path = tmp_path / "a.npy"
    save(path, objects(image, 1e-23))
    header = path.read_bytes()[:128]
    path.write_bytes(header + pickle.dumps(objects(image, 1e-23), protocol=protocol))
    np.testing.assert_array_equal(read_image(path)[0], image)


class Runs:
    """Runs a command when an ordinary unpickler reads it."""

    def __init__(self, command: Any, *arguments: Any) -> None:
        self.call = (command, arguments)

    def __reduce__(self) -> Any:
        return self.call


def test_malicious_pickles_are_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    attacks = [Runs(open, str(mark), "w"), Runs(eval, f"open({str(mark)!r}, 'w')"), np.ma.array]
    for attack in attacks:
        path = save(tmp_path / "bad.npy", objects(attack, 1.0))
        assert "refused" in reason(path)
        path = save(tmp_path / "bad.npy", objects(IMAGE, attack))
        assert "refused" in reason(path)
    assert not mark.exists()


def test_pickled_arrays_of_pointers_are_not_rebuilt_from_bytes(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", objects(IMAGE, 1.0))
    content = path.read_bytes()
    assert content.count(b"f8") == 1
    path.write_bytes(content.replace(b"f8", b"O8"))
    assert reason(path)


def test_pickle_without_an_image(tmp_path: Path) -> None:
    assert "no image" in reason(save(tmp_path / "a.npy", objects("text", 1.0)))
    assert "type" in reason(save(tmp_path / "b.npy", objects(np.array(["a", "b"]), 1.0)))
    nested: Any = 1.0
    for _ in range(20):
        nested = [nested]
    assert "deep" in reason(save(tmp_path / "c.npy", objects(nested, 1.0)))


def with_pixel(value: float) -> np.ndarray:
    image = IMAGE.copy()
    image[2, 3] = value
    return image


@pytest.mark.parametrize(
    ("expected", "image"),
    [
        ("NaN", with_pixel(np.nan)),
        ("infinite", with_pixel(-np.inf)),
        ("constant: every pixel is 3", np.full((6, 8), 3)),
        ("wrong shape (8,)", np.arange(8)),
        ("wrong shape (2, 1, 6, 8)", np.stack([IMAGE, IMAGE])[:, None]),
        ("stack", np.random.default_rng(0).random((30, 20, 20))),
        ("which axis holds the channels", np.arange(27).reshape(3, 3, 3)),
        ("which axis holds the channels", np.arange(3 * 64 * 3).reshape(3, 64, 3)),
        ("wrong shape (1, 0, 8)", np.zeros((0, 8))),
        ("wrong shape ()", np.float64(1)),
        ("type complex128", IMAGE * 1j),
        ("type <U1", np.array([["a", "b"], ["c", "d"]])),
        ("type [('x'", np.zeros((6, 8), dtype=[("x", "f8")])),
    ],
)
def test_unsuitable_arrays(tmp_path: Path, expected: str, image: Any) -> None:
    assert expected in reason(save(tmp_path / "a.npy", image))


def test_files_that_are_not_what_their_name_says(tmp_path: Path) -> None:
    contents = {"empty": b"", "text": b"hello, I am not an array\n", "short": b"\x93NUM"}
    expected = {"empty": "the file is empty", "text": "not a", "short": "not a"}
    for name, content in contents.items():
        for ending in (".npy", ".fits", ".jpg", ".png"):
            path = tmp_path / f"{name}{ending}"
            path.write_bytes(content)
            assert expected[name] in reason(path)
    assert reason(tmp_path / "absent.npy") == "no such file"
    assert "ending" in reason(save(tmp_path / "a.npy", IMAGE).rename(tmp_path / "a.data"))
    assert "folder" in reason(tmp_path)


def test_a_huge_shape_in_a_small_file_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**9)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.write(b"0" * 100)
    assert reason(path) == "the file is cut short"


def test_nan_is_allowed_where_it_is_asked_for(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", with_pixel(np.nan))
    np.testing.assert_array_equal(read_image(path, allow_nan=True)[0], with_pixel(np.nan))
    path = save(tmp_path / "b.npy", np.full((6, 8), np.nan))
    with pytest.raises(UnreadableImage, match="every pixel is NaN"):
        read_image(path, allow_nan=True)


@pytest.mark.parametrize(
    "stored",
    [
        np.arange(400.0).reshape(20, 20, 1),
        np.arange(400.0).reshape(1, 1, 20, 20),
        np.arange(400.0).reshape(1, 20, 20, 1),
        np.arange(400.0),
        np.arange(400.0).reshape(1, 400),
        np.stack([np.arange(400.0).reshape(20, 20)] * 3),
        np.stack([np.arange(400.0).reshape(20, 20)] * 3, axis=-1),
    ],
    ids=lambda stored: str(stored.shape),
)
def test_shapes_of_one_grey_image(tmp_path: Path, stored: np.ndarray) -> None:
    read = read_image(save(tmp_path / "a.npy", stored))
    np.testing.assert_array_equal(read, np.arange(400.0).reshape(1, 20, 20))


def test_colours_may_come_last(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).random((20, 24, 3))
    read = read_image(save(tmp_path / "a.npy", colour))
    np.testing.assert_array_equal(read, np.moveaxis(colour, -1, 0))


@pytest.mark.parametrize("kind", ["f2", "g", ">f8", ">i2"])
def test_other_precisions_and_byte_orders(tmp_path: Path, kind: str) -> None:
    image = (IMAGE * 90).astype(kind)
    read = read_image(save(tmp_path / "a.npy", image))
    assert read.dtype in (np.float32, np.float64, np.int16)
    np.testing.assert_array_equal(read[0], image.astype(read.dtype))


def test_a_picture_of_too_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    Image.new("L", (11_000, 10_000)).save(tmp_path / "a.png", compress_level=1)
    assert "too many pixels" in reason(tmp_path / "a.png")


def write_picture(path: Path, values: np.ndarray, **options: Any) -> Path:
    Image.fromarray(values).save(path, **options)
    return path


def test_grey_pictures(tmp_path: Path) -> None:
    grey = (IMAGE * 255).astype(np.uint8)
    for values in (
        grey,
        np.stack([grey] * 3, axis=-1),
        np.stack([grey] * 3 + [grey * 0 + 255], -1),
    ):
        read = read_image(write_picture(tmp_path / "a.png", values))
        np.testing.assert_array_equal(read, grey[None])
    deep = (IMAGE * 65535).astype(np.uint16)
    np.testing.assert_array_equal(read_image(write_picture(tmp_path / "b.png", deep))[0], deep)
    lossy = read_image(write_picture(tmp_path / "c.JPG", grey, quality=95))
    assert lossy.shape == (1, 6, 8)
    assert np.abs(lossy[0].astype(int) - grey).max() < 20


def test_palette_pictures_are_grey_again(tmp_path: Path) -> None:
    grey = (IMAGE * 255).astype(np.uint8)
    Image.fromarray(grey).convert("P").save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[0], grey)


def test_colour_pictures_give_three_channels(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    read = read_image(write_picture(tmp_path / "a.png", colour))
    np.testing.assert_array_equal(read, np.moveaxis(colour, -1, 0))


def test_unsuitable_pictures(tmp_path: Path) -> None:
    see_through = np.random.default_rng(0).integers(0, 255, (6, 8, 4), dtype=np.uint8)
    assert "transparent" in reason(write_picture(tmp_path / "a.png", see_through))
    Image.new("CMYK", (8, 6)).save(tmp_path / "b.jpg")
    assert "CMYK" in reason(tmp_path / "b.jpg")
    Image.new("L", (8, 6)).save(tmp_path / "c.gif")
    (tmp_path / "c.gif").rename(tmp_path / "c.png")
    assert "not a JPEG or PNG" in reason(tmp_path / "c.png")


@pytest.fixture(scope="module")
def good_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of one good file of each format, by a name with its ending."""
    folder = tmp_path_factory.mktemp("good")
    noise = np.random.default_rng(0).integers(0, 255, (16, 16)).astype(np.uint8)
    save(folder / "plain.npy", noise)
    save(folder / "pickled.npy", objects(noise, 1e-23))
    fits.writeto(folder / "a.fits", noise.astype(np.float32))
    write_picture(folder / "a.jpg", noise)
    write_picture(folder / "a.png", noise)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


NAMES = ["plain.npy", "pickled.npy", "a.fits", "a.jpg", "a.png"]


def read_or_reason(path: Path) -> None:
    """Any bytes at all give an image in order or one line, and no warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            image = read_image(path)
        except UnreadableImage as error:
            lines = str(error).splitlines()
        else:
            lines = ["readable"]
            assert image.ndim == 3
            assert np.isfinite(image).all()
    assert len(lines) == 1
    assert caught == []


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25)
@given(share=st.floats(0, 0.9))
def test_truncated_files_are_unreadable(
    good_files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, name: str, share: float
) -> None:
    content = good_files[name]
    end = int(share * len(content))
    if name == "a.fits":
        end = int(share * (2880 + 16 * 16 * 4))  # after the pixels comes padding
    path = tmp_path_factory.getbasetemp() / f"cut-{name}"
    path.write_bytes(content[:end])
    reason(path)


@pytest.mark.parametrize("name", NAMES)
@given(places=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=8))
def test_damaged_files_never_do_more_than_fail(
    good_files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, name: str, places: Any
) -> None:
    content = bytearray(good_files[name])
    for share, value in places:
        content[int(share * len(content))] = value
    path = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    path.write_bytes(content)
    read_or_reason(path)


@pytest.mark.parametrize("ending", [".npy", ".fits", ".jpg", ".png"])
@given(
    start=st.sampled_from([b"", b"\x93NUMPY\x01\x00", b"\xff\xd8\xff", b"SIMPLE  ="]),
    rest=st.binary(),
)
def test_any_bytes(
    tmp_path_factory: pytest.TempPathFactory, ending: str, start: bytes, rest: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{ending}"
    path.write_bytes(start + rest)
    read_or_reason(path)


@given(
    image=hnp.arrays(
        st.sampled_from(["u1", "<u2", ">i4", "<f4", ">f8"]),
        hnp.array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=12),
    ),
    pickled=st.booleans(),
)
def test_any_array_is_read_as_it_is_or_refused(
    tmp_path_factory: pytest.TempPathFactory, image: np.ndarray, pickled: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "array.npy"
    save(path, objects(image, 1e-23) if pickled else image)
    usable = np.isfinite(image).all() and abs(image.astype(np.float64)).max() <= 1e30
    if not usable or image.min() == image.max():
        reason(path)
        return
    try:
        read = read_image(path)
    except UnreadableImage as error:
        if "which axis" not in str(error):
            raise
        return
    planes = image.reshape(-1, *image.shape[-2:])
    possible = [planes, np.moveaxis(image, -1, 0), planes[:1]]
    assert any(np.array_equal(read, expected) for expected in possible)


def test_threads_may_read_at_the_same_time(good_files: dict[str, bytes], tmp_path: Path) -> None:
    filters = list(warnings.filters)
    for name, content in good_files.items():
        (tmp_path / name).write_bytes(content)
    cut = tmp_path / "cut.fits"
    cut.write_bytes(good_files["a.fits"][:3500])
    paths = [tmp_path / name for name in good_files] * 20
    with ThreadPoolExecutor(8) as pool:
        reasons = [pool.submit(reason, cut) for _ in range(40)]
        images = list(pool.map(read_image, paths))
    assert {image.shape for image in images} == {(1, 16, 16)}
    assert {each.result() for each in reasons} == {"the file is cut short"}
    assert warnings.filters == filters


def test_real_images(shared_data: Path) -> None:
    shapes = {
        "common_test_1/vort/1.npy": (1, 150, 150),
        "telescope/slacs0946/data.fits": (1, 281, 281),
        "telescope/euclid_q1/lens_vis_yjh.fits": (1, 300, 300),
    }
    for name, shape in shapes.items():
        assert read_image(shared_data / name).shape == shape
