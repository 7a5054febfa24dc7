"""One interface to labelled images in a DeepLense tree, a store or memory.

A tree is `ROOT/{class}/*` or `ROOT/{train,val,test}/{class}/*` with image files supported by
`read_image`; see `darklens.data.layout` for other layouts and spellings. Folder names may be any
of the spellings in `darklens.classes`. A tree with a folder `sub` keeps its own names, because
`sub` means substructure of an unspecified kind.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, Int64, Shaped

from darklens.classes import UNLABELLED, order_classes
from darklens.data.files import list_images, split_member
from darklens.data.layout import Layout, Part, class_names, find_layout, part_name
from darklens.data.npz_files import read_labels
from darklens.data.readers import pixel_problem, read_image
from darklens.data.stacks import expand_stacks
from darklens.errors import BadData, UnreadableImage

if TYPE_CHECKING:  # zarr is imported where there is a store to open
    from darklens.data.store import Store

__all__ = ["BadImage", "ImageDataset", "ImageSource", "open_dataset", "open_part"]


class BadImage(BadData):
    """One image of a data set cannot be used.

    Args:
        where: The file, or the image's place in a store.
        reason: What is wrong with it.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.reason = reason


@runtime_checkable
class ImageSource(Protocol):
    """A source of images, read by number.

    Attributes:
        together: Number of consecutive images best read together, being stored contiguously.
    """

    together: int

    def read(self, indices: Int64[np.ndarray, " n"]) -> Shaped[np.ndarray, "n c h w"]:
        """The images with these numbers."""


class ImageDataset:
    """Labelled images, read on demand.

    Args:
        source: Where the images come from.
        indices: Indices of this data set's images in the source.
        labels: The class of each image as a number.
        ids: A name for each image: its path below the root, or its number in a store.
        classes: Class names; label `k` is `classes[k]`.

    Raises:
        BadData: If a label is out of range.
    """

    def __init__(
        self,
        source: ImageSource,
        indices: Int64[np.ndarray, " n"],
        labels: Int64[np.ndarray, " n"],
        *,
        ids: Sequence[str],
        classes: Sequence[str],
    ) -> None:
        if not len(indices) == len(labels) == len(ids):
            raise ValueError("indices, labels and ids must have the same length")
        wrong = np.flatnonzero((labels < 0) | (labels >= len(classes)))
        if len(wrong):
            raise BadData(
                f"the label of image {ids[wrong[0]]} is {labels[wrong[0]]}, which is not a class:"
                f" labels run from 0 to {len(classes) - 1} ({', '.join(classes)})"
            )
        self._source = source
        self._indices = indices
        self.labels = labels
        self.ids = list(ids)
        self.classes = tuple(classes)

    @classmethod
    def from_arrays(
        cls,
        images: Shaped[np.ndarray, "n c h w"],
        labels: Int[np.ndarray, " n"],
        *,
        classes: Sequence[str],
        ids: Sequence[str] | None = None,
    ) -> "ImageDataset":
        """A data set of images in memory; `ids` default to their numbers."""
        names = _numbers(len(images)) if ids is None else ids
        indices = np.arange(len(images), dtype=np.int64)
        values = np.asarray(labels, dtype=np.int64)
        return cls(_Arrays(images), indices, values, ids=names, classes=classes)

    @classmethod
    def from_store(cls, store: "Store") -> "ImageDataset":
        """A data set of a whole store."""
        n = len(store)
        indices = np.arange(n, dtype=np.int64)
        source = _StoreImages(store)
        return cls(source, indices, store.labels, ids=_numbers(n), classes=store.classes)

    @classmethod
    def from_files(
        cls, root: Path, paths: Sequence[Path], labels: Sequence[int], *, classes: Sequence[str]
    ) -> "ImageDataset":
        """A data set of image files; `ids` are their paths relative to `root`."""
        indices = np.arange(len(paths), dtype=np.int64)
        values = np.asarray(labels, dtype=np.int64)
        names = [path.relative_to(root).as_posix() for path in paths]
        return cls(_Files(paths), indices, values, ids=names, classes=classes)

    @property
    def together(self) -> int:
        """Number of consecutive images best read together: more than 1 for a store."""
        return self._source.together

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        counts = np.bincount(self.labels, minlength=len(self.classes))
        each = ", ".join(f"{n} {name}" for n, name in zip(counts, self.classes, strict=True))
        return f"ImageDataset({len(self)} images: {each or 'no classes'})"

    def __getitem__(self, index: int) -> tuple[Shaped[np.ndarray, "c h w"], int]:
        position = range(len(self))[index]
        return self.images([position])[0], int(self.labels[position])

    def images(
        self, indices: Sequence[int] | Int[np.ndarray, " m"] | slice | None = None
    ) -> Shaped[np.ndarray, "m c h w"]:
        """Read images by position in this data set; all of them by default.

        Raises:
            BadData: If a file cannot be read or its shape differs from the others'.
        """
        chosen = self._indices if indices is None else self._indices[_index(indices)]
        return self._source.read(chosen)

    def subset(self, indices: Sequence[int] | Int[np.ndarray, " m"]) -> "ImageDataset":
        """The images at these positions, in this order, as a data set."""
        chosen = _index(indices)
        return ImageDataset(
            self._source,
            self._indices[chosen],
            self.labels[chosen],
            ids=[self.ids[i] for i in chosen],
            classes=self.classes,
        )

    def named(self, ids: Sequence[str]) -> "ImageDataset":
        """The same images under other names."""
        return ImageDataset(self._source, self._indices, self.labels, ids=ids, classes=self.classes)

    def with_classes(self, classes: Sequence[str]) -> "ImageDataset":
        """The same images with labels renumbered to `classes`.

        Raises:
            BadData: If `classes` lacks a class that has images here.
        """
        present = [self.classes[k] for k in np.unique(self.labels)]
        missing = [name for name in present if name not in classes]
        if missing:
            known = ", ".join(classes)
            raise BadData(f"the data have the class {missing[0]!r}; expected one of {known}")
        position = [classes.index(name) if name in classes else -1 for name in self.classes]
        labels = np.asarray(position, dtype=np.int64)[self.labels]
        return ImageDataset(self._source, self._indices, labels, ids=self.ids, classes=classes)


