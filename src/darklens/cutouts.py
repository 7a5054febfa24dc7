"""Central cutouts of images, and sums over blocks of pixels."""

import numpy as np
from jaxtyping import Num

__all__ = ["block_sums", "central_cutout"]


def central_cutout(
    images: Num[np.ndarray, "*n h w"], rows: int, columns: int | None = None
) -> Num[np.ndarray, "*n i j"]:
    """The central pixels of each image, as a view.

    Where the margins cannot be equal, those before the cutout are narrower by one pixel.

    Args:
        images: One image or several; a side no longer than the cutout is kept as it is.
        rows: Height of the cutout [pixel].
        columns: Width of the cutout [pixel]; equal to the height if None.

    >>> central_cutout(np.arange(20).reshape(4, 5), 2).tolist()
    [[6, 7], [11, 12]]
    """
    columns = rows if columns is None else columns
    height, width = images.shape[-2:]
    top, left = max(0, (height - rows) // 2), max(0, (width - columns) // 2)
    return images[..., top : top + rows, left : left + columns]


def block_sums(images: Num[np.ndarray, "*n h w"], factor: int) -> Num[np.ndarray, "*n i j"]:
    """Sums over blocks of `factor` x `factor` pixels; incomplete blocks at the end are dropped.

    >>> block_sums(np.arange(12).reshape(2, 6), 2).tolist()
    [[14, 22, 30]]
    """
    if factor == 1:
        return images
    rows, columns = (side // factor * factor for side in images.shape[-2:])
    whole = images[..., :rows, :columns]
    across = sum(whole[..., k::factor] for k in range(1, factor)) + whole[..., ::factor]
    return np.asarray(
        sum(across[..., k::factor, :] for k in range(1, factor)) + across[..., ::factor, :]
    )
