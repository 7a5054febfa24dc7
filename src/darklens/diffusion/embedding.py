r"""Embedding of noise level and class as one vector, passed to every block of a network.

.. math:: e = W_2\, a(W_1 f(t)) + C_k, \qquad
    f(t) = (\sin \omega_i t, \cos \omega_i t), \quad \omega_i = P^{-i / (d/2 - 1)}
"""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

__all__ = ["TimeEmbedding"]


class TimeEmbedding(nn.Module):
    """A small network on sines and cosines of the time, plus a vector for the class.

    Args:
        features: Number of sines and cosines; even.
        hidden: Width of the hidden layer.
        width: Dimension of the embedding.
        classes: Number of classes; there is one vector more, for no class. 0 has none.
        activation: Activation of the hidden layer.
        longest_period: Ratio :math:`P` of the slowest to the fastest sine.
    """

    frequencies: Tensor

    def __init__(
        self,
        features: int,
        hidden: int,
        width: int,
        *,
        classes: int,
        activation: nn.Module,
        longest_period: float = 10_000.0,
    ) -> None:
        super().__init__()
        # on the CPU always: on the meta device torch would import its compiler, for a second
        exponents = torch.linspace(0, 1, features // 2, device="cpu")
        frequencies = torch.exp(-math.log(longest_period) * exponents)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(2 * len(frequencies), hidden), activation, nn.Linear(hidden, width)
        )
        self.classes = nn.Embedding(classes + 1, width) if classes else None

    def forward(
        self, times: Float[Tensor, " n"] | Int64[Tensor, " n"], labels: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n width"]:
        """The embedding; `labels` are rows of the class vectors."""
        angles = times.to(self.frequencies.dtype)[:, None] * self.frequencies
        embedded: Tensor = self.layers(torch.cat([angles.sin(), angles.cos()], dim=1))
        return embedded if self.classes is None else embedded + self.classes(labels)
