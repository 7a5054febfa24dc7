"""ImageNet weights for a network's backbone: from a file, the local cache or the hub.

The first convolution is adapted to the number of channels the way timm does it: for one channel
the three colours are summed.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError

import torch
from huggingface_hub import (
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import adapt_input_conv
from torch import Tensor, nn

from darklens.classify.base import ClassifierNetwork
from darklens.errors import BadConfig, BadModel

__all__ = ["load_imagenet"]

_HUB_FILE = "model.safetensors"


def load_imagenet(network: ClassifierNetwork, file: Path | None = None) -> None:
    """Replace the backbone's weights by those of its ImageNet training.

    Args:
        network: The network, changed in place; everything after the backbone stays.
        file: Weights of the timm architecture (.safetensors or .pth); None tries the local cache
            and then the Hugging Face hub.

    Raises:
        BadModel: If there are no weights, or they do not fit.
    """
    source = network.backbone.pretrained_cfg
    state = _from_hub(source) if file is None else _from_file(file)
    firsts = [f"{name}.weight" for name in _names(source["first_conv"])]
    missing = next((name for name in firsts if name not in state), None)
    if missing is not None:
        raise BadModel(f"the ImageNet weights have no '{missing}': another architecture's?")
    heads = tuple(f"{name}." for name in _names(source["classifier"]))
    ours = network.backbone.state_dict()
    adapted = {
        name: adapt_input_conv(ours[name].shape[1], tensor)
        if name in firsts and name in ours
        else tensor
        for name, tensor in state.items()
        if not name.startswith(heads)
    }
    try:
        fitting = _fitting(network.backbone, adapted)
        network.backbone.load_state_dict(fitting, strict=True)
    except (RuntimeError, KeyError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadModel(f"the ImageNet weights do not fit the backbone: {reason}") from error


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    """One name, or several if there are several such layers."""
    return (given,) if isinstance(given, str) else tuple(given)


def _fitting(backbone: nn.Module, state: dict[str, Tensor]) -> Mapping[str, Tensor]:
    """The weights as timm would load them: positions are resampled for another image size."""
    module = sys.modules[type(backbone).__module__]
    convert = getattr(module, "checkpoint_filter_fn", None)
    if convert is None or all(
        name in state and state[name].shape == tensor.shape
        for name, tensor in backbone.state_dict().items()
    ):
        return state
    converted: Mapping[str, Tensor] = convert(state, backbone)
    return converted


def _from_file(file: Path) -> Mapping[str, Tensor]:
    """State of a weights file, without running code from it."""
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state: Mapping[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise BadModel(f"cannot read the ImageNet weights {file}: not plain weights") from error
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())[:120]
        raise BadModel(f"cannot read the ImageNet weights {file}: {reason}") from error
    return state


def _from_hub(source: Mapping[str, str]) -> Mapping[str, Tensor]:
    """State from the Hugging Face cache, or downloaded into it."""
    name = source.get("hf_hub_id")
    if not name:
        raise BadConfig(
            f"timm has no ImageNet weights for '{source['architecture']}'; "
            "train it from scratch with --pretrained false"
        )
    cached = try_to_load_from_cache(name, _HUB_FILE)
    if isinstance(cached, str):
        return _from_file(Path(cached))
    try:
        get_hf_file_metadata(hf_hub_url(name, _HUB_FILE))  # fails at once; a download tries longer
        file = hf_hub_download(name, _HUB_FILE)
    except Exception as error:  # the hub's client fails in many ways, all meaning the same here
        raise BadConfig(
            f"there are no ImageNet weights: {name} is not in the local cache, and the Hugging "
            f"Face hub does not give it ({type(error).__name__}); give a file with "
            "--pretrained FILE or train from scratch with --pretrained false"
        ) from error
    return _from_file(Path(file))
