"""From raw images to class probabilities."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Shaped
from torch import nn

from darklens.data import Preprocessing
from darklens.errors import BadInput

__all__ = ["Classifier"]

_BATCH = 64


class Classifier:
    """A trained network with its preprocessing and temperature.

    Args:
        network: Network from preprocessed images to logits.
        classes: Names of the logits, in their order.
        preprocessing: Steps from a raw image to what the network takes.
        temperature: Logits are divided by it before the softmax.
        device: Torch device of the network.
    """

    def __init__(
        self,
        network: nn.Module,
        classes: tuple[str, ...],
        preprocessing: Preprocessing,
        temperature: float = 1.0,
        device: str = "cpu",
    ) -> None:
        self.network = network.to(device).eval()
        self.classes = tuple(classes)
        self.preprocessing = preprocessing
        self.temperature = temperature
        self.device = device

    def logits(self, images: Shaped[np.ndarray, "n *c h w"]) -> Float[np.ndarray, "n k"]:
        """Outputs of the network before temperature and softmax.

        Args:
            images: Raw images (n, c, h, w) or (n, h, w), of any number type.

        Raises:
            BadInput: If the array has another number of axes.
        """
        if images.ndim == 3:
            images = images[:, None]
        if images.ndim != 4:
            raise BadInput(f"images must be (n, c, h, w) or (n, h, w), not {images.ndim} axes")
        outputs = [np.empty((0, len(self.classes)))]
        with torch.inference_mode():
            for start in range(0, len(images), _BATCH):
                batch = self.preprocessing.batch(images[start : start + _BATCH])
                logits = self.network(torch.from_numpy(batch).to(self.device))
                outputs.append(logits.double().cpu().numpy())
        return np.concatenate(outputs)

    def probabilities(self, images: Shaped[np.ndarray, "n *c h w"]) -> Float[np.ndarray, "n k"]:
        """Calibrated class probabilities of raw images (n, c, h, w) or (n, h, w)."""
        logits = torch.from_numpy(self.logits(images) / self.temperature)
        probabilities: np.ndarray = logits.softmax(dim=1).numpy()
        return probabilities

    def predict(self, images: Shaped[np.ndarray, "n *c h w"]) -> pd.DataFrame:
        """Table with one row an image: `label` and one column `p_CLASS` for each class."""
        probabilities = self.probabilities(images)
        labels = [self.classes[index] for index in probabilities.argmax(axis=1)]
        columns = {f"p_{name}": probabilities[:, i] for i, name in enumerate(self.classes)}
        return pd.DataFrame({"label": labels, **columns})
