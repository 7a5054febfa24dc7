"""The eight symmetries of the square (the group D4): four rotations, with and without a flip.

A lens and its mirror image or quarter turn are equally likely and belong to the same class.
"""

from collections.abc import Callable

import torch
from jaxtyping import Shaped
from torch import Tensor

__all__ = ["d4_average", "d4_transform"]


def d4_transform(images: Shaped[Tensor, "*n h w"], element: int) -> Shaped[Tensor, "*n v u"]:
    """Transform images by one element of D4.

    Args:
        images: Images; the last two axes are transformed.
        element: 0 to 7: `element % 4` rotations by 90 degrees anticlockwise, followed from 4 on by
            a flip of the columns. 0 is the identity.
    """
    turned = torch.rot90(images, element % 4, dims=(-2, -1))
    return turned.flip(-1) if element >= 4 else turned


def d4_average(
    function: Callable[[Tensor], Tensor], images: Shaped[Tensor, "n c h w"]
) -> Shaped[Tensor, "n ..."]:
    """Mean of a function over the eight transformed copies of each image: D4-invariant."""
    total = function(images)
    for element in range(1, 8):
        total = total + function(d4_transform(images, element))
    return total / 8
