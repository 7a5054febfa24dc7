"""The attention layer."""

import torch

from darklens.nn import AttentionBlock


def test_the_order_of_the_tokens_does_not_matter() -> None:
    torch.manual_seed(0)
    block = AttentionBlock(8, heads=2).eval()
    tokens = torch.randn(2, 5, 8)
    order = torch.tensor([3, 1, 4, 0, 2])
    with torch.no_grad():
        torch.testing.assert_close(block(tokens[:, order]), block(tokens)[:, order])


def test_without_the_inner_layers_it_is_the_identity() -> None:
    block = AttentionBlock(8, heads=2)
    with torch.no_grad():
        block.attention.out_proj.weight.zero_()
        block.mlp[2].weight.zero_()
        block.mlp[2].bias.zero_()
    tokens = torch.randn(2, 5, 8)
    assert torch.equal(block(tokens), tokens)
