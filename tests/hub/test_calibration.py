"""The calibration of a model on disk: checked, hashed, and not needed."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from darklens.data import ImageDataset
from darklens.errors import BadModel
from darklens.hub import (
    calibrate_model,
    export_model,
    load_card,
    load_classifier,
    save_model,
    write_card,
)

Arrays = dict[str, np.ndarray]


def lenses(count: int, seed: int) -> ImageDataset:
    images = np.random.default_rng(seed).poisson(40, (count, 1, 150, 150)).astype(np.uint16)
    labels = np.arange(count, dtype=np.int64) % 3
    return ImageDataset.from_arrays(images, labels, classes=("no", "sphere", "vort"))


@pytest.fixture(scope="module")
def calibrated(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, calibrated on noise."""
    folder = tmp_path_factory.mktemp("calibrated") / "tiny"
    export_model(tiny_model, folder)
    calibrate_model(folder, lenses(60, 0), data="noise")
    return folder


@pytest.fixture
def model(calibrated: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in calibrated.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def edit(folder: Path, change: Callable[[Arrays], Any]) -> None:
    """Change arrays of the calibration and give the card their hash."""
    path = folder / "calibration.safetensors"
    arrays = load_file(path)
    change(arrays)
    save_file(arrays, path)
    card = load_card(folder)
    assert card.calibration is not None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    write_card(folder, replace(card, calibration=replace(card.calibration, sha256=digest)))


def test_a_loaded_model_answers_as_the_one_that_was_calibrated(calibrated: Path) -> None:
    card = load_card(calibrated)
    assert card.calibration is not None
    assert (card.calibration.images, card.calibration.data) == (60, "noise")
    assert (calibrated / "calibration.safetensors").stat().st_size < 500_000
    model = load_classifier(calibrated)
    first = model.predict(lenses(6, 1).images())
    assert first["familiarity"].between(0, 1).all()
    assert first["set"].notna().all()
    assert load_classifier(calibrated).predict(lenses(6, 1).images()).equals(first)


def test_a_model_without_one_loads_and_leaves_the_columns_empty(tiny_model: Path) -> None:
    assert load_card(tiny_model).calibration is None
    table = load_classifier(tiny_model).predict(lenses(2, 1).images())
    assert table[["set", "familiarity"]].isna().all(axis=None)
    assert "unknown" not in table["label"].tolist()


def test_an_export_takes_it_along(calibrated: Path, tmp_path: Path) -> None:
    export_model(calibrated, tmp_path / "copy")
    assert load_classifier(tmp_path / "copy").calibration is not None


def test_new_weights_have_no_calibration(model: Path) -> None:
    network = load_classifier(model).network
    card = save_model(model, network, load_card(model))
    assert card.calibration is None
    assert not (model / "calibration.safetensors").exists()
    assert load_classifier(model).calibration is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("scores"), "'scores' is missing"),
        (lambda arrays: arrays.update(more=np.zeros(2)), "'more' is surplus"),
        (lambda arrays: arrays["distances"].fill(np.nan), "'distances' holds something else"),
        (lambda arrays: arrays.update(mean=np.zeros(3)), r"'mean' of \(3,\) does not fit"),
        (lambda arrays: arrays.update(labels=np.zeros(3, dtype=int)), "'labels' of"),
        (lambda arrays: arrays["labels"].fill(7), "labels are none of the model's classes"),
        (lambda arrays: arrays["spread"].fill(0), "scales that are not positive"),
        (
            lambda arrays: arrays.update(reference=arrays["reference"][:, :1].copy()),
            "do not fit its components",
        ),
        (
            lambda arrays: arrays.update(reference=arrays["reference"][:0].copy()),
            "do not fit its components",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_named_in_one_line(
    model: Path, change: Callable[[Arrays], Any], message: str
) -> None:
    edit(model, change)
    with pytest.raises(BadModel, match=message) as caught:
        load_classifier(model)
    assert "\n" not in str(caught.value)


def test_a_damaged_missing_linked_or_huge_file_is_refused(model: Path, tmp_path: Path) -> None:
    path = model / "calibration.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BadModel, match="is damaged: its sha256"):
        load_classifier(model)
    with path.open("ab") as file:
        file.truncate(2**40)
    with pytest.raises(BadModel, match="is not a file of at most 4 MB"):
        load_classifier(model)
    path.unlink()
    with pytest.raises(BadModel, match="cannot read"):
        load_classifier(model)
    (tmp_path / "elsewhere").write_bytes(whole)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadModel, match="a link out of the model folder"):
        load_classifier(model)
