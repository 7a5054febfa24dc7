"""Latents: the training data of a generator that works on principal components.

A training step on latents takes less time than it takes to read or simulate its images. So all
images are encoded once, before the training, and their latents are kept in the folder of the run
together with their space, so that an interrupted run continues with the same latents.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Float32, Int64, Shaped

from darklens.data import Augmentation, ImageDataset, build_preprocessing
from darklens.diffusion import CodeSpace, ComponentSpace
from darklens.errors import BadConfig
from darklens.files.atomic import atomic_file
from darklens.files.plain_yaml import dump_yaml
from darklens.hub import InitialModel
from darklens.progress import progress
from darklens.train.data import TrainingData
from darklens.train.data_options import DataOptions

__all__ = ["LatentImages", "coded_data", "encode_data", "kept_codes", "latent_images"]

_CHUNK = 512
_FITTED = 8192  # images from which the components are computed


@dataclass(frozen=True)
class LatentImages:
    """Which images are encoded, and how.

    Attributes:
        count: Number of training images taken from an endless stream.
        flips: Whether each training image is also encoded flipped along x, along y and along both.
        source: Everything else on which the latents depend, as plain values.
    """

    count: int
    flips: bool
    source: dict[str, Any]


def latent_images(
    options: DataOptions,
    augmentation: Augmentation,
    space: ComponentSpace,
    data: TrainingData,
    model: InitialModel | None,
) -> LatentImages:
    """The latents of a run.

    Args:
        options: Where the images come from.
        augmentation: Changes of the training images; flips are made before the encoding.
        space: The space of the network.
        data: The images.
        model: The model whose space is used, if any.

    Raises:
        BadConfig: If images cannot be encoded with this augmentation, or without a limit.
    """
    if augmentation.rotations or augmentation.shifts:
        raise BadConfig("a network of components takes flips, but neither rotations nor shifts")
    if options.preset is not None and options.prepared_images < 1:
        raise BadConfig("--data.prepared-images: say how many simulations are to be encoded")
    source = {
        "path": None if options.path is None else str(options.path),
        "preset": options.preset,
        "mix": options.mix,
        "copies": options.copies,
        "expected": options.expected,
        "seeds": [options.split_seed, options.stream_seed, options.validation_seed],
        "folds": options.folds,
        "fold": options.fold,
        "validation_images": options.validation_images,
        "preprocessing": list(data.preprocessing.spec),
        "space": [space.grid, len(space.basis), space.whitening],
    }
    if model is not None and model.card.weights is not None:
        source["init"] = model.card.weights.sha256
    return LatentImages(options.prepared_images, augmentation.flips, source)


def encode_data(
    data: TrainingData,
    space: ComponentSpace,
    wanted: LatentImages,
    path: Path,
    *,
    known: bool = False,
    quiet: bool,
) -> TrainingData:
    """The same data as latents (n, components, 1, 1), fully preprocessed.

    Args:
        data: The images, with the steps that are still to be applied.
        space: The space of the latents; computed from the training images, in place.
        wanted: What is encoded.
        path: File that keeps the latents, ending in .npz.
        known: Whether the space is that of a trained model and must not change.
        quiet: Show no progress.

    Raises:
        BadConfig: If the file holds other latents, or there are fewer images than components.
    """
    kept = kept_codes(
        path, _plain(wanted), lambda: _encode(data, space, wanted, known=known, quiet=quiet)
    )
    return coded_data(data, space, kept)


def kept_codes(
    path: Path, description: dict[str, Any], make: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Codes and their space from a file, or made and then kept there.

    Args:
        path: File that keeps them, ending in .npz.
        description: All that they depend on.
        make: Makes `train_codes`, `train_labels`, `val_codes`, `val_labels`, and the state of the
            space as `space_...`.

    Raises:
        BadConfig: If the file holds other codes, or is damaged.
    """
    text = dump_yaml(description, sort_keys=True)
    if path.is_file():
        return _read(path, text)
    kept = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        arrays: dict[str, Any] = {"description": np.array(text), **kept}
        np.savez(file, **arrays)
    return kept


def coded_data(data: TrainingData, space: CodeSpace, kept: dict[str, np.ndarray]) -> TrainingData:
    """The data as latents (n, numbers, 1, 1), and their space loaded.

    Args:
        data: The images.
        space: The space of the latents, which gets its state.
        kept: What `kept_codes` gives.
    """
    state = {key.removeprefix("space_"): kept[key] for key in kept if key.startswith("space_")}
    space.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
    sets = {
        part: ImageDataset.from_arrays(
            kept[f"{part}_codes"][:, :, None, None],
            kept[f"{part}_labels"],
            classes=data.val.classes,
        )
        for part in ("train", "val")
    }
    nothing = build_preprocessing([])
    return replace(data, train=sets["train"], val=sets["val"], preprocessing=nothing, workers=0)


def _encode(
    data: TrainingData, space: ComponentSpace, wanted: LatentImages, *, known: bool, quiet: bool
) -> dict[str, np.ndarray]:
    val, val_labels = _frequencies(data, _chunks(data.val), space)
    if isinstance(data.train, ImageDataset):
        count, chunks = len(data.train), _chunks(data.train)
    else:
        count, chunks = wanted.count, _streamed(data.train(0, 1), wanted.count)
    bar = progress(
        range(-(-count // _CHUNK)), f"encoding {count} images", unit="batch", quiet=quiet
    )
    train, labels = _frequencies(data, (next(chunks) for _ in bar), space)
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
    data: TrainingData, chunks: Iterator[Chunk], space: ComponentSpace
) -> tuple[torch.Tensor, Int64[np.ndarray, " n"]]:
    found, labels = [], []
    for images, known in chunks:
        prepared: Float32[np.ndarray, "n c h w"] = data.preprocessing.batch(images)
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
