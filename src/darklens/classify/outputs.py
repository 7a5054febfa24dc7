"""What a network makes of raw images, before it becomes an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

__all__ = ["Outputs", "joined"]


@dataclass(frozen=True)
class Outputs:
    """What a network makes of raw images.

    Attributes:
        logits: Its output before temperature and softmax.
        features: What its last linear layer takes.
        columns: What the preprocessing says of each image.
    """

    logits: Float[np.ndarray, "n k"]
    features: Float[np.ndarray, "n f"]
    columns: Mapping[str, list[Any]]

    def __repr__(self) -> str:
        return f"Outputs({len(self.logits)} images, {self.features.shape[1]} features)"


def joined(parts: Sequence[Outputs]) -> Outputs:
    """The parts of a data set, one after the other; of no parts, nothing."""
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
