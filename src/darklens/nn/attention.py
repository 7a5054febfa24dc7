"""Self-attention over the cells of a feature map."""

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["AttentionBlock"]


class AttentionBlock(nn.Module):
    r"""One transformer layer with the norms in front, as wide inside as outside.

    .. math:: y = x + A(N_1(x)), \qquad z = y + W_2\, g(W_1 N_2(y))

    with the self-attention :math:`A`, layer norms :math:`N_i` and the GELU :math:`g`.

    Args:
        width: Length of a token.
        heads: Number of attention heads; divides `width`.
    """

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, tokens: Float[Tensor, "n t width"]) -> Float[Tensor, "n t width"]:
        """Tokens after attention and the two-layer network."""
        normed = self.attention_norm(tokens)
        attended, _ = self.attention(normed, normed, normed, need_weights=False)
        tokens = tokens + attended
        mixed: Tensor = tokens + self.mlp(self.mlp_norm(tokens))
        return mixed
