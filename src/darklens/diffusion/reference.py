r"""The reference UNet: four levels of residual blocks without normalisation.

A block is two 3 x 3 convolutions with reflection padding, each followed by the activation Mish; the
time embedding is added between them. There is a linear attention in the middle,

.. math:: y = x + g\, W \left[ \mathrm{softmax}_p(K) V^T \right]^T \mathrm{softmax}_d(Q)

with a gate :math:`g` that starts at zero. The softmax of the keys is over pixels and that of the
queries over the channels of a head, so that the cost is linear in the number of pixels.

References:
    Shen et al. 2018, arXiv:1812.01243 (linear attention); Bachlechner et al. 2020,
    arXiv:2003.04887 (the gate); Ho et al. 2020, arXiv:2006.11239 (network architecture).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import mish

from darklens.diffusion.embedding import TimeEmbedding

__all__ = ["LinearAttention", "ReferenceUNet"]


class ReferenceUNet(nn.Module):
    """Predicts the noise in an image at a diffusion step.

    Args:
        channels: Channels of the images.
        widths: Channels of the levels, from the finest; each level has half the pixels of the
            one before.
        heads: Heads of the linear attention.
        head_width: Channels per head.
        classes: Number of classes; 0 for an unconditional network.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        *,
        heads: int = 4,
        head_width: int = 32,
        classes: int = 0,
    ) -> None:
        super().__init__()
        time = widths[0]
        self.embedding = TimeEmbedding(time, 4 * time, time, classes=classes, activation=nn.Mish())
        inputs = [channels, *widths[:-1]]
        self.down = nn.ModuleList(
            _Pair(narrow, wide, time) for narrow, wide in zip(inputs, widths, strict=True)
        )
        self.shrink = nn.ModuleList(_shrinking(width) for width in widths[:-1])
        deep = widths[-1]
        self.middle = nn.ModuleList([_Block(deep, deep, time), _Block(deep, deep, time)])
        self.attention = LinearAttention(deep, heads=heads, head_width=head_width)
        self.up = nn.ModuleList(
            _Pair(2 * wide, narrow, time) for narrow, wide in pairwise([widths[0], *widths])
        )
        self.enlarge = nn.ModuleList(_enlarging(width) for width in widths[:-1])
        self.out = nn.Conv2d(widths[0], channels, 1)

    def forward(
        self,
        images: Float[Tensor, "n c h w"],
        times: Float[Tensor, " n"] | Int64[Tensor, " n"],
        labels: Int64[Tensor, " n"],
    ) -> Float[Tensor, "n c h w"]:
        """The noise; `labels` are rows of the class embedding."""
        time = self.embedding(times, labels)
        features, skips = images, []
        for level, pair in enumerate(self.down):
            features = pair(features, time)
            skips.append(features)
            if level < len(self.shrink):
                features = self.shrink[level](features)
        features = self.middle[0](features, time)
        features = self.middle[1](self.attention(features), time)
        for level in reversed(range(len(self.up))):
            features = self.up[level](torch.cat([features, skips[level]], dim=1), time)
            if level:
                features = self.enlarge[level - 1](features)
        noise: Tensor = self.out(features)
        return noise


class LinearAttention(nn.Module):
    """Gated attention over all pixels at a cost linear in their number.

    Args:
        width: Channels of the feature map.
        heads: Number of heads.
        head_width: Channels of a head.

    Attributes:
        gate: Factor of the added term; initially zero.
    """

    def __init__(self, width: int, *, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Conv2d(width, 3 * heads * head_width, 1, bias=False)
        self.out = nn.Conv2d(heads * head_width, width, 1)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, features: Float[Tensor, "n d h w"]) -> Float[Tensor, "n d h w"]:
        """Features plus gated attention."""
        n, _, height, width = features.shape
        joint = self.query_key_value(features).view(n, 3, self.heads, -1, height * width)
        query, key, value = joint.unbind(1)
        context = key.softmax(dim=-1) @ value.transpose(-1, -2)
        attended = context.transpose(-1, -2) @ query.softmax(dim=-2)
        mixed: Tensor = features + self.gate * self.out(attended.reshape(n, -1, height, width))
        return mixed


class _Block(nn.Module):
    """Two convolutions with the time embedding between them, and a skip connection."""

    def __init__(self, channels: int, width: int, time: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, padding=1, padding_mode="reflect")
        self.time = nn.Linear(time, width)
        self.second = nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect")
        self.past = nn.Conv2d(channels, width, 1) if channels != width else nn.Identity()

    def forward(
        self, features: Float[Tensor, "n c h w"], time: Float[Tensor, "n t"]
    ) -> Float[Tensor, "n d h w"]:
        inner = mish(self.first(features)) + self.time(mish(time))[:, :, None, None]
        result: Tensor = mish(self.second(inner)) + self.past(features)
        return result


class _Pair(nn.Module):
    """The two residual blocks of a level."""

    def __init__(self, channels: int, width: int, time: int) -> None:
        super().__init__()
        self.first = _Block(channels, width, time)
        self.second = _Block(width, width, time)

    def forward(
        self, features: Float[Tensor, "n c h w"], time: Float[Tensor, "n t"]
    ) -> Float[Tensor, "n d h w"]:
        result: Tensor = self.second(self.first(features, time), time)
        return result


def _shrinking(width: int) -> nn.Module:
    return nn.Conv2d(width, width, 3, stride=2, padding=1, padding_mode="reflect")


def _enlarging(width: int) -> nn.Module:
    return nn.ConvTranspose2d(width, width, 4, stride=2, padding=1)
