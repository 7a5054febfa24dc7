"""Inception's 2,048 features, for the Fréchet distance as the community reports it (FID).

The network is the TensorFlow model that defines the FID, as implemented in the package
`torch-fidelity` (the extra `features`). Its weights are a file of 95 MB, given by the caller, found
in torch's download cache, or downloaded from the release of torch-fidelity. Other weights are
refused, as the result would not be an FID.
"""

import hashlib
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Real, UInt8
from torch import nn

from darklens.errors import NotComputed
from darklens.evaluate.generator.features import Features
from darklens.naming import from_home

__all__ = ["INCEPTION_PIXELS", "INCEPTION_SIZE", "Inception", "eight_bits", "load_inception"]

INCEPTION_SIZE = 2048  # features per image
INCEPTION_PIXELS = 299  # side of the images that its layers take

_FILE = "weights-inception-2015-12-05-6726825d.pth"
_SHA256_STARTS = "6726825d"  # as in the name of the file
_BATCH = 16


class Inception:
    """The network of the FID, for grey images from 0 to 255 in three equal channels.

    Args:
        file: The weights; if None, they are taken from torch's cache or, unless `HF_HUB_OFFLINE`
            is set, downloaded into it.
        device: Torch device of the network.

    Raises:
        NotComputed: If torch-fidelity or the weights are missing.
    """

    def __init__(self, file: Path | None = None, *, device: str = "cpu") -> None:
        if find_spec("torch_fidelity") is None:
            raise NotComputed(
                "torch-fidelity is not installed; install it with pip install 'darklens[features]'"
            )
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        path = _checked(file or _cached())
        network = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
        )
        self._device = device
        self._network: nn.Module = network.to(device)
        # Its layers up to the pooled features, without the resizing in front and the classes.
        self._layers = nn.Sequential(*list(network.children())[:-1], nn.Flatten())

    def __repr__(self) -> str:
        return f"Inception({INCEPTION_SIZE} features, {self._device})"

    def resized_inside(self, images: UInt8[np.ndarray, "n h w"]) -> Float[np.ndarray, "n 2048"]:
        """Features of 8-bit images of any size, which the network resizes as TensorFlow 1 does."""
        return self._features(images, lambda pixels: self._network(pixels)[0])

    def not_resized(self, images: Float32[np.ndarray, "n 299 299"]) -> Float[np.ndarray, "n 2048"]:
        """Features of images already of the network's size, from 0 to 255, not rounded."""
        return self._features(images, lambda pixels: self._layers((pixels - 128) / 128))

    def _features(
        self, images: Real[np.ndarray, "n h w"], network: Callable[[torch.Tensor], torch.Tensor]
    ) -> Float[np.ndarray, "n 2048"]:
        found = [np.empty((0, INCEPTION_SIZE))]
        with torch.inference_mode():
            for start in range(0, len(images), _BATCH):
                grey = torch.from_numpy(images[start : start + _BATCH]).to(self._device)
                output = network(grey[:, None].repeat(1, 3, 1, 1))
                found.append(output.double().cpu().numpy())
        return np.concatenate(found)


def load_inception(file: Path | None = None, *, device: str = "cpu") -> Features:
    """Return a function from images with values in [0, 1] to Inception features.

    Images are rounded to 8 bits and copied into three channels; the network resizes them.

    Args:
        file: The weights, as for `Inception`.
        device: Torch device of the network.

    Raises:
        NotComputed: If torch-fidelity or the weights are missing.
    """
    network = Inception(file, device=device)
    return lambda images: network.resized_inside(eight_bits(images))


def eight_bits(images: Float[np.ndarray, "n h w"]) -> UInt8[np.ndarray, "n h w"]:
    """Images with values in [0, 1], clipped and rounded to whole numbers from 0 to 255.

    >>> eight_bits(np.array([[[-0.1, 0.1, 0.5, 1.2]]])).tolist()
    [[[0, 26, 128, 255]]]
    """
    return np.asarray(np.rint(255 * np.clip(images, 0, 1)), dtype=np.uint8)


def _cached() -> Path:
    """The file in torch's cache, downloaded if missing and allowed."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / _FILE
    if not path.is_file() and os.environ.get("HF_HUB_OFFLINE", "0") in ("0", ""):
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(
                URL_INCEPTION_V3, str(path), hash_prefix=_SHA256_STARTS, progress=False
            )
        except (OSError, RuntimeError) as error:
            raise NotComputed(
                f"weights not found at {from_home(path)}, and they cannot be downloaded "
                f"({type(error).__name__}); give the file with --inception"
            ) from error
    return path


def _checked(path: Path) -> Path:
    """The path, after checking that it has the published weights."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NotComputed(f"weights not found at {from_home(path)}") from error
    if not digest.startswith(_SHA256_STARTS):
        raise NotComputed(
            f"{from_home(path)} is not {_FILE}: its sha256 must start with {_SHA256_STARTS}"
        )
    try:
        torch.load(path, map_location="cpu", weights_only=True)  # torch-fidelity does not check
    except Exception as error:  # a damaged file raises many kinds of errors
        raise NotComputed(f"{from_home(path)} is damaged ({type(error).__name__})") from error
    return path
