"""A moving average of a network's weights, which often generalises better than the last step."""

from copy import deepcopy

import torch
from torch import Tensor, nn

__all__ = ["MovingAverage"]


class MovingAverage(nn.Module):
    r"""A copy of a network with exponentially averaged weights.

    After step :math:`t`, :math:`\bar w \leftarrow d_t \bar w + (1 - d_t) w` with
    :math:`d_t = \min(d, (1 + t) / (10 + t))`, so that the first steps are soon forgotten. The
    running statistics of batch norms are averaged in the same way.

    Args:
        network: The network to follow.
        decay: The final decay :math:`d`, such as 0.999.

    Attributes:
        network: The averaged copy; it needs no gradients.
    """

    updates: Tensor

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        super().__init__()
        self.network = deepcopy(network).requires_grad_(False)
        self.decay = decay
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Update the average after one training step."""
        self.updates += 1
        step = int(self.updates)
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        current = network.state_dict()
        for name, average in self.network.state_dict().items():
            if average.is_floating_point():
                average.lerp_(current[name], weight)
            else:
                average.copy_(current[name])
