"""Freeze parts of a network while the rest is trained.

A frozen part acts as in prediction: its weights have no gradients, its batch norms use fixed
running statistics, and dropout is off.
"""

from collections.abc import Sequence

from torch import nn

from darklens.errors import BadConfig

__all__ = ["freeze_up_to", "keep_frozen"]


def freeze_up_to(network: nn.Module, name: str) -> list[nn.Module]:
    """Freeze a network from its first layer up to and including a named part.

    Args:
        network: The network, changed in place.
        name: Dotted name of a part, such as `backbone` or `backbone.layers.3`.

    Returns:
        The frozen parts, for `keep_frozen`.

    Raises:
        BadConfig: If there is no such part, or no weights would be left to train.
    """
    parts = dict(network.named_modules())
    if not name or name not in parts:
        raise BadConfig(f"--freeze: the network has no part '{name}'; {_known(parts, name)}")
    last = _position(list(parts), name)
    frozen = [module for key, module in list(parts.items())[: last + 1] if not _holds(key, name)]
    for module in frozen:
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise BadConfig(f"--freeze {name}: nothing would be left to train")
    keep_frozen(frozen)
    return frozen


def keep_frozen(frozen: Sequence[nn.Module]) -> None:
    """Put frozen parts back into evaluation mode, which `train()` has changed."""
    for module in frozen:
        module.training = False


def _position(names: Sequence[str], name: str) -> int:
    """Position of the last module in the named part."""
    return max(k for k, key in enumerate(names) if key == name or key.startswith(f"{name}."))


def _holds(key: str, name: str) -> bool:
    """Whether a module contains the named part and so is not frozen as a whole."""
    return key == "" or name.startswith(f"{key}.")


def _known(parts: Sequence[str] | dict[str, nn.Module], name: str) -> str:
    """The parts to suggest for a wrong name."""
    above = name
    while above and above not in parts:
        above = above.rpartition(".")[0]
    depth = above.count(".") + (2 if above else 1)
    below = [key for key in parts if key and key.count(".") == depth - 1]
    inside = [key for key in below if not above or key.startswith(f"{above}.")]
    return f"{f'{above} has' if above else 'it has'} {', '.join(inside) or 'no parts'}"
