"""Training data of a generator that works on codes: each image is encoded once, beforehand.

A training step on codes takes less time than reading or simulating its images would. So the codes
of all images are made before the training and kept in the folder of the run, with the space that
they belong to: a stopped run continues with the same ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Float32, Int64, Shaped

from darklens.data import ImageDataset, build_preprocessing
from darklens.diffusion import ComponentSpace
from darklens.errors import BadConfig
from darklens.files.atomic import atomic_file
from darklens.files.plain_yaml import dump_yaml
from darklens.progress import progress
from darklens.train.data import TrainingData

__all__ = ["LatentImages", "encode_data"]

_CHUNK = 512
_FITTED = 8192  # images that the components are found from


@dataclass(frozen=True)
class LatentImages:
    """What is encoded, and how.

    Attributes:
        count: Training images that are taken from an endless stream.
        flips: Whether each training image is also there upside down, left to right, and both.
        source: Everything else that the codes depend on, in words and numbers.
    """

    count: int
    flips: bool
    source: dict[str, Any]


def encode_data(
    parts: TrainingData,
    space: ComponentSpace,
    wanted: LatentImages,
    path: Path,
    *,
    known: bool = False,
    quiet: bool,
) -> TrainingData:
    """The same data as codes (n, components, 1, 1); `space` is found from the training images.

    Args:
        parts: The images, with the steps that are left to do.
        space: The space to find and use, in place.
        wanted: What is encoded.
        path: File that keeps the codes, ending in .npz.
        known: Whether the space has been found already, with the weights that belong to it.
        quiet: Show no progress.

    Raises:
        BadConfig: If the file holds other codes, or the images do not have so many components.
    """
    description = dump_yaml(_plain(wanted), sort_keys=True)
    if path.is_file():
        kept = _read(path, description)
    else:
        kept = _encode(parts, space, wanted, known=known, quiet=quiet)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            arrays: dict[str, Any] = {"description": np.array(description), **kept}
            np.savez(file, **arrays)
    state = {key.removeprefix("space_"): kept[key] for key in kept if key.startswith("space_")}
    space.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
    sets = {
        part: ImageDataset.from_arrays(
            kept[f"{part}_codes"][:, :, None, None],
            kept[f"{part}_labels"],
            classes=parts.val.classes,
        )
        for part in ("train", "val")
    }
    nothing = build_preprocessing([])
    return replace(parts, train=sets["train"], val=sets["val"], preprocessing=nothing)


def _encode(
    parts: TrainingData, space: ComponentSpace, wanted: LatentImages, *, known: bool, quiet: bool
) -> dict[str, np.ndarray]:
    val, val_labels = _frequencies(parts, _chunks(parts.val), space)
    if isinstance(parts.train, ImageDataset):
        count, chunks = len(parts.train), _chunks(parts.train)
    else:
        count, chunks = wanted.count, _streamed(parts.train(0, 1), wanted.count)
    bar = progress(
        range(-(-count // _CHUNK)), f"encoding {count} images", unit="batch", quiet=quiet
    )
    train, labels = _frequencies(parts, (next(chunks) for _ in bar), space)
    versions = [train, *space.flipped(train)] if wanted.flips else [train]
    if not known:
        each = -(-_FITTED // len(versions))
        chosen = np.linspace(0, len(train) - 1, min(each, len(train))).astype(np.int64)
        space.fit(torch.cat([version[torch.from_numpy(chosen)] for version in versions]))
    codes = torch.cat([space.encode(version) for version in versions])
    made = {
        "train_codes": codes.numpy(),
        "train_labels": np.tile(labels, len(versions)),
        "val_codes": space.encode(val).numpy(),
        "val_labels": val_labels,
    }
    return made | {f"space_{key}": value.numpy() for key, value in space.state_dict().items()}


Chunk = tuple[Shaped[np.ndarray, "n c h w"], Int64[np.ndarray, " n"]]


def _chunks(dataset: ImageDataset) -> Iterator[Chunk]:
    for start in range(0, len(dataset), _CHUNK):
        positions = np.arange(start, min(start + _CHUNK, len(dataset)))
        yield dataset.images(positions), dataset.labels[positions]


def _streamed(fresh: Iterator[tuple[np.ndarray, int]], count: int) -> Iterator[Chunk]:
    for start in range(0, count, _CHUNK):
        pairs = list(islice(fresh, min(_CHUNK, count - start)))
        yield np.stack([image for image, _ in pairs]), np.array([label for _, label in pairs])


def _frequencies(
    parts: TrainingData, chunks: Iterator[Chunk], space: ComponentSpace
) -> tuple[torch.Tensor, Int64[np.ndarray, " n"]]:
    found, labels = [], []
    for images, known in chunks:
        prepared: Float32[np.ndarray, "n c h w"] = parts.preprocessing.batch(images)
        found.append(space.frequencies(torch.from_numpy(prepared)))
        labels.append(known)
    return torch.cat(found), np.concatenate(labels)


def _read(path: Path, description: str) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise BadConfig(f"{path} is damaged; remove it, and it is made again") from error
    if str(arrays.pop("description", "")) != description:
        raise BadConfig(f"{path} holds other images; choose another --output or remove it")
    return arrays


def _plain(wanted: LatentImages) -> dict[str, Any]:
    return {"count": wanted.count, "flips": wanted.flips, "source": wanted.source}
