"""The network that also sees the residual against smooth lenses."""

import pytest
import torch

from darklens.classify import build_network
from darklens.errors import BadModel

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
