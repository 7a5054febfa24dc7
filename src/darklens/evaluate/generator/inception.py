"""Inception's 2,048 features, for the Fréchet distance as the community reports it (FID).

The network is the TensorFlow model that defines the FID, as implemented in the package
`torch-fidelity` (the extra `features`). Its weights are a file of 95 MB, given by the caller, found
in torch's download cache, or downloaded from the release of torch-fidelity. Other weights are
refused, as the result would not be an FID.
"""

import hashlib
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from darklens.errors import NotComputed
from darklens.evaluate.generator.features import Features

__all__ = ["INCEPTION_SIZE", "load_inception"]

INCEPTION_SIZE = 2048  # features per image

_FILE = "weights-inception-2015-12-05-6726825d.pth"
_SHA256_STARTS = "6726825d"  # as in the name of the file
_BATCH = 16


def load_inception(file: Path | None = None, *, device: str = "cpu") -> Features:
    """Return a function from images with values in [0, 1] to Inception features.

    Images are rounded to 8 bits and copied into three channels; the network resizes them.

    Args:
        file: The weights; if None, they are taken from torch's cache or, unless `HF_HUB_OFFLINE`
            is set, downloaded into it.
        device: Torch device of the network.

    Raises:
        NotComputed: If torch-fidelity or the weights are missing.
    """
    if find_spec("torch_fidelity") is None:
        raise NotComputed(
            "torch-fidelity is not installed; install it with pip install 'darklens[features]'"
        )
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    path = _checked(file or _cached())
    network = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
    ).to(device)

    def features(images: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, "n 2048"]:
        found = [np.empty((0, INCEPTION_SIZE))]
        with torch.inference_mode():
            for start in range(0, len(images), _BATCH):
                batch = np.clip(images[start : start + _BATCH], 0, 1)
                grey = torch.from_numpy(np.rint(255 * batch).astype(np.uint8)).to(device)
                (output,) = network(grey[:, None].repeat(1, 3, 1, 1))
                found.append(output.double().cpu().numpy())
        return np.concatenate(found)

    return features


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
                f"weights not found at {path}, and they cannot be downloaded "
                f"({type(error).__name__}); give the file with --inception"
            ) from error
    return path


def _checked(path: Path) -> Path:
    """The path, after checking that it has the published weights."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NotComputed(f"weights not found at {path}") from error
    if not digest.startswith(_SHA256_STARTS):
        raise NotComputed(f"{path} is not {_FILE}: its sha256 must start with {_SHA256_STARTS}")
    try:
        torch.load(path, map_location="cpu", weights_only=True)  # torch-fidelity does not check
    except Exception as error:  # a damaged file raises many kinds of errors
        raise NotComputed(f"{path} is damaged ({type(error).__name__})") from error
    return path
