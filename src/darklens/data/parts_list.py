"""The list of the images of a run, `parts.csv`, and the part to which each belonged.

One row per image: part, class, path relative to the data folder (or number in a store), and a
digest of its content. This identifies exactly the images that a run held out, and reveals any
that have changed since.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darklens.data.datasets import ImageDataset, open_part
from darklens.data.layout import find_layout
from darklens.data.splits import image_digest
from darklens.errors import BadData
from darklens.files.atomic import atomic_file

__all__ = ["PARTS_FILE", "ListedImage", "open_listed", "parts_rows", "read_parts", "write_parts"]

PARTS_FILE = "parts.csv"
_COLUMNS = ["part", "class", "path", "digest"]
_FORMULA = ("=", "+", "-", "@")  # taken as a formula by spreadsheets
_READ_AT_ONCE = 256


@dataclass(frozen=True)
class ListedImage:
    """A row of the list: part, class, name and digest of an image."""

    part: str
    label: str
    name: str
    digest: str


def parts_rows(
    parts: Mapping[str, ImageDataset], digests: Mapping[str, Sequence[bytes]]
) -> list[ListedImage]:
    """The rows of the list, with digests from `image_digest`."""
    return [
        ListedImage(part, data.classes[label], name, digest.hex())
        for part, data in parts.items()
        for label, name, digest in zip(data.labels, data.ids, digests[part], strict=True)
    ]


def write_parts(path: Path, rows: Sequence[ListedImage]) -> None:
    """Write the list."""
    with (
        atomic_file(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in rows:
            writer.writerow([row.part, _plain(row.label), _plain(row.name), row.digest])


def read_parts(path: Path) -> list[ListedImage]:
    """Read the list.

    Raises:
        BadData: If it is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            head, *rows = csv.reader(file)
    except (OSError, csv.Error, ValueError) as error:
        raise BadData(f"cannot read {path}, the list of a run's images: {error}") from error
    if head != _COLUMNS or any(len(row) != len(_COLUMNS) for row in rows):
        raise BadData(f"{path} is not a list of a run's images, or it is damaged")
    return [
        ListedImage(part, label.removeprefix("./"), name.removeprefix("./"), digest)
        for part, label, name, digest in rows
    ]


def open_listed(path: Path, part: str, root: Path) -> ImageDataset:
    """Open exactly the images that a run used for one part.

    Args:
        path: The list.
        part: `train`, `val` or `test`.
        root: Data folder or store.

    Raises:
        BadData: If the run had no such part, or an image is missing or has changed since.
    """
    listed = read_parts(path)
    rows = [row for row in listed if row.part == part]
    if not rows:
        there = ", ".join(dict.fromkeys(row.part for row in listed))
        raise BadData(f"the run had no part {part!r}; its parts are {there}")
    dataset = _with_names(root, [row.name for row in rows], path)
    labels = [dataset.classes[label] for label in dataset.labels]
    moved = [row.name for row, label in zip(rows, labels, strict=True) if row.label != label]
    if moved:
        raise BadData(f"{moved[0]} has changed class since the run started ({len(moved)} in all)")
    changed = [
        row.name
        for row, digest in zip(rows, _digests(dataset), strict=True)
        if row.digest != digest
    ]
    if changed:
        raise BadData(f"{changed[0]} has changed since the run started ({len(changed)} in all)")
    return dataset


def _with_names(root: Path, names: Sequence[str], path: Path) -> ImageDataset:
    """The images with these names, all within one part of the data."""
    if not root.is_dir():
        raise BadData(f"the data of the run are no longer at {root}; give their place with --data")
    layout = find_layout(root)
    missing = list(names)
    for part in layout.parts:
        dataset = open_part(layout, part)
        position = {name: i for i, name in enumerate(dataset.ids)}
        lacking = [name for name in names if name not in position]
        if not lacking:
            return dataset.subset([position[name] for name in names])
        missing = min(missing, lacking, key=len)
    raise BadData(f"{root} lacks {missing[0]}, which is listed in {path} ({len(missing)} missing)")


def _digests(dataset: ImageDataset) -> list[str]:
    found = []
    for start in range(0, len(dataset), _READ_AT_ONCE):
        positions = np.arange(start, min(start + _READ_AT_ONCE, len(dataset)))
        found += [image_digest(image).hex() for image in dataset.images(positions)]
    return found


def _plain(text: str) -> str:
    """The text, made safe from being read as a formula by a spreadsheet."""
    return f"./{text}" if text.startswith(_FORMULA) else text
