"""Embeddings of a trained classifier: the features before its last layer, and its predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Num

from darklens.classify import Classifier, last_linear, logits_and_features
from darklens.errors import BadModel

__all__ = ["Embedding", "embed_images", "join_embeddings"]


@dataclass(frozen=True)
class Embedding:
    """The features and predictions of a classifier.

    Attributes:
        features: Input of its last layer, averaged over symmetries as in the network.
        probabilities: Class probabilities.
        columns: Output of the preprocessing for each image, such as the chi-square of a fit.
    """

    features: Float32[np.ndarray, "n d"]
    probabilities: Float[np.ndarray, "n k"]
    columns: dict[str, list[Any]]

    def __repr__(self) -> str:
        images, size = self.features.shape
        return f"Embedding({images} images, {size} features, {self.probabilities.shape[1]} classes)"


def embed_images(classifier: Classifier, images: Num[np.ndarray, "n c h w"]) -> Embedding:
    """Features, probabilities and columns of one batch of raw images.

    Args:
        classifier: The classifier.
        images: The images; all must fit into memory.

    Raises:
        BadModel: If the network has no linear layer.
    """
    if last_linear(classifier.network) is None:
        raise BadModel("the classifier has no linear layer, so there are no features before it")
    prepared, columns = classifier.preprocessing.explain(images)
    with torch.inference_mode():
        rows = torch.from_numpy(prepared).to(classifier.device)
        logits, found = logits_and_features(classifier.network, rows)
        features = found.float().cpu().numpy()
        probabilities = (logits.double() / classifier.temperature).softmax(1).cpu().numpy()
    return Embedding(features, probabilities, columns)


def join_embeddings(parts: Sequence[Embedding]) -> Embedding:
    """Concatenate batches."""
    columns = {
        name: [value for part in parts for value in part.columns[name]] for name in parts[0].columns
    }
    return Embedding(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
        columns,
    )
