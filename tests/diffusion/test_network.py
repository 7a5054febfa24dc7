"""Networks by name: size, descriptions, conditions, what is refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from darklens.diffusion import ReferenceUNet, build_generator, generator_spec
from darklens.diffusion.reference import LinearAttention
from darklens.errors import BadModel


def count(network: torch.nn.Module) -> int:
    return sum(item.numel() for item in network.parameters())


def test_the_reference_has_about_0_6_million_parameters() -> None:
    assert count(ReferenceUNet(1, (16, 32, 32, 64))) == 605_650


def test_the_default_fits_into_15_megabytes_of_half_precision() -> None:
    assert 2 * count(build_generator({"name": "components"})) < 15e6


def test_a_description_builds_the_same_network_again(spec: dict[str, Any]) -> None:
    network = build_generator(spec)
    complete = generator_spec(network)
    assert complete | spec == complete
    again = build_generator(complete)
    assert again.config == network.config
    assert again.state_dict().keys() == network.state_dict().keys()


def test_the_loss_starts_near_that_of_knowing_nothing(
    spec: dict[str, Any], examples: Callable[..., torch.Tensor]
) -> None:
    torch.manual_seed(0)
    network = build_generator(spec | {"conditional": True})
    images = np.random.default_rng(0).normal(size=(64, *network.shape)).astype(np.float32)
    loss = network.loss(examples(network, images), torch.arange(64) % 3)
    assert 0.5 < float(loss.detach()) < 1.5
    loss.backward()
    assert any(item.grad is not None for item in network.parameters())


def test_linear_attention_is_its_definition_and_starts_as_nothing() -> None:
    torch.manual_seed(0)
    layer = LinearAttention(6, heads=2, head_width=3)
    features = torch.randn(2, 6, 4, 5)
    assert torch.equal(layer(features), features)
    torch.nn.init.ones_(layer.gate)
    query, key, value = layer.query_key_value(features).flatten(2).chunk(3, dim=1)
    parts = []
    for head in range(2):
        q, k, v = (item[:, 3 * head : 3 * head + 3] for item in (query, key, value))
        context = torch.einsum("ndp,nep->nde", k.softmax(-1), v)
        parts.append(torch.einsum("nde,ndp->nep", context, q.softmax(1)))
    expected = features + layer.out(torch.cat(parts, dim=1).view(2, 6, 4, 5))
    assert torch.allclose(layer(features), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "os.system"}, "no network 'os.system'"),
        (
            {"name": "components", "trojan": 1},
            "network 'components': unknown key 'trojan'; known keys: size",
        ),
        ({"name": "components", "width": 64.5}, "width must be a whole number, not 64.5"),
        ({"name": "components", "width": 0}, "width must be at least 1, not 0"),
        ({"name": "components", "blocks": 65}, "blocks must be at most 64, not 65"),
        ({"name": "components", "size": 10, "grid": 20}, "grid must be at most size"),
        ({"name": "components", "grid": 10, "components": 101}, "components at most grid squared"),
        ({"name": "components", "whitening": 1.5}, "whitening must be at most 1, not 1.5"),
        ({"name": "components", "largest_noise": 0.001}, "smallest_noise must be below"),
        ({"name": "components", "class_dropout": 1.0}, "class_dropout must be below 1, not 1.0"),
        ({"name": "components", "steps": 257}, "steps must be at most 256, not 257"),
        (
            {"name": "components", "sampler": "euler"},
            "sampler must be 'multistep', 'angular' or 'heun', not 'euler'",
        ),
        ({"name": "reference", "widths": []}, "widths must have 1 entries or more"),
        ({"name": "reference", "size": 150}, "multiple of 8"),
        ({"name": "reference", "size": True}, "size must be a whole number, not True"),
        ({"name": "reference", "loss": "l3"}, "loss must be 'l1' or 'l2', not 'l3'"),
        ({"name": "reference", "steps": 2000}, "steps must be at most train_steps"),
        ({"name": "reference", "widths": [3, 8]}, r"widths\[0\] must be at least 4, not 3"),
        ({"name": "reference", "heads": 0}, "heads must be at least 1, not 0"),
        ({"name": "diffusers", "norm_groups": 5}, "norm_groups"),
        ({"name": "diffusers", "head_width": 48}, "head_width"),
    ],
)
def test_wrong_descriptions_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(BadModel, match=message):
        build_generator(wrong)
