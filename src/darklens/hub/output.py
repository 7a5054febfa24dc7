"""From the output of a generator's network to images, as declared by its card.

The preprocessing is undone, or the description of a lens is rendered (see
`darklens.hub.described_images`), and values are converted to their unit and clipped. If the
network gives expected counts, photon noise is added as in the simulator, drawn from the seed and
the number of each image. If it was trained on JPEGs, its smooth pictures are given grain and the
same compression.
"""

from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Float32, Num, UInt16

from darklens.data import undo_preprocessing
from darklens.errors import BadModel
from darklens.hub.card import ModelCard, OutputCard
from darklens.hub.described_images import DESCRIBED, DescribedImages
from darklens.hub.preprocessing import model_preprocessing

__all__ = ["build_noise", "build_restore", "photon_noise"]

Images = Float32[np.ndarray, "n c h w"]
_MOST = np.iinfo(np.uint16).max - 2000.0  # leaves room for fluctuations of almost 8 sigma


def build_restore(card: ModelCard) -> Callable[[Images], Images]:
    """The function from the network's output to pixel values.

    Raises:
        BadModel: If a step of the preprocessing is unknown or cannot be undone, or descriptions
            of lenses cannot be rendered.
    """
    output = _output(card)
    if card.network["name"] == DESCRIBED:
        if card.preprocessing:
            raise BadModel(f"preprocessing: a network of the kind {DESCRIBED} has none")
        return partial(_restored, undo=DescribedImages(card.network), output=output)
    spec = model_preprocessing(list(card.preprocessing)).spec
    return partial(_restored, undo=undo_preprocessing(spec), output=output)


def build_noise(
    card: ModelCard,
) -> Callable[[Images, int, Sequence[int]], Num[np.ndarray, "n c h w"]] | None:
    """The noise that the card declares, or None."""
    output = _output(card)
    if output.noise == "jpeg":
        return partial(compressed, grain=output.grain, dark=output.dark, quality=output.quality)
    return photon_noise if output.noise == "poisson" else None


def photon_noise(
    images: Images, seed: int, indices: Sequence[int]
) -> UInt16[np.ndarray, "n c h w"]:
    """Draw photon counts; a small change of one expected count affects no other pixel.

    Args:
        images: Expected counts; negative values are set to 0.
        seed: Seed of the noise.
        indices: Number of each image; the same seed and number give the same noise.
    """
    from darklens.lensing.poisson import poisson  # compiled on first use

    means = np.clip(images.astype(np.float64), 0, _MOST)
    counts = np.empty(images.shape, dtype=np.uint16)
    for k, index in enumerate(indices):
        key = np.array([seed, index], dtype=np.uint64)
        rng = np.random.Generator(np.random.Philox(key=key))
        counts[k] = poisson(means[k].reshape(-1, means.shape[-1]), rng).reshape(means[k].shape)
    return counts


def compressed(
    images: Images, seed: int, indices: Sequence[int], *, grain: float, dark: float, quality: int
) -> Images:
    """Add grain to smooth pictures and compress them as JPEG.

    Args:
        images: Pictures from 0 to 1.
        seed: Seed of the grain.
        indices: Number of each image; the same seed and number give the same grain.
        grain: Standard deviation of white noise before the compression [1/255].
        dark: Brightness up to which there is no grain [1/255].
        quality: Compression quality.

    Returns:
        Integer grey levels divided by 255.
    """
    from PIL import Image

    made = np.empty(images.shape, dtype=np.float32)
    for k, index in enumerate(indices):
        rng = np.random.Generator(np.random.Philox(key=np.array([seed, index], dtype=np.uint64)))
        light = 255 * images[k]
        grey = light + grain * (light > dark) * rng.standard_normal(light.shape)
        for channel, plane in enumerate(np.rint(grey.clip(0, 255)).astype(np.uint8)):
            with BytesIO() as file:
                Image.fromarray(plane).save(file, "JPEG", quality=quality)
                with Image.open(file) as picture:
                    made[k, channel] = np.asarray(picture, dtype=np.float32) / 255
    return made


def _restored(
    images: Float32[np.ndarray, "n _ _ _"], *, undo: Callable[..., Any], output: OutputCard
) -> Float32[np.ndarray, "n c h w"]:
    values = undo(images) / np.float32(output.unit)
    return np.asarray(np.clip(values, output.minimum, output.maximum), dtype=np.float32)


def _output(card: ModelCard) -> OutputCard:
    if card.output is None:
        raise BadModel(f"the model '{card.name}' is a {card.kind} and makes no images")
    return card.output
