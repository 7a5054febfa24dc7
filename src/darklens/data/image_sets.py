"""Image sets that may have no labels: a flat folder, a stack, or any data set.

Without labels, as in folders used to compute the FID, all images have the class
`UNLABELLED`.
"""

from pathlib import Path

import numpy as np

from darklens.classes import CLASSES, UNLABELLED, canonical_class
from darklens.data.datasets import ImageDataset, open_dataset, open_stack_file
from darklens.data.files import list_images
from darklens.data.stacks import class_stacks, expand_stacks

__all__ = ["is_flat", "open_images"]


def open_images(path: str | Path, split: str | None = None) -> ImageDataset:
    """Open a class tree, a store, a flat folder of images, or a stack.

    Args:
        path: A folder, or a `.npy` or `.npz` file.
        split: The part to open of a folder that is split, such as `test`.

    Raises:
        BadData: If there are no images, or the layout is unknown.
    """
    root = Path(path)
    if root.is_file() and split is None:
        return open_stack_file(root, root=root.parent, labelled=False)
    folder = root if split is None else root / split
    if not folder.is_dir() or not is_flat(folder):
        return open_dataset(root, split)
    stacks = class_stacks(folder)
    if stacks and all(canonical_class(path.stem) in CLASSES for path in stacks):
        return open_dataset(root, split)
    names = expand_stacks(list_images(folder, recursive=False), stacked=False)
    return _unlabelled(root, names)


def is_flat(folder: Path) -> bool:
    """Whether the folder holds images and no folders."""
    inside = any(path.is_dir() and path.name[0] != "." for path in folder.iterdir())
    return not inside and bool(list_images(folder, recursive=False))


def _unlabelled(root: Path, names: list[Path]) -> ImageDataset:
    zeros = np.zeros(len(names), dtype=np.int64).tolist()
    return ImageDataset.from_files(root, names, zeros, classes=(UNLABELLED,))