def open_dataset(path: str | Path, split: str | None = None) -> ImageDataset:
    """Open a DeepLense tree, a store or a labelled stack.

    Args:
        path: A folder, or an `.npz` file.
        split: The part to open, such as `train`, or another folder below `path`; required if
            there are several parts.

    Raises:
        BadData: If there is no such data set, or its layout is unknown.
    """
    root = Path(path)
    if not root.is_dir() and (split is not None or not root.is_file()):
        raise BadData(f"{root} is not a folder")
    layout = find_layout(root)
    parts = ", ".join(layout.parts)
    if split is None:
        if layout.divided:
            raise BadData(f"{root} has the parts {parts}; choose one with --split")
        return open_part(layout, "")
    if not layout.divided and layout.parts[""].store == root:
        raise BadData(f"{root} is a store and has no part {split!r}")
    named = part_name(split)
    if named in layout.parts:
        return open_part(layout, str(named))
    if not (root / split).is_dir():
        raise BadData(
            f"{root} has no folder {split!r}" + (f"; its parts are {parts}" if parts else "")
        )
    inside = find_layout(root / split)
    if inside.divided:
        raise BadData(f"{root / split} is itself split into parts; give this folder as the data")
    return open_part(Layout(root, inside.parts), "")


def open_part(layout: Layout, name: str) -> ImageDataset:
    """Open one part of a data set, with images named by their paths relative to the root.

    Raises:
        BadData: If there is no such part, it has no class folders, or a class folder is empty.
    """
    part = layout.parts[name]
    if part.store is not None:
        from darklens.data.store import open_store

        dataset = ImageDataset.from_store(open_store(part.store))
        return dataset if part.store == layout.root else _below(dataset, part.store, layout.root)
    if not part.classes and part.folders[0].is_file():
        return open_stack_file(part.folders[0], root=layout.root)
    files = _class_files(part)
    names = class_names(spelt for other in layout.parts.values() for spelt, _ in other.classes)
    classes = order_classes(names[spelt] for spelt, _ in part.classes)
    chosen = [
        (classes.index(names[spelt]), path)
        for spelt, folder in part.classes
        for path in files[folder]
    ]
    images = [
        (label, image)
        for label, path in sorted(chosen)
        for image in expand_stacks([path], stacked=path in files)
    ]
    paths = [path for _, path in images]
    return ImageDataset.from_files(
        layout.root, paths, [label for label, _ in images], classes=classes
    )


