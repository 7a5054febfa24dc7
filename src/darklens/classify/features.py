"""The features that a network's last layer takes, together with its logits.

If a network averages over the symmetries of the square, so are its features.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["last_linear", "logits_and_features"]


def last_linear(network: nn.Module) -> nn.Linear | None:
    """The linear layer that gives the logits, or None if there is none."""
    layers = [part for part in network.modules() if isinstance(part, nn.Linear)]
    return layers[-1] if layers else None


def logits_and_features(
    network: nn.Module, rows: Float[Tensor, "n c h w"]
) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n f"]]:
    """Logits of preprocessed images, and the input of the last linear layer.

    If the network has no linear layer, its logits are also the features.
    """
    layer = last_linear(network)
    if layer is None:
        logits = network(rows)
        return logits, logits
    seen: list[Tensor] = []

    def look(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0])

    hook = layer.register_forward_pre_hook(look)
    try:
        logits = network(rows)
    finally:
        hook.remove()
    return logits, torch.stack(seen).mean(dim=0)
