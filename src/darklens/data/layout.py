"""Folder layouts: where to find the images of each part and class.

    ROOT/{class}/*                     one set, not split
    ROOT/{train,val,test}/{class}/*    the DeepLense tree
    ROOT/{class}/{train,val,test}/*    the same, by class first
    ROOT/{train,test}_{class}/*        as published for the DeepLense lens-finding images
    ROOT/zarr.json, ROOT/train/zarr.json   stores
    ROOT/{class}.npz, ROOT/{part}/{class}.npz   stacks, also .npy; also in place of a class's images
    ROOT/{train,val,test}.npz, FILE.npz    stacks with labels

Parts may have other common names (`valid`, `validation`, `Training`, `test_set`). Hidden folders,
`__MACOSX` and a folder that only wraps another (`dataset/dataset`) are skipped.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from darklens.classes import canonical_class
from darklens.data.description import is_store
from darklens.data.files import list_images
from darklens.data.stacks import class_stacks
from darklens.errors import BadData

__all__ = ["PARTS", "Layout", "Part", "class_names", "find_layout", "part_name"]

PARTS = ("train", "val", "test")

_SPELLINGS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_PART_ONLY = re.compile(rf"({'|'.join(_SPELLINGS)})(?:[ _.-]?(?:set|data|images|split|zarr))?")
_PART_FIRST = re.compile(rf"({'|'.join(_SPELLINGS)})[ _.-]+(.+)")
_PART_LAST = re.compile(rf"(.+?)[ _.-]+({'|'.join(_SPELLINGS)})")
_OTHERS = frozenset({"__MACOSX", "__pycache__", "lost+found"})
_WRAPPED_AT_MOST = 4


@dataclass(frozen=True)
class Part:
    """The folders of one part.

    Attributes:
        folders: The folder of the part, the folders of its classes, or a stack.
        classes: Pairs of class name and folder or stack; a class may have several.
        store: Folder of the store that holds the part, if it is a store.
    """

    folders: tuple[Path, ...]
    classes: tuple[tuple[str, Path], ...] = ()
    store: Path | None = None


@dataclass(frozen=True)
class Layout:
    """Where the parts and classes are below a folder.

    Attributes:
        root: The folder as given; images are named by their paths relative to it.
        parts: Those of `train`, `val` and `test` that exist, or only `` for a set that is not
            split.
        unused: Folders of images that do not belong to a part.
    """

    root: Path
    parts: Mapping[str, Part]
    unused: tuple[Path, ...] = ()

    @property
    def divided(self) -> bool:
        """Whether the set is split into parts."""
        return "" not in self.parts


def part_name(name: str) -> str | None:
    """The part denoted by the name of a folder, or None.

    >>> part_name("Validation"), part_name("train_set"), part_name("trained")
    ('val', 'train', None)
    """
    found = _PART_ONLY.fullmatch(name.lower())
    return _SPELLINGS[found[1]] if found else None


def find_layout(root: Path) -> Layout:
    """Find the layout from the folders, without reading images.

    Raises:
        BadData: If two folders denote the same part, or a class name cannot be used.
    """
    if root.is_file():
        return Layout(root.parent, {"": Part((root,))})
    inner = _unwrapped(root)
    if is_store(inner):
        return Layout(root, {"": Part((inner,), store=inner)})
    folders = _folders(inner) or class_stacks(inner)
    named = {folder: part_name(_name(folder)) for folder in folders}
    whole = [folder for folder in folders if named[folder]]
    joined = _joined_names(folders, within=bool(whole))
    if whole:
        return _by_part(root, folders, {folder: str(named[folder]) for folder in whole}, joined)
    if joined:
        return _layout(root, {}, joined, [folder for folder in folders if folder not in joined])
    return _by_class(root, inner, folders)


def _by_part(
    root: Path,
    folders: Sequence[Path],
    whole: Mapping[Path, str],
    joined: Mapping[Path, tuple[str, str]],
) -> Layout:
    """`ROOT/{part}/{class}`."""
    parts: dict[str, Part] = {}
    rest = [folder for folder in folders if folder not in whole and folder not in joined]
    for folder, part in whole.items():
        if part in parts:
            first = parts[part].folders[0]
            raise BadData(f"{first} and {folder} both denote the part {part}; keep only one")
        if folder.is_file():
            parts[part] = Part((folder,))
            continue
        inside = _unwrapped(folder)
        if is_store(inside):
            parts[part] = Part((folder,), store=inside)
            continue
        places = _folders(inside) or class_stacks(inside)
        classes = tuple((_class(item), _images_folder(item)) for item in places)
        if part == "test" and not classes:  # unlabelled, as in data of competitions
            rest.append(folder)
            continue
        parts[part] = Part((folder,), classes)
    known = {canonical_class(name) for part in parts.values() for name, _ in part.classes}
    fitting = {folder: item for folder, item in joined.items() if canonical_class(item[1]) in known}
    rest += [folder for folder in joined if folder not in fitting]
    return _layout(root, parts, fitting, rest)


def _layout(
    root: Path,
    parts: dict[str, Part],
    joined: Mapping[Path, tuple[str, str]],
    rest: Iterable[Path],
) -> Layout:
    """The parts in order, with missing ones filled from folders such as `train_CLASS`."""
    rest = list(rest)
    given = set(parts)
    for folder, (part, name) in joined.items():
        if part in given:
            rest.append(folder)
            continue
        so_far = parts.get(part, Part(()))
        new = (name, _images_folder(folder))
        parts[part] = Part((*so_far.folders, folder), (*so_far.classes, new))
    ordered = {part: parts[part] for part in PARTS if part in parts}
    return Layout(root, ordered, tuple(folder for folder in rest if _has_images(folder)))


def _by_class(root: Path, inner: Path, folders: Sequence[Path]) -> Layout:
    """`ROOT/{class}`, or `ROOT/{class}/{part}`."""
    below = {folder: _folders(folder) for folder in folders}
    divided = all(
        inside and all(part_name(item.name) for item in inside) for inside in below.values()
    )
    if not folders or not divided or any(_has_files(folder) for folder in folders):
        classes = tuple((_class(folder), _images_folder(folder)) for folder in folders)
        return Layout(root, {"": Part((inner,), classes)})
    joined = {
        item: (str(part_name(item.name)), _class(folder))
        for folder, inside in below.items()
        for item in inside
    }
    return _layout(root, {}, joined, ())


def _joined_names(folders: Sequence[Path], *, within: bool) -> dict[Path, tuple[str, str]]:
    """Part and class of folders such as `train_lenses`.

    Names are read this way only next to whole parts, if they give two parts, or if there are no
    other folders: a class may well be called `test_particles`.
    """
    found: dict[Path, tuple[str, str]] = {}
    for folder in folders:
        first = _PART_FIRST.fullmatch(_name(folder).lower())
        last = _PART_LAST.fullmatch(_name(folder).lower())
        if part_name(_name(folder)) is None and (first or last):
            part, name = first.groups() if first else last.groups()[::-1]  # type: ignore[union-attr]
            found[folder] = (_SPELLINGS[part], _class(folder, name))
    classes = {name for _, name in found.values()}
    parts = {part for part, _ in found.values()}
    if within or ("train" in parts and len(parts) > 1):
        return found
    return found if len(found) == len(folders) and len(classes) > 1 else {}


def _class(folder: Path, name: str | None = None) -> str:
    """The class name given by a folder, in its original spelling."""
    text = unicodedata.normalize("NFC", _name(folder) if name is None else name).strip().lower()
    if not text.isprintable():
        raise BadData(f"{str(folder)!r}: a class name must be plain text; rename the folder")
    return text


def _name(place: Path) -> str:
    """The name of a folder, or of a stack without its suffix."""
    return place.stem if place.is_file() else place.name


def class_names(found: Iterable[str]) -> dict[str, str]:
    """The class denoted by each spelling; `sub` is kept, as it does not specify the kind."""
    names = set(found)
    if "sub" in names:
        return {name: name for name in names}
    return {name: canonical_class(name) for name in names}


def _unwrapped(folder: Path) -> Path:
    """The folder itself, or the only folder inside it, as in unpacked archives."""
    for _ in range(_WRAPPED_AT_MOST):
        inside = _folders(folder)
        if len(inside) != 1 or is_store(folder) or _has_files(folder):
            break
        only = inside[0]
        same = only.name.lower() == folder.name.lower()
        if part_name(only.name) and not same:
            break
        if not same and not is_store(only) and (_has_files(only) or not _folders(only)):
            break  # the only class
        folder = only
    return folder


def _images_folder(folder: Path) -> Path:
    """The folder of a class, or the only folder inside it."""
    inside = _folders(folder)
    return inside[0] if len(inside) == 1 and not _has_files(folder) else folder


def _folders(folder: Path) -> list[Path]:
    """The subfolders that may hold images; none for a stack."""
    if folder.is_file():
        return []
    return sorted(
        item
        for item in folder.iterdir()
        if not item.name.startswith(".") and item.name not in _OTHERS and item.is_dir()
    )


def _has_files(folder: Path) -> bool:
    return folder.is_file() or bool(list_images(folder, recursive=False))


def _has_images(folder: Path) -> bool:
    """Whether there are images in the folder or in a direct subfolder."""
    return is_store(folder) or any(_has_files(item) for item in (folder, *_folders(folder)))
