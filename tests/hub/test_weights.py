"""Weights: half precision on disk, single in memory, hashed, and nothing else gets in."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from darklens.classify import build_network
from darklens.errors import BadInput, BadModel
from darklens.hub import load_card, load_classifier, save_model

SPEC = {"name": "backbone", "backbone": "test_efficientnet"}
Rewrite = Callable[[Path], None]


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A model folder that a test may spoil."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in tiny_model.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def edit_card(folder: Path, **changes: Any) -> None:
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))


def replace_weights(folder: Path, state: dict[str, torch.Tensor]) -> None:
    """Other weights with their own right hash."""
    path = folder / "weights.safetensors"
    save_file(state, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    edit_card(folder, weights={"file": path.name, "sha256": digest})


def test_a_saved_network_predicts_as_before(tmp_path: Path, tiny_model: Path) -> None:
    torch.manual_seed(1)
    network = build_network(SPEC).eval()
    card = save_model(tmp_path / "saved", network, load_card(tiny_model))
    classifier = load_classifier(tmp_path / "saved")
    images = np.random.default_rng(0).poisson(50, (5, 1, 150, 150)).astype(np.uint16)
    crop = images[:, :, 43:107, 43:107].astype(np.float32)
    low = images.min((1, 2, 3), keepdims=True)
    scaled = (crop - low) / (images.max((1, 2, 3), keepdims=True) - low)
    with torch.inference_mode():
        expected = network(torch.from_numpy(scaled.astype(np.float32))).softmax(1).numpy()
    np.testing.assert_allclose(classifier.probabilities(images), expected, atol=2e-3)
    assert classifier.classes == card.classes


def test_matrices_are_halved_and_vectors_are_not(tiny_model: Path) -> None:
    for name, tensor in load_file(tiny_model / "weights.safetensors").items():
        wanted = torch.float16 if tensor.ndim > 1 else torch.float32
        assert tensor.dtype == wanted or not tensor.is_floating_point(), name


def test_running_variances_out_of_the_range_of_half_precision_survive(
    tmp_path: Path, tiny_model: Path
) -> None:
    network = build_network(SPEC)
    norm = next(part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d))
    norm.running_var.fill_(1e6)
    save_model(tmp_path / "saved", network, load_card(tiny_model))
    state = load_file(tmp_path / "saved" / "weights.safetensors")
    assert max(value.max() for name, value in state.items() if "running_var" in name) == 1e6


def test_a_weight_that_is_not_finite_in_half_precision_is_refused(
    tmp_path: Path, tiny_model: Path
) -> None:
    network = build_network(SPEC)
    network.linear.weight.data.fill_(1e6)
    with pytest.raises(BadModel, match=r"linear\.weight"):
        save_model(tmp_path / "saved", network, load_card(tiny_model))
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_replaced_but_nothing_else_is(tmp_path: Path, tiny_model: Path) -> None:
    card, network = load_card(tiny_model), build_network(SPEC)
    save_model(tmp_path / "saved", network, card)
    save_model(tmp_path / "saved", network, card)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").touch()
    with pytest.raises(BadInput, match="exists already"):
        save_model(tmp_path / "thesis", network, card)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["saved", "thesis"]


def test_damaged_weights_are_refused(model: Path) -> None:
    path = model / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadModel, match="sha256"):
        load_classifier(model)


def test_missing_weights_are_refused(model: Path) -> None:
    (model / "weights.safetensors").unlink()
    with pytest.raises(BadModel, match=r"cannot read .*weights\.safetensors"):
        load_classifier(model)


def test_a_pickle_named_safetensors_is_refused_unread(model: Path) -> None:
    path = model / "weights.safetensors"
    torch.save({"a": torch.zeros(1)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    edit_card(model, weights={"file": path.name, "sha256": digest})
    with pytest.raises(BadModel, match="do not fit"):
        load_classifier(model)


def test_weights_of_another_network_are_refused_in_one_line(model: Path) -> None:
    replace_weights(model, {"other": torch.zeros(3)})
    with pytest.raises(BadModel, match="do not fit") as caught:
        load_classifier(model)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def state_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "weights.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(model: Path, value: float) -> None:
    state = state_of(model)
    state["linear.bias"][1] = value
    replace_weights(model, state)
    with pytest.raises(BadModel, match=r"'linear\.bias' has values that are not finite"):
        load_classifier(model)


@pytest.mark.parametrize("kind", ["missing", "surplus", "shape", "type"])
def test_tensors_that_are_not_the_networks_are_named(model: Path, kind: str) -> None:
    state = state_of(model)
    if kind == "missing":
        del state["linear.bias"]
    elif kind == "surplus":
        state["linear.bias.more"] = torch.zeros(3)
    elif kind == "shape":
        state["linear.bias"] = torch.zeros(4)
    else:
        state["linear.bias"] = torch.zeros(3, dtype=torch.int64)
    replace_weights(model, state)
    with pytest.raises(BadModel, match=r"'linear\.bias.*' (is|has) ") as caught:
        load_classifier(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        b"\xff" * 8,
        (2**40).to_bytes(8, "little") + b"{}",
        (100).to_bytes(8, "little") + b"{",
        (2).to_bytes(8, "little") + b"{}",
        (57).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9999]}}',
        b"",
    ],
)
def test_headers_that_lie_are_refused(model: Path, header: bytes) -> None:
    path = model / "weights.safetensors"
    path.write_bytes(header)
    digest = hashlib.sha256(header).hexdigest()
    edit_card(model, weights={"file": path.name, "sha256": digest})
    with pytest.raises(BadModel, match="do not fit the card's network") as caught:
        load_classifier(model)
    assert "\n" not in str(caught.value)


def test_a_file_larger_than_the_network_is_refused_unread(model: Path) -> None:
    with (model / "weights.safetensors").open("ab") as file:
        file.truncate(2**40)  # takes no room on the disk
    with pytest.raises(BadModel, match="is not a file of at most"):
        load_classifier(model)


def test_a_card_allocates_no_more_than_its_weights(model: Path) -> None:
    """The dense layer of this network would take 95 GB."""
    edit_card(model, network={"name": "reference", "size": 4096})
    with pytest.raises(BadModel, match="do not fit the card's network"):
        load_classifier(model)


def test_weights_behind_a_link_are_refused(model: Path, tmp_path: Path) -> None:
    path = model / "weights.safetensors"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadModel, match="a link out of the model folder"):
        load_classifier(model)


def test_an_output_that_is_not_finite_is_an_error_and_no_class(model: Path) -> None:
    state = state_of(model)
    for name, tensor in state.items():
        if name.endswith("running_var"):
            tensor.fill_(-1)
    replace_weights(model, state)
    classifier = load_classifier(model)
    images = np.random.default_rng(0).poisson(50, (2, 1, 150, 150)).astype(np.uint16)
    with pytest.raises(BadModel, match="not finite"):
        classifier.probabilities(images)
    table = classifier.predict(images)
    assert table["label"].isna().all()
    assert table["error"].str.contains("not finite").all()


@pytest.mark.parametrize(
    "changes",
    [
        {"network": {"name": "darklens.evil.Network"}},
        {"network": {"name": "backbone", "backbone": "os.system"}},
        {"network": {"name": "backbone", "trojan": 1}},
        {"network": {**SPEC, "in_channels": "many"}},
        {"network": {**SPEC, "in_channels": 0}},
        {"preprocessing": [{"os.system": {"command": "true"}}]},
        {"preprocessing": [{"center_crop": {"length": 64}}]},
        {"preprocessing": [{"center_crop": 64}]},
        {"classes": ["no", "vort"]},
    ],
)
def test_a_card_that_names_unknown_parts_is_refused_in_one_line(
    model: Path, changes: dict[str, Any]
) -> None:
    edit_card(model, **changes)
    with pytest.raises(BadModel) as caught:
        load_classifier(model)
    assert "\n" not in str(caught.value)


def test_channels_after_preprocessing_are_the_networks(tmp_path: Path, tiny_model: Path) -> None:
    card = load_card(tiny_model)
    card.network["in_channels"] = 2
    save_model(tmp_path / "two", build_network(SPEC, in_channels=2), card)
    assert load_classifier(tmp_path / "two").classes == card.classes
