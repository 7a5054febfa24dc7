"""Backbones with a pooled head, and their options."""

import pytest
import torch

from darklens.classify import build_network


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
