"""Frozen parts stay as they are, weights and statistics, in a network that is trained."""

import pytest
import torch
from torch import nn

from darklens.errors import BadConfig
from darklens.nn import freeze_up_to
from darklens.nn.freezing import keep_frozen


def network() -> nn.Module:
    torch.manual_seed(0)

    def layer() -> nn.Module:
        return nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Dropout(0.5))

    whole = nn.Module()
    whole.backbone = nn.Sequential(layer(), layer())
    whole.head = nn.Linear(2, 3)
    return whole


def trained(net: nn.Module, frozen: list[nn.Module]) -> dict[str, torch.Tensor]:
    """State after some steps."""
    weights = [item for item in net.parameters() if item.requires_grad]
    optimiser = torch.optim.SGD(weights, lr=0.1)
    for _ in range(3):
        net.train()
        keep_frozen(frozen)
        images = net.backbone(torch.randn(4, 2, 8, 8))
        loss = net.head(images.mean((2, 3))).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return {name: value.clone() for name, value in net.state_dict().items()}


@pytest.mark.parametrize("name", ["backbone", "backbone.0", "backbone.1.0"])
def test_what_is_frozen_does_not_change_and_the_rest_does(name: str) -> None:
    net = network()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    after = trained(net, freeze_up_to(net, name))
    parts = {
        "backbone": ("backbone.",),
        "backbone.0": ("backbone.0.",),
        "backbone.1.0": ("backbone.0.", "backbone.1.0."),
    }[name]
    for key, value in after.items():
        assert torch.equal(value, before[key]) == key.startswith(parts), key


def test_frozen_parts_drop_nothing() -> None:
    net = network()
    freeze_up_to(net.train(), "backbone")
    images = torch.randn(2, 2, 8, 8)
    assert torch.equal(net.backbone(images), net.backbone(images))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stem", "it has backbone, head"),
        ("backbone.7", "backbone has backbone.0, backbone.1"),
        ("backbone.0.x.y", "backbone.0 has backbone.0.0, backbone.0.1, backbone.0.2"),
        ("", "no part"),
        ("head", "nothing would be left to train"),
    ],
)
def test_wrong_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(BadConfig, match=message):
        freeze_up_to(network(), name)
