r"""Learning-rate schedules as functions of the progress of a run, and its training budget.

A run ends after a number of images, epochs or minutes. Its progress :math:`p` goes from 0 to 1, so
that a schedule defined over :math:`p` is complete when the budget is used up.
"""

import math
from dataclasses import dataclass

from darklens.errors import BadConfig

__all__ = ["Budget", "cosine_restarts", "one_cycle"]


@dataclass(frozen=True)
class Budget:
    """When training ends: at the first of the given limits.

    Attributes:
        images: Images seen, including repeats.
        epochs: Passes over the training data, or over `epoch_images` of an endless stream.
        minutes: Wall time of training and validation, over all resumed parts [min].
    """

    images: int | None = None
    epochs: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        """Refuse limits that end a run before it starts."""
        if any(limit is not None and not 0 < limit < math.inf for limit in self.limits):
            raise BadConfig("budget.images, .epochs and .minutes must be positive")

    @property
    def limits(self) -> tuple[float | None, ...]:
        """The three limits; a run needs at least one."""
        return self.images, self.epochs, self.minutes

    def check_ends(self) -> None:
        """Refuse a budget without a limit.

        Raises:
            BadConfig: If no limit is given.
        """
        if all(limit is None for limit in self.limits):
            raise BadConfig("the run has no limit: give budget.images, .epochs or .minutes")

    def progress(self, *, images: int, epochs: float, seconds: float) -> float:
        """Fraction of the run completed, from 0 to 1.

        >>> Budget(images=1000, minutes=1.0).progress(images=250, epochs=0.0, seconds=45.0)
        0.75
        """
        done = 0.0
        if self.images is not None:
            done = max(done, images / self.images)
        if self.epochs is not None:
            done = max(done, epochs / self.epochs)
        if self.minutes is not None:
            done = max(done, seconds / (60 * self.minutes))
        return min(done, 1.0)


def one_cycle(progress: float, *, warmup: float) -> float:
    r"""Fraction of the peak learning rate: a linear rise, then a half-cosine decay to 0.

    .. math:: f = \tfrac{1}{25} + \tfrac{24}{25}\, p / w \quad (p < w), \qquad
        f = \tfrac12 \left(1 + \cos \pi \frac{p - w}{1 - w}\right)

    Args:
        progress: Fraction :math:`p` of the run completed.
        warmup: Fraction :math:`w` of the run in which the rate rises; below 1.

    >>> [round(one_cycle(p, warmup=0.2), 2) for p in (0.0, 0.2, 0.6, 1.0)]
    [0.04, 1.0, 0.5, 0.0]
    """
    if progress < warmup:
        return (1 + 24 * progress / warmup) / 25
    return (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup))) / 2


def cosine_restarts(epoch: int, *, period: int) -> float:
    r"""Fraction of the peak learning rate: a half-cosine decay in each period of epochs.

    .. math:: f = \tfrac12 \left(1 + \cos \pi \frac{e \bmod T}{T}\right)

    >>> [round(cosine_restarts(e, period=4), 2) for e in (0, 2, 3, 4)]
    [1.0, 0.5, 0.15, 1.0]

    References:
        Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5.
    """
    return (1 + math.cos(math.pi * (epoch % period) / period)) / 2
