"""Assign the images of a folder to training, validation and test sets.

| folders | training | selection | test |
|---|---|---|---|
| train, val, test | train | val | test |
| train, val | train | 90 % of val | 10 % of val (the reference protocol) |
| train, test | the rest of train | one fold of train | test |
| train only, or not split | the rest | one fold | |

In cross-validation one fold of the training images is the test set instead. Models are selected on
val or, without it, on one fold of the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darklens.data.datasets import ImageDataset, open_part
from darklens.data.layout import Layout, find_layout
from darklens.data.splits import reference_split, stratified_folds
from darklens.errors import BadConfig, BadData

__all__ = ["Division", "divide"]

_PURPOSES = {
    "train": "for training",
    "val": "to select the best weights",
    "test": "for the final test only",
}


@dataclass(frozen=True)
class Division:
    """The parts of a data set.

    Attributes:
        parts: `train`, `val` and, if there is one, `test`, with the labels of `train`.
        origins: Where the images of each part come from, in words.
        unused: Folders whose images are not used.
    """

    parts: Mapping[str, ImageDataset]
    origins: Mapping[str, str]
    unused: tuple[Path, ...] = ()

    def lines(self) -> list[str]:
        """A summary: one line for each part, and one for folders that are not used."""
        lines = [
            f"{part}: {len(data)} images, {_PURPOSES[part]}: {self.origins[part]}"
            f" ({_class_counts(data)})"
            for part, data in self.parts.items()
        ]
        if self.unused:
            lines.append(f"not used: {', '.join(str(folder) for folder in self.unused)}")
        return lines


def divide(root: Path, *, folds: int = 10, fold: int | None = None, seed: int = 0) -> Division:
    """Open a folder or store and split it.

    Args:
        root: The folder.
        folds: Without a part val, one image in this many is used for selection.
        fold: For cross-validation, the test fold, counted from 1.
        seed: Seed of the split.

    Raises:
        BadConfig: If there is no such fold.
        BadData: If there are no training images, a class has too few images, or a part has a class
            missing from the training images.
    """
    if not root.is_dir() and not root.is_file():
        raise BadData(f"{root} is not a folder")
    layout = find_layout(root)
    if layout.divided and "train" not in layout.parts:
        there = ", ".join(layout.parts)
        raise BadData(f"{root} has no folder train; its parts are {there or 'none'}")
    if fold is not None and not 1 <= fold <= folds:
        raise BadConfig(f"data.fold must be from 1 to data.folds ({folds}) or all, not {fold}")
    try:
        parts, origins = _parts(layout, folds, fold, seed)
    except _TooFew as error:
        raise BadData(f"{error}; use fewer with --data.folds, or add a folder val") from error
    unused = [*layout.unused]
    if fold is not None and "test" in layout.parts:
        unused += layout.parts["test"].folders
    classes = parts["train"].classes
    aligned = {part: _aligned(part, data, classes) for part, data in parts.items() if len(data)}
    return Division(aligned, origins, tuple(unused))


class _TooFew(BadData):
    """A class has fewer images than there are folds."""


def _parts(
    layout: Layout, folds: int, fold: int | None, seed: int
) -> tuple[dict[str, ImageDataset], dict[str, str]]:
    """The parts and their origins."""
    source = "train" if layout.divided else ""
    train, where = open_part(layout, source), _where(layout, source)
    parts, origins = {"train": train}, {"train": where}
    if fold is not None:
        rest, parts["test"] = _folds(train, folds, seed)[fold - 1]
        parts["train"] = rest
        origins |= {
            "train": f"the other folds of {where}",
            "test": f"fold {fold} of {folds} of {where}",
        }
    if "val" in layout.parts:
        parts["val"], origins["val"] = open_part(layout, "val"), _where(layout, "val")
    else:
        parts["train"], parts["val"] = _folds(parts["train"], folds, seed)[0]
        kept = f"1 in {folds} of {origins['train']}"
        origins |= {"val": kept, "train": f"the rest of {origins['train']}"}
    if fold is None and "test" in layout.parts:
        parts["test"], origins["test"] = open_part(layout, "test"), _where(layout, "test")
    elif fold is None and "val" in layout.parts:
        parts = reference_split(parts["train"], parts["val"], seed=seed)
        origins |= {"val": f"90 % of {origins['val']}", "test": f"10 % of {origins['val']}"}
    return {name: parts[name] for name in ("train", "val", "test") if name in parts}, origins


def _folds(dataset: ImageDataset, folds: int, seed: int) -> list[tuple[ImageDataset, ImageDataset]]:
    try:
        return stratified_folds(dataset, folds, seed=seed)
    except BadData as error:
        raise _TooFew(str(error)) from error


def _aligned(part: str, dataset: ImageDataset, classes: tuple[str, ...]) -> ImageDataset:
    try:
        return dataset.with_classes(classes)
    except BadData as error:
        raise BadData(f"the part {part}: {error}") from error


def _where(layout: Layout, part: str) -> str:
    return ", ".join(str(folder) for folder in layout.parts[part].folders)


def _class_counts(dataset: ImageDataset) -> str:
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes))
    return ", ".join(f"{name} {count}" for name, count in zip(dataset.classes, counts, strict=True))
