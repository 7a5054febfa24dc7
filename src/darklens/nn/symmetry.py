"""The eight symmetries of the square (the group D4): four right-angle rotations, with a flip.

A lens and its mirror image or quarter turn are equally likely and belong to the same class.
"""

from collections.abc import Callable

import torch
from jaxtyping import Shaped
from torch import Tensor

__all__ = ["d4_average", "d4_transform"]


def d4_transform(images: Shaped[Tensor, "*n h w"], element: int) -> Shaped[Tensor, "*n v u"]:
    """Images turned by one element of D4.

    Args:
        images: Images; the last two axes are turned.
        element: 0 to 7: quarter turns `element % 4` anticlockwise, then a flip of the columns
            from 4 on. 0 changes nothing.
    """
    turned = torch.rot90(images, element % 4, dims=(-2, -1))
    return turned.flip(-1) if element >= 4 else turned


def d4_average(
    function: Callable[[Tensor], Tensor], images: Shaped[Tensor, "n c h w"]
) -> Shaped[Tensor, "n ..."]:
    """Mean of a function over the eight turned copies of each image; itself invariant under D4."""
    total = function(images)
    for element in range(1, 8):
        total = total + function(d4_transform(images, element))
    return total / 8
