"""The attention layer."""

from copy import deepcopy

import torch
from torch import nn

from darklens.nn import AttentionBlock


def test_the_order_of_the_tokens_does_not_matter() -> None:
    torch.manual_seed(0)
    block = AttentionBlock(8, heads=2).eval()
    tokens = torch.randn(2, 5, 8)
    order = torch.tensor([3, 1, 4, 0, 2])
    with torch.no_grad():
        torch.testing.assert_close(block(tokens[:, order]), block(tokens)[:, order])


def test_it_is_the_published_formula() -> None:
    """y = x + A(N1(x)), z = y + W2 g(W1 N2(y)), from the separate layers of torch."""
    torch.manual_seed(0)
    block = AttentionBlock(8, heads=2).eval()
    weights = block.state_dict()
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    mlp = nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 8))
    norms = {"attention_norm": nn.LayerNorm(8), "mlp_norm": nn.LayerNorm(8)}
    for name, part in {"attention": attention, "mlp": mlp, **norms}.items():
        start = f"{name}."
        part.load_state_dict(
            {key.removeprefix(start): weights[key] for key in weights if key.startswith(start)}
        )
    tokens = torch.randn(2, 5, 8)
    with torch.no_grad():
        normed = norms["attention_norm"](tokens)
        between = tokens + attention(normed, normed, normed, need_weights=False)[0]
        expected = between + mlp(norms["mlp_norm"](between))
        torch.testing.assert_close(block(tokens), expected, rtol=0, atol=1e-6)


def test_weights_are_saved_and_loaded_by_the_names_of_earlier_versions() -> None:
    block = nn.Sequential(AttentionBlock(8, heads=2))
    weights = block.state_dict()
    assert {name.split(".")[1] for name in weights} == {
        "attention_norm",
        "attention",
        "mlp_norm",
        "mlp",
    }
    other = nn.Sequential(AttentionBlock(8, heads=2))
    other.load_state_dict(weights)
    assert "0.attention_norm.weight" in weights  # loading leaves the given dictionary as it was
    copied = deepcopy(other)
    for network in (other, copied):
        loaded = network.state_dict()
        assert loaded.keys() == weights.keys()
        assert all(torch.equal(loaded[name], weights[name]) for name in weights)
    first = [tuple(item.shape) for item in block.parameters()][:3]
    assert first == [(8,), (8,), (24, 8)]  # the norm first, as in stored optimiser states
