"""Networks by name, and bad descriptions of them."""

import pytest
import torch

from darklens.classify import build_network, network_spec
from darklens.errors import BadModel

SUBSPACE = {
    "name": "subspace",
    "backbone": "plain",
    "size": 32,
    "components": 4,
    "options": {"width": 4},
}


def test_other_networks_need_no_smooth_images() -> None:
    network = build_network({"name": "backbone", "backbone": "test_resnet"})
    assert network.smooth_images == 0
    network.fit_smooth(torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize(
    "spec", [{"name": "backbone", "dropout": 0.2, "options": {"stem_width": 16}}, SUBSPACE]
)
def test_a_network_is_built_again_from_its_spec(spec: dict[str, object]) -> None:
    network = build_network(spec, in_channels=2, classes=4)
    again = build_network(network_spec(network), in_channels=2, classes=4)
    again.load_state_dict(network.state_dict(), strict=True)
    assert network_spec(again) == network_spec(network)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "there is no network 'None'"),
        ({"name": "os.system"}, "there is no network 'os.system'; choose from reference, subspace"),
        (
            {"name": "reference", "width": 3},
            "network 'reference': unknown key 'width'; known keys:",
        ),
        (
            {"name": "reference", "size": 16},
            "network 'reference': size must be at least 32",
        ),
        ({"name": "reference", "size": True}, "size must be a whole number, not True"),
        (
            {"name": "backbone", "pool": "max"},
            "pool must be 'avg', 'avgmax' or 'attention', not",
        ),
        ({"name": "backbone", "dropout": "high"}, "dropout must be a number, not 'high'"),
        ({"name": "backbone", "dropout": 1.0}, "dropout must be below 1"),
        ({"name": "subspace", "components": 0}, "components must be at least 1"),
        ({"name": "backbone", "backbone": "plain", "options": {"width": 0}}, "a width from 1"),
        ({"name": "backbone", "backbone": "hf-hub:owner/name"}, "timm has no architecture"),
        (
            {"name": "backbone", "options": {"checkpoint_path": "evil.pth"}},
            "has no option 'checkpoint_path'",
        ),
        (
            {"name": "backbone", "backbone": "vit_tiny_patch16_224", "options": {"stem_width": 8}},
            "cannot be built",
        ),
    ],
)
def test_bad_specs_are_refused_in_one_line(spec: dict[str, object], message: str) -> None:
    with pytest.raises(BadModel, match=message) as caught:
        build_network(spec)
    assert "\n" not in str(caught.value)
