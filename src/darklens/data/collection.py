"""Images collected from files, stacks, class folders and stores, each with its class.

The class of an image comes from its class folder, from the labels stored with it in an `.npz`, or
from the name of its stack or folder if that is one of the spellings in `darklens.classes`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from darklens.classes import CLASSES, canonical_class
from darklens.data.datasets import ImageDataset, open_dataset
from darklens.data.files import find_images, split_member
from darklens.data.image_sets import is_flat
from darklens.data.npz_files import read_columns, read_labels
from darklens.data.readers import read_image
from darklens.data.stacks import expand_stacks, open_stack
from darklens.errors import BadData, BadInput, UnreadableImage

__all__ = ["Found", "check_found", "collect_images"]


@dataclass(frozen=True)
class Found:
    """One image of the collection.

    Attributes:
        name: Its file, its name in a stack, or its number in a store.
        label: Its class, or None if unknown.
        read: Function that reads the image.
        columns: Anything else known about it, such as the axion mass.
    """

    name: str
    label: str | None
    read: Callable[[], Shaped[np.ndarray, "c h w"]] = field(repr=False)
    columns: dict[str, Any] = field(default_factory=dict)


def collect_images(
    inputs: Sequence[str],
    *,
    split: str | None = None,
    stacked: bool | None = None,
    extension: str | None = None,
) -> list[Found]:
    """Collect the images in files, stacks, folders, globs and stores, in the order given.

    Args:
        inputs: Files, folders and globs.
        split: Part of a folder that is split, such as `train`.
        stacked: Read 2 to 16 planes in a `.npy` as images (True) or as channels (False).
        extension: Name or number of the extension of FITS files.

    Raises:
        BadInput: If there is no image, or the contents of a file are ambiguous.
        BadData: If the layout of a folder is unknown, or labels and images do not match.
    """
    open_one = partial(_found, stacked=stacked, extension=extension)
    found = list[Found]()
    for given in inputs:
        path = Path(given)
        if path.is_dir() and (split is not None or not is_flat(path)):
            dataset = open_dataset(path, split)
            found += _of_dataset(path, dataset, open_one)
        else:
            for file in find_images([given]):
                found += open_one(file, None)
    return found


def _of_dataset(
    root: Path,
    dataset: ImageDataset,
    open_one: Callable[[Path, str | None], Iterator[Found]],
) -> Iterator[Found]:
    """The images of a class tree, with its stacks expanded, or those of a store."""
    for position, (name, label) in enumerate(zip(dataset.ids, dataset.labels, strict=True)):
        path = root / name
        if split_member(path) is not None or path.is_file():
            yield from open_one(path, dataset.classes[label])
        else:
            yield Found(name, dataset.classes[label], partial(_from_dataset, dataset, position))


def _found(
    path: Path, label: str | None, *, stacked: bool | None, extension: str | None
) -> Iterator[Found]:
    """The image or images of one file."""
    names = expand_stacks([path], stacked=stacked)
    labels, columns = _labels_and_columns(names)
    for position, name in enumerate(names):
        known = label or (labels[position] if labels else _class_by_name(name))
        further = {key: values[position] for key, values in columns.items()}
        yield Found(str(name), known, partial(read_image, name, extension=extension), further)


def _labels_and_columns(names: Sequence[Path]) -> tuple[list[str] | None, dict[str, Any]]:
    """Labels and columns of the images of an archive, or of a single image in it."""
    member = split_member(names[0])
    if member is None or member[0].suffix.lower() != ".npz":
        return None, {}
    file, first = member
    labels, columns = _archive_content(file, file.stat().st_mtime_ns)
    chosen = slice(first, first + len(names))
    return labels and labels[chosen], {key: values[chosen] for key, values in columns.items()}


@lru_cache(maxsize=8)
def _archive_content(file: Path, changed: int) -> tuple[list[str] | None, dict[str, Any]]:  # noqa: ARG001
    """The same for a whole archive, cached because it is needed image by image."""
    try:
        count = len(open_stack(file))
        return read_labels(file, count), read_columns(file, count)
    except UnreadableImage as error:
        raise BadData(f"{file}: {error}") from None


def _class_by_name(name: Path) -> str | None:
    """The class named by a stack or a folder, or None."""
    member = split_member(name)
    words = [member[0].stem, member[0].parent.name] if member else [name.parent.name]
    spelt = [canonical_class(word) for word in words]
    return next((word for word in spelt if word in CLASSES), None)


def _from_dataset(dataset: ImageDataset, position: int) -> Shaped[np.ndarray, "c h w"]:
    try:
        return dataset[position][0]
    except BadData as error:
        raise UnreadableImage(str(error)) from None


def check_found(found: Sequence[Found]) -> None:
    """Check that either all images have a class or none has.

    Raises:
        BadInput: If some images have a class and others do not; names the first without one.
    """
    without = [item.name for item in found if item.label is None]
    if without and len(without) < len(found):
        raise BadInput(
            f"{len(without)} of {len(found)} images have no class (the first is {without[0]}): put"
            " them into class folders, or convert them separately"
        )
