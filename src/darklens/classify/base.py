"""The base class of classifier networks: from preprocessed images to logits.

`logits` is one pass through the network. `forward` is the same, or in prediction its mean over the
eight flips and right-angle rotations if the configuration says so. The softmax is applied later, in
the prediction.
"""

from abc import ABC, abstractmethod
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from darklens.nn import d4_average

__all__ = ["ClassifierNetwork"]


class ClassifierNetwork(nn.Module, ABC):
    """A network from preprocessed images to logits, one for each class.

    Attributes:
        config: Its configuration, a frozen dataclass.
        backbone: The convolutional part, a timm model without pooling and classifier.
        d4: Whether predictions are averaged over the symmetries of the square.
        smooth_images: Number of preprocessed images of smooth lenses that `fit_smooth` needs
            before training; 0 if the network has no such part.
    """

    config: Any
    backbone: Any
    d4: bool = False
    smooth_images: int = 0

    def fit_smooth(self, images: Float[Tensor, "n c h w"]) -> None:
        """Learn what smooth lenses look like; does nothing in networks without such a part."""

    @abstractmethod
    def logits(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits by one pass."""

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits, averaged over the symmetries in prediction if the network is set to do so."""
        if self.d4 and not self.training:
            return d4_average(self.logits, images)
        return self.logits(images)
