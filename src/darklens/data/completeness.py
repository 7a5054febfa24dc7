"""Check that a store is complete; Zarr silently reads a missing chunk as zeros.

The description, the arrays' metadata, the shard files, the labels and the table of parameters must
agree. Only the index at the end of each shard file is read: offset and length, 16 bytes per chunk.
"""

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zarr
from jaxtyping import Int64

from darklens.errors import BadData

__all__ = ["DAMAGES", "check_labels", "check_layout", "check_shards"]

DAMAGES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pa.ArrowException,
)
"""Errors raised by the Zarr and Parquet readers on damaged files."""

_LARGEST = 1 << 30  # bytes of a chunk or an image
_CHECKSUM = 4  # bytes, at the end of the index
_ABSENT = 2**64 - 1


def check_layout(
    description: Mapping[str, Any], images: "zarr.Array[Any]", labels: "zarr.Array[Any]"
) -> None:
    """Check that the arrays match the description and can be read.

    Raises:
        BadData: If they are not.
    """
    count, shape = description["count"], tuple(description["shape"])
    if type(count) is not int or len(shape) != 3 or min(count, *shape) < 1:
        raise BadData("its description has no valid count and shape")
    if images.shape != (count, *shape) or images.dtype != np.dtype(description["dtype"]):
        raise BadData(
            f"the images have shape {images.shape} and type {images.dtype}, but the description"
            f" says {(count, *shape)} and {description['dtype']}"
        )
    if images.dtype.kind not in "iuf":
        raise BadData(f"images of type {images.dtype} are not supported")
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise BadData(f"the shapes of images {images.shape} and labels {labels.shape} do not match")
    for array in (images, labels):
        if math.prod(array.chunks) * array.dtype.itemsize > _LARGEST or min(array.chunks) < 1:
            raise BadData(
                f"its {array.basename} are stored in chunks of {array.chunks}, which are too large"
            )


def check_shards(folder: Path, images: "zarr.Array[Any]") -> None:
    """Check that each shard file of images exists and holds all its chunks.

    Args:
        folder: The store.
        images: Its images.

    Raises:
        BadData: If a file is missing or truncated.
    """
    sizes = images.shards or images.chunks
    counts = [-(-side // size) for side, size in zip(images.shape, sizes, strict=True)]
    for place in itertools.product(*map(range, counts)):
        name = images.metadata.encode_chunk_key(place)
        first = place[0] * sizes[0]
        held = min(sizes[0], images.shape[0] - first)
        needed = -(-held // images.chunks[0]) if images.shards else 0
        chunks = math.prod(s // c for s, c in zip(sizes, images.chunks, strict=True))
        problem = _problem(folder / "images" / name, chunks if images.shards else 0, needed)
        if problem is not None:
            raise BadData(f"images/{name} {problem}: images {first} to {first + held - 1} are lost")


def check_labels(
    folder: Path, labels: Int64[np.ndarray, " n"], classes: tuple[str, ...], table: str
) -> None:
    """Check that each label is a valid class and agrees with the table of parameters.

    Args:
        folder: The store.
        labels: Its labels.
        classes: Its class names.
        table: File name of the table.

    Raises:
        BadData: If a label is invalid or disagrees with the table.
    """
    wrong = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if len(wrong):
        first = wrong[0]
        raise BadData(f"the label of image {first}, {labels[first]}, is not one of its classes")
    found = pq.read_table(folder / table, columns=["label"], read_dictionary=["label"])["label"]
    if len(found) != len(labels):
        raise BadData(f"{table} has {len(found)} rows for {len(labels)} images")
    names = found.unify_dictionaries().combine_chunks()
    names = names.chunk(0) if isinstance(names, pa.ChunkedArray) else names
    known = {name: k for k, name in enumerate(classes)}
    words = [known.get(name, -1) for name in names.dictionary.to_pylist()]
    listed = np.asarray(words, dtype=np.int64)[names.indices.to_numpy()]
    wrong = np.flatnonzero(listed != labels)
    if len(wrong):
        raise BadData(
            f"{len(wrong)} of {len(labels)} labels disagree with {table},"
            f" the first is that of image {wrong[0]}"
        )


def _problem(path: Path, chunks: int, needed: int) -> str | None:
    """What is wrong with a file, or None; `chunks` is the length of its index, 0 without one."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return "is missing"
    length = 16 * chunks + _CHECKSUM if chunks else 0
    if size <= length:
        return "is cut short"
    if not chunks:
        return None
    with path.open("rb") as file:
        file.seek(size - length)
        index = np.frombuffer(file.read(16 * chunks), dtype="<u8").reshape(chunks, 2)[:needed]
    offsets, lengths = index[:, 0], index[:, 1]
    if np.any(offsets == _ABSENT):
        return "lacks chunks"
    end = size - length
    if np.any(offsets > end) or np.any(lengths > end - offsets) or np.any(lengths == 0):
        return "is damaged"
    return None
