"""A network on chunks of one fixed size, so that its answer does not depend on the batch.

Libraries of linear algebra choose their kernels by the size of a batch, and kernels add up in
different orders. So the same image in batches of 1 and of 64 gets answers that differ by the
rounding of single precision, which a following fit or a draw of photon noise may enlarge. With
one size for all chunks, the last one filled up, an image gets the same bytes in any company.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["filled_up", "in_chunks"]


def filled_up(rows: Tensor, size: int) -> Tensor:
    """The rows, the last one repeated until there are `size`; of no rows, zeros.

    >>> filled_up(torch.tensor([1.0, 2.0]), 4).tolist()
    [1.0, 2.0, 2.0, 2.0]
    """
    missing = size - len(rows)
    if missing <= 0:
        return rows
    last = rows[-1:] if len(rows) else rows.new_zeros((1, *rows.shape[1:]))
    return torch.cat([rows, last.expand(missing, *rows.shape[1:])])


def in_chunks(
    function: Callable[[Tensor], Tensor], rows: Float[Tensor, "n ..."], *, size: int
) -> Float[Tensor, "n ..."]:
    """What a function makes of each row, always called with exactly `size` rows.

    Args:
        function: Maps rows to rows, each by itself.
        rows: One or more rows.
        size: Rows of a chunk.
    """
    chunks = (rows[start : start + size] for start in range(0, len(rows), size))
    made = [function(filled_up(chunk, size))[: len(chunk)] for chunk in chunks]
    return torch.cat(made)
