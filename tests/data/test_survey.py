"""All images that cannot be used are found at once, and values that do not suit the network."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from darklens.data import ImageDataset, StoreWriter, open_dataset
from darklens.data.survey import problems_in_words, survey_images
from darklens.errors import BadData

CLASSES = ("no", "vort")


def tree(root: Path, count: int = 6) -> Path:
    generator = np.random.default_rng(0)
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for i in range(count):
            np.save(root / name / f"{i}.npy", generator.random((3, 4)))
    return root


def arrays(images: np.ndarray) -> ImageDataset:
    return ImageDataset.from_arrays(images, np.arange(len(images)) % 2, classes=CLASSES)


def scaled(count: int = 20) -> np.ndarray:
    images = np.random.default_rng(1).random((count, 1, 4, 4))
    images[:, 0, 0, :2] = 0, 1
    return images


def test_all_bad_files_are_found_with_their_reasons(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / "no" / "1.npy").write_bytes(b"")
    np.save(tmp_path / "no" / "3.npy", np.full((3, 4), np.nan))
    np.save(tmp_path / "vort" / "0.npy", np.ones((3, 4)))
    np.save(tmp_path / "vort" / "5.npy", np.arange(20.0).reshape(4, 5))
    survey = survey_images({"train": open_dataset(tmp_path)})
    assert [(item.name, item.reason) for item in survey.problems] == [
        ("no/1.npy", "the file is empty"),
        ("no/3.npy", "some pixels are NaN"),
        ("vort/0.npy", "constant: every pixel is 1"),
        ("vort/5.npy", "its shape is (1, 4, 5), but most images have (1, 3, 4)"),
    ]
    words = problems_in_words(survey.problems, 12)
    assert words.startswith("4 of 12 images cannot be used: no/1.npy: the file is empty; ")
    assert words.endswith("; and 1 more")


class Counted:
    """Images that are counted when they are read."""

    together = 1

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        self.read_so_far: list[int] = []

    def read(self, indices: np.ndarray) -> np.ndarray:
        self.read_so_far += indices.tolist()
        return self.images[indices]


def test_each_image_is_read_once() -> None:
    source = Counted(scaled(150))
    labels, ids = np.arange(150) % 2, [str(i) for i in range(150)]
    dataset = ImageDataset(source, np.arange(150), labels, ids=ids, classes=CLASSES)
    survey = survey_images({"train": dataset.subset(range(140)), "val": dataset.subset([148])})
    survey.check_disjoint()
    survey.check_range(0, 1)
    assert source.read_so_far == [*range(140), 148]


def test_bad_pixels_of_a_store_are_found(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((20, 1, 6, 6)).astype(np.float32)
    images[3], images[17, 0, 0, 0] = 1.0, np.inf
    labels = np.arange(20) % 2
    writer = StoreWriter(tmp_path / "s", shape=(1, 6, 6), dtype="f4", count=20, classes=CLASSES)
    writer.write(0, images, labels, pd.DataFrame(index=range(20)))
    stored = open_dataset(writer.finish())
    assert [(item.name, item.reason) for item in survey_images({"": stored}).problems] == [
        ("00000003", "constant: every pixel is 1"),
        ("00000017", "some pixels are infinite"),
    ]
    with pytest.raises(BadData, match=r"image 00000003 of .*constant"):
        stored[3]
    assert stored.images([4, 5]).shape == (2, 1, 6, 6)


@pytest.mark.parametrize("label", [-1, 2])
def test_labels_that_are_no_class_are_refused(label: int) -> None:
    with pytest.raises(BadData, match=f"image 00000001 is {label}, which is not a class"):
        ImageDataset.from_arrays(scaled(2), np.array([0, label]), classes=CLASSES)


def test_shared_images_are_found_without_reading_again() -> None:
    images = scaled(6)
    survey = survey_images({"train": arrays(images[:4]), "test": arrays(255 * images[3:])})
    with pytest.raises(BadData, match="train and test share images: 00000003 in train"):
        survey.check_disjoint()


@pytest.mark.parametrize(
    ("factor", "shift", "declared", "fits"),
    [
        (1, 0, (0, 1), True),
        (1, 0, (0, 255), False),
        (255, 0, (0, 255), True),
        (255, 0, (0, 1), False),
        (65535, 0, (0, 255), False),
        (2, -1, (0, 1), False),
        (2, -1, (-1, 1), True),
        (100, 0, (0, 255), True),  # faint pictures
    ],
)
def test_the_range_of_the_values(
    factor: float, shift: float, declared: tuple[int, int], fits: bool
) -> None:
    survey = survey_images({"train": arrays(scaled() * factor + shift)})
    if fits:
        assert survey.check_range(*declared) == ()
    else:
        with pytest.raises(BadData, match=f"expects {declared[0]} to {declared[1]}"):
            survey.check_range(*declared)


def test_single_images_of_other_values_are_listed() -> None:
    images = 255 * scaled()
    images[[2, 7]] /= 255
    found = survey_images({"train": arrays(images)}).check_range(0, 255)
    assert [item.name for item in found] == ["00000002", "00000007"]
    assert found[0].reason.startswith("its pixels run from 0 to 1, but the preprocessing")
