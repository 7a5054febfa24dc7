"""Check the tensors of a weights file against the network.

A safetensors file holds only numbers, but its hash shows only that it is the file listed in the
card: names, shapes and types must match the network, and all numbers must be finite.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from darklens.errors import BadModel

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["checked_tensors", "largest_file"]

_HEADER = 2**22  # [byte], enough for the names, types and offsets of some 30,000 tensors


def largest_file(wanted: Mapping[str, "Tensor"]) -> int:
    """Largest size of a file with these tensors, in the widest type [byte]."""
    return _HEADER + 8 * sum(tensor.numel() for tensor in wanted.values())


def checked_tensors(data: bytes, wanted: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Read and check tensors, in single precision, for the state of a network.

    Args:
        data: Bytes of a safetensors file.
        wanted: State of the network with initial weights.

    Raises:
        BadModel: If the bytes are damaged, or a tensor is missing, unexpected, of the wrong shape
            or type, or not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        found = load(data)
    except (SafetensorError, KeyError, ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise BadModel(f"not a safetensors file: {' '.join(str(error).split())[:160]}") from error
    for name in wanted.keys() ^ found.keys():
        raise BadModel(f"the tensor '{name}' is {'missing' if name in wanted else 'unexpected'}")
    return {name: _checked(name, found[name], like) for name, like in wanted.items()}


def _checked(name: str, tensor: "Tensor", like: "Tensor") -> "Tensor":
    if tensor.shape != like.shape:
        sizes = [" x ".join(map(str, item.shape)) or "one number" for item in (tensor, like)]
        raise BadModel(f"the tensor '{name}' is {sizes[0]}, not {sizes[1]}")
    if tensor.is_floating_point() != like.is_floating_point() or tensor.is_complex():
        raise BadModel(f"the tensor '{name}' has the type {tensor.dtype}")
    if not like.is_floating_point():
        return tensor
    single = tensor.float()
    if not single.isfinite().all():
        raise BadModel(f"the tensor '{name}' has values that are not finite")
    return single
