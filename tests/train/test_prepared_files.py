"""Images of a folder are fitted once: kept by content, resumable, and without those that fail."""

from pathlib import Path

import numpy as np
import pytest

from darklens.data import ImageDataset, Preprocessing
from darklens.data.steps import Images
from darklens.errors import BadData
from darklens.train.fitting import check_size, fitted
from darklens.train.prepared_files import prepare_files

SPEC = [{"affine": {"scale": 2.0, "shift": 0.0}}]
DARK = -1.0  # an image that cannot be fitted


class Fit:
    """A step that reports on each image, counts its calls and fails for dark images."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, images: Images) -> Images:
        return self.explain(images)[0]

    def explain(self, images: Images) -> tuple[Images, dict[str, list[object]]]:
        self.calls += len(images)
        failed = images.max(axis=(1, 2, 3)) == DARK
        columns: dict[str, list[object]] = {
            "fit": ["failed" if one else "ok" for one in failed],
            "chi_square": [np.float64(image.mean()) for image in images],
            "note": ["too dark" if one else None for one in failed],
        }
        return 2 * images, columns

    def illustrate(self, images: Images) -> tuple[Images, dict[str, list[object]], list[list]]:
        return *self.explain(images), [[] for _ in images]


def numbered(*values: float) -> ImageDataset:
    images = np.array(values)[:, None, None, None] * np.ones((1, 1, 4, 4))
    names = [f"no/{value:g}.npy" for value in values]
    labels = np.arange(len(values)) % 2
    return ImageDataset.from_arrays(images, labels, classes=["no", "vort"], ids=names)


def test_each_image_is_fitted_once(tmp_path: Path) -> None:
    fit = Fit()
    steps = Preprocessing(SPEC, [fit])
    assert steps.explains
    parts = {"train": numbered(1, 2, 3), "val": numbered(4, 1)}
    made = prepare_files(parts, steps, tmp_path, workers=1, quiet=True)
    assert fit.calls == 4  # one image is there twice
    assert made.parts["train"].images()[:, 0, 0, 0].tolist() == [2, 4, 6]
    assert made.parts["val"].images([1, 0])[:, 0, 0, 0].tolist() == [2, 8]
    assert made.parts["train"].labels.tolist() == [0, 1, 0]
    assert made.columns["val"]["chi_square"] == [4.0, 1.0]
    assert not made.problems
    again = prepare_files(
        {"train": numbered(5, 3)}, Preprocessing(SPEC, [fit]), tmp_path, workers=1, quiet=True
    )
    assert fit.calls == 5
    assert again.parts["train"].images()[:, 0, 0, 0].tolist() == [10, 6]


def test_other_steps_find_nothing_of_it(tmp_path: Path) -> None:
    fit = Fit()
    for shift in (0.0, 1.0):
        steps = Preprocessing([{"affine": {"scale": 2.0, "shift": shift}}], [fit])
        prepare_files({"train": numbered(1, 2)}, steps, tmp_path, workers=1, quiet=True)
    assert fit.calls == 4


def test_a_stopped_run_keeps_its_finished_shards(tmp_path: Path) -> None:
    fit = Fit()
    parts = {"train": numbered(*range(70)), "val": numbered(100)}
    prepare_files(parts, Preprocessing(SPEC, [fit]), tmp_path, workers=1, quiet=True)
    shards = sorted(tmp_path.glob("*.json"))
    assert (fit.calls, len(shards)) == (71, 3)
    shards[0].unlink()  # it is written last
    lost = len(np.load(shards[0].with_suffix(".npy")))
    made = prepare_files(parts, Preprocessing(SPEC, [fit]), tmp_path, workers=1, quiet=True)
    assert fit.calls == 71 + lost
    assert made.parts["train"].images([69])[0, 0, 0, 0] == 138


def test_images_that_cannot_be_fitted_are_left_out_and_remembered(tmp_path: Path) -> None:
    fit = Fit()
    for _ in range(2):
        made = prepare_files(
            {"train": numbered(1, DARK, 3)},
            Preprocessing(SPEC, [fit]),
            tmp_path,
            workers=1,
            quiet=True,
        )
        assert made.parts["train"].ids == ["no/1.npy", "no/3.npy"]
        assert made.parts["train"].labels.tolist() == [0, 0]
        assert made.columns["train"]["fit"] == ["ok", "ok"]
        (problem,) = made.problems
        assert (problem.name, problem.reason) == ("no/-1.npy", "too dark")
    assert fit.calls == 3
    with pytest.raises(BadData, match=r"none of the 1 images of the part val .*too dark"):
        prepare_files(
            {"train": numbered(1), "val": numbered(DARK)},
            Preprocessing(SPEC, [fit]),
            tmp_path,
            workers=1,
            quiet=True,
        )


def test_an_image_that_a_step_refuses_has_a_reason() -> None:
    def refuse(images: Images) -> Images:
        raise BadData("too small")

    found = fitted(Preprocessing([{"min_max": {}}], [refuse]), np.ones((1, 4, 4)))
    assert (found.maps, found.columns, found.reason) == (None, {}, "too small")


def test_images_of_another_size_are_told_what_to_give() -> None:
    spec = [{"marginalised_residual": {"preset": "common-test-1-wide", "size": 120, "binning": 2}}]
    check_size(spec, np.ones((1, 150, 150)))
    check_size([{"center_crop": {"size": 150}}, *spec], np.ones((1, 180, 180)))
    expected = r"are 1 x 64 x 64, but .* 1 x 150 x 150; give the preset of your images \(model-2, "
    with pytest.raises(BadData, match=expected) as caught:
        check_size(spec, np.ones((1, 64, 64)))
    advice = "[{marginalised_residual: {preset: model-2, size: 64, binning: 1}}]"
    assert advice in str(caught.value)
    with pytest.raises(BadData, match="write a preset for images of this size"):
        check_size(spec, np.ones((1, 70, 70)))
    with pytest.raises(BadData, match="a fit takes one channel"):
        check_size(spec, np.ones((3, 150, 150)))
