"""Reproducible splits, and a check that their parts share no image.

Splits depend only on a seed and are stratified by class.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64, Shaped

from darklens.data.datasets import ImageDataset
from darklens.errors import BadData

__all__ = [
    "check_disjoint",
    "check_disjoint_digests",
    "image_digest",
    "reference_split",
    "stratified_folds",
]

_SELECTION_SHARE = 0.9
_READ_AT_ONCE = 256
_DIGEST_BYTES = 16


def reference_split(
    train: ImageDataset, val: ImageDataset, *, seed: int = 0
) -> dict[str, ImageDataset]:
    """The reference protocol: train on `train`; 90 % of `val` selects the model, 10 % tests it.

    Args:
        train: The training set.
        val: The validation set, split class by class.
        seed: Seed of the split.

    Returns:
        The parts `train`, `val` (for selection) and `test`.
    """
    selection, test = [], []
    for members in _shuffled_classes(val, seed):
        cut = round(_SELECTION_SHARE * len(members))
        selection.append(members[:cut])
        test.append(members[cut:])
    return {
        "train": train,
        "val": val.subset(np.sort(np.concatenate(selection))),
        "test": val.subset(np.sort(np.concatenate(test))),
    }


def stratified_folds(
    dataset: ImageDataset, folds: int = 5, *, seed: int = 0
) -> list[tuple[ImageDataset, ImageDataset]]:
    """Pairs of training and test sets, stratified by class; each image is tested once.

    Raises:
        BadData: If there are fewer than two folds, or a class has fewer images than folds.
    """
    if folds < 2:
        raise BadData(f"cross-validation needs at least 2 folds, not {folds}")
    fold = np.empty(len(dataset), dtype=np.int64)
    for members in _shuffled_classes(dataset, seed):
        if len(members) < folds:
            name = dataset.classes[dataset.labels[members[0]]]
            raise BadData(f"the class {name} has {len(members)} images, too few for {folds} folds")
        fold[members] = np.arange(len(members)) % folds
    return [
        (dataset.subset(np.flatnonzero(fold != k)), dataset.subset(np.flatnonzero(fold == k)))
        for k in range(folds)
    ]


def check_disjoint(parts: Mapping[str, ImageDataset]) -> None:
    """Check by content, not by name, that no image is in two parts.

    Images are compared after scaling to [0, 1] in single precision, so that photon counts and a
    scaled copy of the same image are recognised as equal.

    Raises:
        BadData: If images are shared; names the first one and gives their number.
    """
    check_disjoint_digests(parts, {part: list(_digests(parts[part])) for part in parts})


def check_disjoint_digests(
    parts: Mapping[str, ImageDataset], digests: Mapping[str, Sequence[bytes]]
) -> None:
    """The same check for images whose digests are known.

    Args:
        parts: The images.
        digests: The `image_digest` of each image, part by part.

    Raises:
        BadData: As `check_disjoint`.
    """
    owners: dict[bytes, tuple[str, str]] = {}
    shared = []
    for part, dataset in parts.items():
        own: dict[bytes, tuple[str, str]] = {}
        for name, digest in zip(dataset.ids, digests[part], strict=True):
            own.setdefault(digest, (part, name))
            if digest in owners:
                shared.append((owners[digest], (part, name)))
        owners = own | owners
    if shared:
        (part, name), (other_part, other_name) = shared[0]
        more = f" (and {len(shared) - 1} more)" if len(shared) > 1 else ""
        raise BadData(
            f"{part} and {other_part} share images: {name} in {part} is the same as"
            f" {other_name} in {other_part}{more}"
        )


def image_digest(image: Shaped[np.ndarray, "c h w"]) -> bytes:
    """A digest of an image's content: equal for equal images, whatever their scale."""
    values: np.ndarray[Any, np.dtype[Any]] = image.astype(np.float64)
    values -= values.min()
    values /= values.max() or 1.0
    scaled = values.astype(np.float32)
    text = repr(scaled.shape).encode() + scaled.tobytes()
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest()


def _shuffled_classes(dataset: ImageDataset, seed: int) -> list[Int64[np.ndarray, " m"]]:
    """The positions of each class's images in random order; empty classes are left out."""
    generator = np.random.default_rng(seed)
    return [
        generator.permutation(np.flatnonzero(dataset.labels == label))
        for label in np.unique(dataset.labels)
    ]


def _digests(dataset: ImageDataset) -> Iterator[bytes]:
    for start in range(0, len(dataset), _READ_AT_ONCE):
        positions = np.arange(start, min(start + _READ_AT_ONCE, len(dataset)))
        for image in dataset.images(positions):
            yield image_digest(image)
