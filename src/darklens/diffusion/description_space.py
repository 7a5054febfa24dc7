r"""Descriptions of lenses as codes for a diffusion model, and the inverse.

A description is a vector of numbers. With the cumulative distribution :math:`F_{jk}` of number `j`
in class `k` of the training set, its code is

.. math:: z_j = \Phi^{-1}(F_{jk}(d_j))

so that each number of a code is standard normal by itself in every class. What is left to the
network is how the numbers depend on each other. A number that is the same in all lenses of a class,
such as the mass of the substructure where there is none, is decoded exactly.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from darklens.errors import BadConfig

__all__ = ["DescriptionSpace"]

_FAR = 4.0
"""Largest size of a number in a code; one in 16,000 normal numbers is beyond it."""
_STEPS = 256


class DescriptionSpace(nn.Module):
    """The code of a description, and the description of a code.

    Args:
        numbers: Length of a description.
        classes: Number of classes with distributions of their own; at least one.

    Attributes:
        quantiles: The number at equal steps of its code, one number and one class after the
            other; zero until `fit`.
        spread: Root mean square of the codes, one.
    """

    quantiles: Tensor
    spread: Tensor

    def __init__(self, numbers: int, classes: int) -> None:
        super().__init__()
        self._shape = classes, numbers, _STEPS + 1
        self.register_buffer("quantiles", torch.zeros(classes * numbers * (_STEPS + 1)))
        self.register_buffer("spread", torch.ones(()))

    def fit(self, descriptions: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]) -> None:
        """Find the quantiles of a set of descriptions.

        Args:
            descriptions: The descriptions.
            labels: Class of each.

        Raises:
            BadConfig: If a class has fewer than two examples.
        """
        places = torch.linspace(-_FAR, _FAR, _STEPS + 1, dtype=torch.float64)
        shares = 0.5 * (1 + (places / 2**0.5).erf())
        shares[0], shares[-1] = 0.0, 1.0
        tables = []
        for label in range(self._shape[0]):
            values = descriptions[labels == label].double().sort(dim=0).values
            if len(values) < 2:
                raise BadConfig("the training set needs at least two lenses of every class")
            ranks = shares * (len(values) - 1)
            below = ranks.long().clamp(max=len(values) - 2)
            part = (ranks - below)[:, None]
            tables.append((values[below] * (1 - part) + values[below + 1] * part).T)
        self.quantiles.copy_(torch.stack(tables).flatten())

    def encode(
        self, descriptions: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n d"]:
        """Codes of descriptions; equal numbers have the middle of their normal numbers."""
        codes = torch.empty(descriptions.shape)
        for label, table in enumerate(self._tables()):
            chosen = labels == label
            values = descriptions[chosen].T.contiguous()
            ends = _places(table, values, last=False), _places(table, values, last=True)
            codes[chosen] = (ends[0] + ends[1]).T * (_FAR / _STEPS) - _FAR
        return codes

    def decode(
        self, codes: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n d"]:
        """Descriptions of codes; each number stays within those of the training set."""
        places = (codes.clamp(-_FAR, _FAR) + _FAR) * (_STEPS / (2 * _FAR))
        below = places.long().clamp(0, _STEPS - 1)
        tables = self._tables()[labels]
        low, high = (tables.gather(2, item[:, :, None])[:, :, 0] for item in (below, below + 1))
        decoded: Tensor = low + (places - below) * (high - low)
        return decoded

    def _tables(self) -> Float[Tensor, "k d q"]:
        return self.quantiles.view(self._shape)


def _places(
    table: Float[Tensor, "d q"], values: Float[Tensor, "d n"], *, last: bool
) -> Float[Tensor, "d n"]:
    """First or last place of values in rising tables, between two entries by interpolation."""
    above = torch.searchsorted(table, values, right=last).clamp(1, table.shape[1] - 1)
    low, high = table.gather(1, above - 1), table.gather(1, above)
    part = ((values - low) / (high - low)).clamp(0, 1)
    part = torch.where(high > low, part, float(last))
    places: Tensor = above - 1 + part
    return places
