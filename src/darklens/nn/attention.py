"""Self-attention over the cells of a feature map."""

from typing import Any

from torch import Tensor, nn

__all__ = ["AttentionBlock"]

_NAMES_IN_FILES = {
    "norm1": "attention_norm",
    "self_attn": "attention",
    "norm2": "mlp_norm",
    "linear1": "mlp.0",
    "linear2": "mlp.2",
}


class AttentionBlock(nn.TransformerEncoderLayer):
    r"""A pre-norm transformer layer whose feed-forward part has the width of its tokens.

    .. math:: y = x + A(N_1(x)), \qquad z = y + W_2\, g(W_1 N_2(y))

    with the self-attention :math:`A`, layer norms :math:`N_i` and the GELU :math:`g`. State
    dictionaries keep the parameter names of earlier versions, so old models and checkpoints load.

    Args:
        width: Dimension of a token.
        heads: Number of attention heads; divides `width`.
    """

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__(
            width, heads, width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        for name in _NAMES_IN_FILES:  # optimiser states follow the order of the parameters
            part = getattr(self, name)
            delattr(self, name)
            self.add_module(name, part)
        block: Any = self  # torch does not annotate these two
        block.register_state_dict_post_hook(_to_files)
        block.register_load_state_dict_pre_hook(_from_files)


def _to_files(_block: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    _rename(state, prefix, _NAMES_IN_FILES)


def _from_files(_block: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    _rename(state, prefix, {theirs: ours for ours, theirs in _NAMES_IN_FILES.items()})


def _rename(state: dict[str, Tensor], prefix: str, names: dict[str, str]) -> None:
    """Rename the parts of the block in a state dictionary, in place."""
    for before, after in names.items():
        start = f"{prefix}{before}."
        for key in [key for key in state if key.startswith(start)]:
            state[f"{prefix}{after}.{key.removeprefix(start)}"] = state.pop(key)
