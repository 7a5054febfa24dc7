"""The outputs of a network for raw images, before they become answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

__all__ = ["Outputs", "joined"]


@dataclass(frozen=True)
class Outputs:
    """The outputs of a network for raw images.

    Attributes:
        logits: Its output before temperature and softmax.
        features: Input of its last linear layer.
        columns: Results of the preprocessing for each image.
    """

    logits: Float[np.ndarray, "n k"]
    features: Float[np.ndarray, "n f"]
    columns: Mapping[str, list[Any]]

    def __repr__(self) -> str:
        return f"Outputs({len(self.logits)} images, {self.features.shape[1]} features)"


def joined(parts: Sequence[Outputs]) -> Outputs:
    """The parts of a data set, one after the other; empty without parts."""
    if not parts:
        return Outputs(np.empty((0, 0)), np.empty((0, 0)), {})
    return Outputs(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.features for part in parts]),
        {
            name: [value for part in parts for value in part.columns[name]]
            for name in parts[0].columns
        },
    )
