"""A residual fully connected network on codes, conditioned on noise level and class."""

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import silu

from darklens.diffusion.embedding import TimeEmbedding

__all__ = ["CodePerceptron"]

_PERIODS = 100.0
_SINES = 64


class CodePerceptron(nn.Module):
    """A map from codes and their noise level to codes; initially zero.

    Args:
        components: Dimension of a code.
        width: Width of the layers.
        blocks: Residual blocks of two layers each.
        embedding: Dimension of the vector that encodes noise level and class.
        classes: Number of classes; 0 for an unconditional network.
    """

    def __init__(
        self, components: int, *, width: int, blocks: int, embedding: int, classes: int
    ) -> None:
        super().__init__()
        self.embedding = TimeEmbedding(
            _SINES,
            embedding,
            embedding,
            classes=classes,
            activation=nn.SiLU(),
            longest_period=_PERIODS,
        )
        self.into = nn.Linear(components, width)
        self.blocks = nn.ModuleList(_Block(width, embedding) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, components)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        codes: Float[Tensor, "n k"],
        times: Float[Tensor, " n"],
        labels: Int64[Tensor, " n"],
    ) -> Float[Tensor, "n k"]:
        """Output for each code; `labels` are rows of the class embedding."""
        time = silu(self.embedding(times, labels))
        features = self.into(codes)
        for block in self.blocks:
            features = block(features, time)
        result: Tensor = self.out(self.norm(features))
        return result


class _Block(nn.Module):
    """Two layers; noise level and class scale and shift the input of the first."""

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.time = nn.Linear(embedding, 2 * width)
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        nn.init.zeros_(self.second.weight)  # a new block is the identity
        nn.init.zeros_(self.second.bias)

    def forward(
        self, features: Float[Tensor, "n w"], time: Float[Tensor, "n t"]
    ) -> Float[Tensor, "n w"]:
        scale, shift = self.time(time).chunk(2, dim=1)
        inner = silu(self.first(self.norm(features) * (1 + scale) + shift))
        result: Tensor = features + self.second(inner)
        return result
