"""One interface over labelled images, whether in a DeepLense tree, a store or memory.

A tree is `ROOT/{class}/*` or `ROOT/{train,val,test}/{class}/*` with the image files that
`read_image` knows. Folder names may be any of the spellings in `darklens.classes`. A tree with a
folder `sub` keeps its own names, because `sub` says that there is substructure, not which.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, Int64, Shaped

from darklens.classes import canonical_class, order_classes
from darklens.data.files import list_images
from darklens.data.readers import read_image
from darklens.data.store import Store, is_store, open_store
from darklens.errors import BadData, UnreadableImage

__all__ = ["ImageDataset", "ImageSource", "open_dataset"]

_SPLITS = ("train", "val", "test")


@runtime_checkable
class ImageSource(Protocol):
    """Gives images by their numbers.

    Attributes:
        together: How many neighbours are best read together, because they lie in one piece.
    """

    together: int

    def read(self, indices: Int64[np.ndarray, " n"]) -> Shaped[np.ndarray, "n c h w"]:
        """The images with these numbers."""


class ImageDataset:
    """Labelled images, read when they are asked for.

    Args:
        source: Where the images come from.
        indices: Numbers of this data set's images in the source.
        labels: The class of each image as a number.
        ids: A name for each image: its path below the root, or its number in a store.
        classes: Class names; label `k` is `classes[k]`.
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
        """A data set over images in memory; `ids` are their numbers unless given."""
        names = _numbers(len(images)) if ids is None else ids
        indices = np.arange(len(images), dtype=np.int64)
        values = np.asarray(labels, dtype=np.int64)
        return cls(_Arrays(images), indices, values, ids=names, classes=classes)

    @classmethod
    def from_store(cls, store: Store) -> "ImageDataset":
        """A data set over a whole store."""
        n = len(store)
        indices = np.arange(n, dtype=np.int64)
        source = _StoreImages(store)
        return cls(source, indices, store.labels, ids=_numbers(n), classes=store.classes)

    @classmethod
    def from_files(
        cls, root: Path, paths: Sequence[Path], labels: Sequence[int], *, classes: Sequence[str]
    ) -> "ImageDataset":
        """A data set over image files; `ids` are their paths below `root`."""
        indices = np.arange(len(paths), dtype=np.int64)
        values = np.asarray(labels, dtype=np.int64)
        names = [path.relative_to(root).as_posix() for path in paths]
        return cls(_Files(paths), indices, values, ids=names, classes=classes)

    @property
    def together(self) -> int:
        """How many neighbours are best read together: more than 1 for a store."""
        return self._source.together

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Shaped[np.ndarray, "c h w"], int]:
        position = range(len(self))[index]
        return self.images([position])[0], int(self.labels[position])

    def images(
        self, indices: Sequence[int] | Int[np.ndarray, " m"] | slice | None = None
    ) -> Shaped[np.ndarray, "m c h w"]:
        """Images by their positions in this data set, all of them by default.

        Raises:
            BadData: If a file cannot be read or its shape differs from the others'.
        """
        chosen = self._indices if indices is None else self._indices[_index(indices)]
        return self._source.read(chosen)

    def subset(self, indices: Sequence[int] | Int[np.ndarray, " m"]) -> "ImageDataset":
        """The data set of the images at these positions, in this order."""
        chosen = _index(indices)
        return ImageDataset(
            self._source,
            self._indices[chosen],
            self.labels[chosen],
            ids=[self.ids[i] for i in chosen],
            classes=self.classes,
        )

    def with_classes(self, classes: Sequence[str]) -> "ImageDataset":
        """The same images with labels that count in `classes`.

        Raises:
            BadData: If a class that occurs here is not among them.
        """
        present = [self.classes[k] for k in np.unique(self.labels)]
        missing = [name for name in present if name not in classes]
        if missing:
            known = ", ".join(classes)
            raise BadData(f"the data have the class {missing[0]!r}; expected are {known}")
        position = [classes.index(name) if name in classes else -1 for name in self.classes]
        labels = np.asarray(position, dtype=np.int64)[self.labels]
        return ImageDataset(self._source, self._indices, labels, ids=self.ids, classes=classes)


def open_dataset(path: str | Path, split: str | None = None) -> ImageDataset:
    """Open a DeepLense tree or a store.

    Args:
        path: A folder.
        split: The folder below `path` to take, such as `train`; needed when there are several.

    Raises:
        BadData: If there is no such data set, or it is laid out in another way.
    """
    root = Path(path)
    if not root.is_dir():
        raise BadData(f"{root} is not a folder")
    if is_store(root):
        if split is not None:
            raise BadData(f"{root} is a store, which has no part {split!r}")
        return ImageDataset.from_store(open_store(root))
    splits = [name for name in _SPLITS if (root / name).is_dir()]
    if split is not None and not (root / split).is_dir():
        raise BadData(f"{root} has no folder {split!r}" + (f"; it has {splits}" if splits else ""))
    if split is None and splits:
        raise BadData(f"{root} has the parts {', '.join(splits)}; say which one to use")
    folder = root / split if split else root
    if is_store(folder):
        return ImageDataset.from_store(open_store(folder))
    return _open_tree(root, folder)


def _open_tree(root: Path, folder: Path) -> ImageDataset:
    folders = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    files = {path: list_images(path, recursive=False) for path in folders}
    empty = [path for path in folders if not files[path]]
    if not folders or empty:
        where = f"{empty[0]} has no images" if empty else f"{folder} has no class folders"
        raise BadData(f"{where}; expected are folders such as no, sphere, vort with image files")
    names = _class_names([path.name for path in folders])
    classes = order_classes(names.values())
    chosen = [(path, classes.index(names[f.name])) for f in folders for path in files[f]]
    chosen.sort(key=lambda item: (item[1], item[0]))
    paths = [path for path, _ in chosen]
    return ImageDataset.from_files(root, paths, [label for _, label in chosen], classes=classes)


def _class_names(folders: Sequence[str]) -> dict[str, str]:
    if "sub" in {name.lower() for name in folders}:
        return {name: name.lower() for name in folders}
    return {name: canonical_class(name) for name in folders}


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
    def __init__(self, store: Store) -> None:
        self._store = store
        self.together = store.images.chunks[0]

    def read(self, indices: Int64[np.ndarray, " n"]) -> Shaped[np.ndarray, "n c h w"]:
        if len(indices) == 0:
            images = self._store.images
            return np.empty((0, *images.shape[1:]), dtype=images.dtype)
        runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
        read = [self._store.read(int(run[0]), int(run[-1]) + 1) for run in runs]
        return read[0] if len(read) == 1 else np.concatenate(read)


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
                    f" {images[0].shape}; all images must be alike"
                )
        return np.stack(images)

    def _read(self, path: Path) -> Shaped[np.ndarray, "c h w"]:
        try:
            return read_image(path)
        except UnreadableImage as error:
            raise BadData(f"{path}: {error}") from error
