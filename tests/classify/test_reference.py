"""The reference network, layer by layer."""

import pytest
import torch
from torch import nn

from darklens.classify import build_network
from darklens.errors import BadModel


def test_reference_network_has_the_published_parameters_and_layers() -> None:
    network = build_network({"name": "reference"}, in_channels=1, classes=3).eval()
    assert sum(parameter.numel() for parameter in network.parameters()) == 43_273_160
    with torch.no_grad():
        assert network.backbone(torch.zeros(1, 1, 100, 100)).shape == (1, 1408, 4, 4)
        assert network(torch.zeros(2, 1, 100, 100)).shape == (2, 3)
    block = network.block
    assert isinstance(block.self_attn, nn.MultiheadAttention)
    assert block.self_attn.num_heads == 4
    assert (block.linear1.out_features, block.linear2.out_features) == (1408, 1408)
    assert block.norm_first
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
