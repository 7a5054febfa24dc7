"""A plain convolutional network for small images and few CPU cores.

Lens images of 100 x 100 pixels are downsampled early, four times by a factor of two, so that most
of the work is done on 25 x 25 pixels or less. For the same CPU time it learns more than the small
networks of timm, which are designed for images of 224 x 224.
"""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["PlainBackbone"]


class PlainBackbone(nn.Module):
    """Feature map (n, 8 width, h / 16, w / 16) of images (n, c, h, w).

    Args:
        in_channels: Channels of the images.
        width: Channels of the first stage; each further stage has twice as many.

    Attributes:
        num_features: Channels of the feature map.
    """

    def __init__(self, in_channels: int, width: int = 32) -> None:
        super().__init__()
        self.num_features = 8 * width
        layers = [_convolution(in_channels, width, size=5, stride=2), _convolution(width, width)]
        for narrow, wide in pairwise((width, 2 * width, 4 * width)):
            layers += [nn.MaxPool2d(2), _convolution(narrow, wide), _convolution(wide, wide)]
        layers += [nn.MaxPool2d(2), _convolution(4 * width, 8 * width)]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k v u"]:
        """Feature map."""
        features: Tensor = self.layers(images)
        return features


def _convolution(channels: int, wide: int, *, size: int = 3, stride: int = 1) -> nn.Module:
    """Convolution, norm and activation."""
    convolution = nn.Conv2d(channels, wide, size, stride, size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(wide), nn.ReLU(inplace=True))
