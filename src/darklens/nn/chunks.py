"""Apply a network in chunks of fixed size, so that results do not depend on the batch size.

Linear-algebra libraries choose their kernels by batch size, and kernels sum in different orders.
The outputs for the same image in batches of 1 and of 64 therefore differ by single-precision
rounding, which a subsequent fit or a draw of photon noise can amplify. With one size for all
chunks, the last one padded, an image gives the same bytes whatever batch it is in.

On some processors the output also depends on the position within a chunk: matrix products of eight
rows treat the last rows differently. The size is therefore chosen in a trial with equal rows.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["even_size", "filled_up", "in_chunks"]


def filled_up(rows: Tensor, size: int) -> Tensor:
    """Pad to `size` rows by repeating the last one; zeros if there are no rows.

    >>> filled_up(torch.tensor([1.0, 2.0]), 4).tolist()
    [1.0, 2.0, 2.0, 2.0]
    """
    missing = size - len(rows)
    if missing <= 0:
        return rows
    last = rows[-1:] if len(rows) else rows.new_zeros((1, *rows.shape[1:]))
    return torch.cat([rows, last.expand(missing, *rows.shape[1:])])


def even_size(
    function: Callable[[Tensor], Tensor], rows: Float[Tensor, "t ..."], largest: int
) -> int:
    """The largest chunk size in which a row gives the same result everywhere, by halving.

    Args:
        function: Maps rows to rows, each independently.
        rows: Rows to try. They differ in their values only; results in another order of operations
            may agree by chance, so that a function with few outputs needs several.
        largest: Size to try first.
    """
    size = largest
    while size > 1 and not all(_is_even(function, row, size) for row in rows):
        size //= 2
    return max(size, 1)


def _is_even(function: Callable[[Tensor], Tensor], row: Float[Tensor, "..."], size: int) -> bool:
    """Whether equal rows in a chunk give equal results."""
    made = function(row.expand(size, *row.shape).contiguous())
    return torch.equal(made, made[:1].expand_as(made))


def in_chunks(
    function: Callable[[Tensor], Tensor], rows: Float[Tensor, "n ..."], *, size: int
) -> Float[Tensor, "n ..."]:
    """Apply a function to each row, always in calls with exactly `size` rows.

    Args:
        function: Maps rows to rows, each independently.
        rows: One or more rows.
        size: Number of rows in a chunk.
    """
    chunks = (rows[start : start + size] for start in range(0, len(rows), size))
    made = [function(filled_up(chunk, size))[: len(chunk)] for chunk in chunks]
    return torch.cat(made)
