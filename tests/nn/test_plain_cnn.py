"""The plain stack of convolutions."""

import torch

from darklens.nn import PlainBackbone


def test_the_map_has_a_sixteenth_of_the_size_and_eight_widths() -> None:
    backbone = PlainBackbone(2, width=4).eval()
    assert backbone.num_features == 32
    with torch.no_grad():
        assert backbone(torch.randn(3, 2, 100, 100)).shape == (3, 32, 6, 6)
        assert backbone(torch.randn(1, 2, 64, 48)).shape == (1, 32, 4, 3)
