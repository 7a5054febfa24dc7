"""ImageNet weights from files, adapted to one channel."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from darklens.classify import build_network, load_imagenet
from darklens.errors import BadModel

SPEC = {"name": "backbone", "backbone": "test_resnet"}


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_three_channels_are_summed_into_one(tmp_path: Path, ending: str) -> None:
    state = timm.create_model("test_resnet").state_dict()
    file = tmp_path / f"weights{ending}"
    if ending == ".pth":
        torch.save(state, file)
    else:
        save_file(state, file)
    network = build_network(SPEC, in_channels=1)
    load_imagenet(network, file)
    expected = state["conv1.0.weight"].sum(dim=1, keepdim=True)
    torch.testing.assert_close(network.backbone.conv1[0].weight, expected)
    assert torch.equal(network.backbone.bn1.weight, state["bn1.weight"])
    colour = build_network(SPEC, in_channels=3)
    load_imagenet(colour, file)
    assert torch.equal(colour.backbone.conv1[0].weight, state["conv1.0.weight"])


def test_unsuitable_files_are_refused(tmp_path: Path) -> None:
    network = build_network(SPEC)
    with pytest.raises(BadModel, match="cannot read"):
        load_imagenet(network, tmp_path / "missing.safetensors")
    text = tmp_path / "text.pth"
    text.write_text("no weights")
    with pytest.raises(BadModel, match="cannot read"):
        load_imagenet(network, text)
    other = tmp_path / "other.safetensors"
    save_file({"conv1.0.weight": torch.zeros(4, 3, 3, 3)}, other)
    with pytest.raises(BadModel, match="do not fit"):
        load_imagenet(network, other)
    save_file({"layer": torch.zeros(4)}, other)
    with pytest.raises(BadModel, match="have no 'conv1"):
        load_imagenet(network, other)
