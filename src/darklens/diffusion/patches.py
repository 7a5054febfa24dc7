"""A UNet that works on patches of pixels, so that its convolutions run on small maps.

Patches of the image become the channels of a map that is smaller by the side of a patch. Of
150 x 150 pixels, patches of 5 x 5 make 30 x 30 cells and, a level deeper, 15 x 15: no pixel is
padded, cropped or resampled, and at the deepest level attention sees the whole image in 225 cells.
The point-spread function is about four pixels wide, so a patch holds few degrees of freedom.
Patches of 4 x 4 would need 144 (36 x 36) or 152 pixels (38 x 38, which halves only once).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import pad, pixel_shuffle, pixel_unshuffle, silu

from darklens.diffusion.embedding import TimeEmbedding
from darklens.nn import AttentionBlock

__all__ = ["PatchUNet"]

_GROUP = 16  # channels that are normalised together


class PatchUNet(nn.Module):
    """From images and their noise level to images of the same size; zero at the start.

    Images whose sides are no multiples of the patch and of the halvings are padded by reflection
    and cropped again.

    Args:
        channels: Channels of the images.
        patch: Side of a patch [pixel].
        widths: Channels of the levels, from the finest; multiples of 16.
        blocks: Residual blocks of a level, on the way down as on the way up.
        heads: Heads of the attention at the deepest level.
        classes: Number of classes; 0 for an unconditional network.
    """

    def __init__(
        self,
        channels: int,
        *,
        patch: int,
        widths: Sequence[int],
        blocks: int,
        heads: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.patch = patch
        self.multiple = patch * 2 ** (len(widths) - 1)
        inside, hidden = channels * patch**2, 4 * widths[0]
        self.embedding = TimeEmbedding(
            64, hidden, hidden, classes=classes, activation=nn.SiLU(), longest_period=100.0
        )
        self.stem = nn.Conv2d(inside, widths[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.shrink, self.enlarge = nn.ModuleList(), nn.ModuleList()
        for wide, deep in pairwise(widths):
            self.down.append(_Level(wide, wide, hidden, blocks))
            self.shrink.append(nn.Conv2d(wide, deep, 3, stride=2, padding=1))
            self.enlarge.append(nn.ConvTranspose2d(deep, wide, 2, stride=2))
            self.up.append(_Level(2 * wide, wide, hidden, blocks))
        deep = widths[-1]
        self.deepest = nn.ModuleList(_Level(deep, deep, hidden, blocks) for _ in range(2))
        self.attention = nn.ModuleList(AttentionBlock(deep, heads=heads) for _ in range(2))
        self.norm = _norm(widths[0])
        self.out = nn.Conv2d(widths[0], inside, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(
        self,
        images: Float[Tensor, "n c h w"],
        times: Float[Tensor, " n"],
        labels: Int64[Tensor, " n"],
    ) -> Float[Tensor, "n c h w"]:
        """The images' counterparts; `labels` are rows of the class embedding."""
        height, width = images.shape[2:]
        top, left = -height % self.multiple // 2, -width % self.multiple // 2
        bottom, right = -height % self.multiple - top, -width % self.multiple - left
        if top or left or bottom or right:
            images = pad(images, (left, right, top, bottom), mode="reflect")
        time = silu(self.embedding(times, labels))
        features = self.stem(pixel_unshuffle(images, self.patch))
        skips = []
        for level, shrink in zip(self.down, self.shrink, strict=True):
            features = level(features, time)
            skips.append(features)
            features = shrink(features)
        for level, attention in zip(self.deepest, self.attention, strict=True):
            features = _attended(attention, level(features, time))
        for level, enlarge in zip(reversed(self.up), reversed(self.enlarge), strict=True):
            features = level(torch.cat([enlarge(features), skips.pop()], dim=1), time)
        result = pixel_shuffle(self.out(silu(self.norm(features))), self.patch)
        return result[:, :, top : top + height, left : left + width]


class _Level(nn.Module):
    """The residual blocks of a level."""

    def __init__(self, channels: int, width: int, time: int, blocks: int) -> None:
        super().__init__()
        inputs = [channels, *[width] * (blocks - 1)]
        self.blocks = nn.ModuleList(_Block(number, width, time) for number in inputs)

    def forward(
        self, features: Float[Tensor, "n c h w"], time: Float[Tensor, "n t"]
    ) -> Float[Tensor, "n d h w"]:
        for block in self.blocks:
            features = block(features, time)
        return features


class _Block(nn.Module):
    """Two normalised convolutions; the time scales and shifts what lies between them."""

    def __init__(self, channels: int, width: int, time: int) -> None:
        super().__init__()
        self.first_norm = _norm(channels)
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.time = nn.Linear(time, 2 * width)
        self.second_norm = _norm(width)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.past = nn.Conv2d(channels, width, 1) if channels != width else nn.Identity()
        nn.init.zeros_(self.second.weight)  # a fresh block changes nothing
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(
        self, features: Float[Tensor, "n c h w"], time: Float[Tensor, "n t"]
    ) -> Float[Tensor, "n d h w"]:
        inner = self.second_norm(self.first(silu(self.first_norm(features))))
        scale, shift = self.time(time)[:, :, None, None].chunk(2, dim=1)
        result: Tensor = self.past(features) + self.second(silu(inner * (1 + scale) + shift))
        return result


def _norm(width: int) -> nn.Module:
    return nn.GroupNorm(width // _GROUP, width)


def _attended(attention: nn.Module, features: Float[Tensor, "n d h w"]) -> Float[Tensor, "n d h w"]:
    tokens = attention(features.flatten(2).transpose(1, 2))
    result: Tensor = tokens.transpose(1, 2).reshape(features.shape)
    return result