def open_stack_file(path: Path, *, root: Path, labelled: bool = True) -> ImageDataset:
    """Open a stack with the labels stored in it, its images named relative to the root.

    Args:
        path: A `.npy` or `.npz` file.
        root: A parent folder.
        labelled: Whether labels are required; if not, the images of a stack without labels all
            have the class `UNLABELLED`.

    Raises:
        BadData: If it is not a stack, or its labels are missing or do not match the images.
    """
    names = expand_stacks([path], stacked=True)
    if split_member(names[0]) is None:
        raise BadData(f"{path}: {_no_stack(path)}")
    try:
        labels = read_labels(path, len(names)) if path.suffix.lower() == ".npz" else None
    except UnreadableImage as error:
        raise BadData(f"{path}: {error}") from None
    if labels is None and labelled:
        raise BadData(
            f"{path} has no labels: add the arrays 'labels' and 'classes', or put one stack per"
            " class into a folder, such as no.npz and vort.npz"
        )
    labels = labels or [UNLABELLED] * len(names)
    classes = order_classes(labels)
    numbers = [classes.index(label) for label in labels]
    return ImageDataset.from_files(root, names, numbers, classes=classes)


def _no_stack(path: Path) -> str:
    """Why a file is not a stack."""
    try:
        read_image(path)
    except UnreadableImage as error:
        return str(error)
    return "one image, not a stack of images; give a folder"


def _class_files(part: Part) -> dict[Path, list[Path]]:
    """The image files of each class folder; empty class folders are an error."""
    expected = "expected folders of image files such as no, sphere, vort"
    if not part.classes:
        where = part.folders[0]
        loose = ", only loose images" if list_images(where, recursive=False) else ""
        raise BadData(f"{where} has no class folders{loose}; {expected}")
    files = {
        folder: [folder] if folder.is_file() else list_images(folder, recursive=False)
        for _, folder in part.classes
    }
    for folder, found in files.items():
        if found:
            continue
        inside = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
        if inside:
            raise BadData(
                f"{folder} holds no images but the folders {', '.join(inside[:4])};"
                f" give the parent of the class folders, such as {folder}"
            )
        raise BadData(f"{folder} has no images: add some or remove the folder; {expected}")
    return files


def _below(dataset: ImageDataset, store: Path, root: Path) -> ImageDataset:
    """The images of one of several stores, with its folder in their names."""
    folder = store.relative_to(root).as_posix()
    return dataset.named([f"{folder}/{name}" for name in dataset.ids])


def _index(indices: Sequence[int] | Int[np.ndarray, " m"] | slice) -> Any:
    return indices if isinstance(indices, slice) else np.asarray(indices, dtype=np.int64)


def _numbers(count: int) -> list[str]:
    return [f"{i:08d}" for i in range(count)]


class _Arrays:
    together = 1

    def __init__(self, images: Shaped[np.ndarray, "n c h w"]) -> None:
        self._images = images

    def read(self, indices: Int64[np.ndarray, " n"]) -> Shaped[np.ndarray, "n c h w"]:
        return np.take(self._images, indices, axis=0)


class _StoreImages:
    def __init__(self, store: "Store") -> None:
        self._store = store
        self.together = store.images.chunks[0]

    def read(self, indices: Int64[np.ndarray, " n"]) -> Shaped[np.ndarray, "n c h w"]:
        if len(indices) == 0:
            stored = self._store.images
            return np.empty((0, *stored.shape[1:]), dtype=stored.dtype)
        runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
        read = [self._store.read(int(run[0]), int(run[-1]) + 1) for run in runs]
        images = read[0] if len(read) == 1 else np.concatenate(read)
        for index, image in zip(indices, images, strict=True):
            problem = pixel_problem(image)
            if problem is not None:  # the wording of read_image
                raise BadImage(f"image {index:08d} of {self._store.path}", problem)
        return images


class _Files:
    together = 1

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)

    def read(self, indices: Int64[np.ndarray, " n"]) -> Shaped[np.ndarray, "n c h w"]:
        images = [self._read(self._paths[i]) for i in indices]
        for i, image in zip(indices, images, strict=True):
            if image.shape != images[0].shape:
                first = self._paths[indices[0]]
                raise BadData(
                    f"{self._paths[i]} has the shape {image.shape}, but {first}"
                    f" {images[0].shape}; all images must have the same shape"
                )
        return np.stack(images)

    def _read(self, path: Path) -> Shaped[np.ndarray, "c h w"]:
        try:
            return read_image(path)
        except UnreadableImage as error:
            raise BadImage(str(path), str(error)) from error
