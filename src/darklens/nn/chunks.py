"""Apply a network in chunks of fixed size, so that results do not depend on the batch.

Libraries of linear algebra choose their kernels by the size of a batch, and kernels add up in
different orders. So the same image in batches of 1 and of 64 gets answers that differ by the
rounding of single precision, which a following fit or a draw of photon noise may enlarge. With
one size for all chunks, the last one filled up, an image gets the same bytes in any company.

On some processors the answer depends on the place within a chunk, too: a product of matrices of
eight rows treats the last rows apart. So the size is chosen by a trial with equal rows.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["even_size", "filled_up", "in_chunks"]


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


def even_size(function: Callable[[Tensor], Tensor], row: Float[Tensor, "..."], largest: int) -> int:
    """The largest number of rows, halved as often as needed, that are all treated alike.

    Args:
        function: Maps rows to rows, each by itself.
        row: One row; which operations are done, and in which order, does not depend on its values.
        largest: Where to begin.
    """
    size = largest
    while size > 1:
        made = function(row.expand(size, *row.shape).contiguous())
        if torch.equal(made, made[:1].expand_as(made)):
            return size
        size //= 2
    return 1


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
