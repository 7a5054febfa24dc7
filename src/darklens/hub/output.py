"""From what a generator's network makes to images, as its card declares it.

The preprocessing is undone, values are brought into their unit and their limits, and where the
network makes expected counts, exact photon noise is added: the noise of the simulator, drawn from
the seed and the number of each image.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32, UInt16

from darklens.data import undo_preprocessing
from darklens.errors import BadModel
from darklens.hub.card import ModelCard, OutputCard
from darklens.hub.preprocessing import model_preprocessing

__all__ = ["build_noise", "build_restore", "photon_noise"]

Images = Float32[np.ndarray, "n c h w"]
_MOST = np.iinfo(np.uint16).max - 2000.0  # counts scatter by less than eight times their root


def build_restore(card: ModelCard) -> Callable[[Images], Images]:
    """The way from the network's values to those of images.

    Raises:
        BadModel: If a step of the preprocessing is unknown or cannot be undone.
    """
    output = _output(card)
    spec = model_preprocessing(list(card.preprocessing)).spec
    undo = undo_preprocessing(spec)

    def restore(images: Images) -> Images:
        values = undo(images) / np.float32(output.unit)
        return np.asarray(np.clip(values, output.minimum, output.maximum), dtype=np.float32)

    return restore


def build_noise(
    card: ModelCard,
) -> Callable[[Images, int, Sequence[int]], UInt16[np.ndarray, "n c h w"]] | None:
    """The noise that the card declares, or None."""
    return None if _output(card).noise == "none" else photon_noise


def photon_noise(
    images: Images, seed: int, indices: Sequence[int]
) -> UInt16[np.ndarray, "n c h w"]:
    """Photon counts; a small change of an expected count changes no other pixel.

    Args:
        images: Expected counts; negative ones are taken for none.
        seed: Seed of the noise.
        indices: Number of each image; the same seed and number draw the same noise.
    """
    from darklens.lensing.poisson import poisson  # compiled when it is first needed

    means = np.clip(images.astype(np.float64), 0, _MOST)
    counts = np.empty(images.shape, dtype=np.uint16)
    for k, index in enumerate(indices):
        key = np.array([seed, index], dtype=np.uint64)
        rng = np.random.Generator(np.random.Philox(key=key))
        counts[k] = poisson(means[k].reshape(-1, means.shape[-1]), rng).reshape(means[k].shape)
    return counts


def _output(card: ModelCard) -> OutputCard:
    if card.output is None:
        raise BadModel(f"the model '{card.name}' is a {card.kind} and makes no images")
    return card.output
