"""The networks: the reference one exactly, the pixel network's options, and bad descriptions."""

import pytest
import torch
from torch import nn

from darklens.classify import build_network, network_spec
from darklens.errors import BadModel


def test_reference_network_has_the_published_parameters_and_layers() -> None:
    network = build_network({"name": "reference"}, in_channels=1, classes=3).eval()
    assert sum(parameter.numel() for parameter in network.parameters()) == 43_273_160
    with torch.no_grad():
        assert network.backbone(torch.zeros(1, 1, 100, 100)).shape == (1, 1408, 4, 4)
        assert network(torch.zeros(2, 1, 100, 100)).shape == (2, 3)
    block = network.block
    assert isinstance(block.attention, nn.MultiheadAttention)
    assert block.attention.num_heads == 4
    assert [type(layer) for layer in block.mlp] == [nn.Linear, nn.GELU, nn.Linear]
    described = [
        (type(layer).__name__, getattr(layer, "out_features", getattr(layer, "p", None)))
        for layer in network.head
    ]
    assert described == [
        ("Flatten", None),
        ("Linear", 1024),
        ("PReLU", None),
        ("BatchNorm1d", None),
        ("Dropout", 0.5),
        ("Linear", 512),
        ("BatchNorm1d", None),
        ("PReLU", None),
        ("Dropout", 0.5),
        ("Linear", 128),
        ("PReLU", None),
        ("BatchNorm1d", None),
        ("Dropout", 0.3),
        ("Linear", 3),
    ]


def test_reference_network_names_the_size_it_takes() -> None:
    network = build_network({"name": "reference", "size": 64}).eval()
    with pytest.raises(BadModel, match="takes 64 x 64 pixels, not 100 x 100"):
        network(torch.zeros(1, 1, 100, 100))


@pytest.mark.parametrize("pool", ["avg", "avgmax", "attention"])
@pytest.mark.parametrize("channels", [1, 3])
def test_backbone_takes_any_size_and_channels(pool: str, channels: int) -> None:
    spec = {"name": "backbone", "backbone": "resnet10t", "pool": pool}
    network = build_network(spec, in_channels=channels, classes=2).eval()
    with torch.no_grad():
        for size in (64, 75):
            assert network(torch.randn(2, channels, size, size)).shape == (2, 2)


def test_d4_average_makes_the_prediction_invariant_but_leaves_training_alone() -> None:
    torch.manual_seed(0)
    network = build_network({"name": "backbone", "d4": True}).eval()
    images = torch.randn(3, 1, 64, 64)
    with torch.no_grad():
        turned = network(images.transpose(-1, -2))
        torch.testing.assert_close(network(images), turned, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(network.logits(images), network.logits(images.mT), atol=1e-5)
        network.train()
        state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        once = network(images)
        network.load_state_dict(state)
        torch.testing.assert_close(network.logits(images), once)


def test_channels_last_changes_the_speed_only() -> None:
    images = torch.randn(2, 1, 64, 64)
    outputs = []
    for channels_last in (False, True):
        torch.manual_seed(0)
        network = build_network({"name": "backbone", "channels_last": channels_last}).eval()
        with torch.no_grad():
            outputs.append(network(images))
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-4, atol=1e-5)


SUBSPACE = {
    "name": "subspace",
    "backbone": "plain",
    "size": 32,
    "components": 4,
    "options": {"width": 4},
}


def test_the_subspace_network_sees_the_image_and_its_residual() -> None:
    network = build_network(SUBSPACE).eval()
    assert network.smooth_images == 6000
    images = torch.poisson(torch.full((20, 1, 32, 32), 50.0))
    network.fit_smooth(images)
    assert network.subspace.basis.abs().sum() > 0
    with torch.no_grad():
        assert network(images).shape == (20, 3)
        assert network.backbone.layers[0][0].in_channels == 2
    with pytest.raises(BadModel, match="takes 32 x 32 pixels, not 40 x 40"):
        network(torch.zeros(1, 1, 40, 40))


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
        ({"name": "os.system"}, "there is no network 'os.system'; known are reference, subspace"),
        ({"name": "reference", "width": 3}, "the network 'reference' has no 'width'"),
        ({"name": "reference", "size": 16}, "32 pixels or more"),
        ({"name": "reference", "size": True}, "cannot have size=True"),
        ({"name": "backbone", "pool": "max"}, "there is no pool 'max'"),
        ({"name": "backbone", "dropout": "high"}, "cannot have dropout='high'"),
        ({"name": "backbone", "dropout": 1.0}, "dropout must be"),
        ({"name": "subspace", "components": 0}, "components must be"),
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
