"""Images from files, stacks, folders and stores, written as one store or one folder."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from darklens import __version__
from darklens.classes import UNLABELLED, order_classes
from darklens.data import NpyTreeWriter, StoreWriter
from darklens.data.collection import Found, check_found, collect_images
from darklens.errors import BadInput, reason_of
from darklens.files.atomic import writing
from darklens.files.configuration import check_configuration, write_configuration
from darklens.files.locks import only_writer
from darklens.files.places import check_folder_name
from darklens.files.remote import fetched_files, sent_to, shown_path
from darklens.naming import visible
from darklens.production.outputs import WrittenImages, configuration_place
from darklens.progress import progress, say

__all__ = ["convert"]

_ANY = ("",)  # of a folder at a URL all files are meant: it may be a store
_SHARD = 512
_SHOWN = 20  # images of which a reason is printed


def convert(
    inputs: list[str],
    *,
    output: Path = Path("converted.zarr"),
    split: str | None = None,
    stack: bool | None = None,
    extension: str | None = None,
    quiet: bool = False,
) -> WrittenImages:
    """Write images from any files as one store or folder, with their classes.

    The class of an image is that of its class folder, of the labels in its .npz, or the name of
    its stack, such as no.npz. Images without a known class become the class 'lens'. All images
    are read and checked before anything is written.

    Args:
        inputs: Image files, stacks (.npy or .npz), folders, globs and stores, or their URLs.
        output: Where to write. A name ending in .zarr gives a store, any other name a folder of
            .npy files with a subfolder for each class. A URL ending in .zarr gets the store when
            it is complete.
        split: Part of a split folder, such as train.
        stack: Whether 2 to 16 planes in a .npy file are separate images (true) or the channels
            of one image (false).
        extension: Name or number of the extension to read from FITS files.
        quiet: Show no progress.

    Returns:
        Where the images are and what they are.

    Raises:
        BadInput: If images cannot be used or differ in shape, or the output cannot be written.
    """
    settings = dict(locals())
    with sent_to(output) as place, fetched_files(inputs, _ANY) as here:
        check_folder_name(place, "write a store (.zarr) or a folder of .npy files (no ending)")
        check_configuration(configuration_place(place))
        found = collect_images(here.inputs, split=split, stacked=stack, extension=extension)
        found = [replace(item, name=here.known_text(item.name)) for item in found]
        check_found(found)
        bar = partial(progress, total=len(found), quiet=quiet)
        checked = _check(found, lambda items: bar(items, f"reading {len(found)} images"))
        say(f"writing {shown_path(output)}", quiet=quiet)
        with only_writer(place), writing(place):
            _write(place, found, checked)
            write_configuration(configuration_place(place), "convert", settings)
    counts = Counter(item.label or UNLABELLED for item in found)
    classes = order_classes(counts)
    return WrittenImages(output, len(found), classes, tuple(counts[name] for name in classes))


@dataclass(frozen=True)
class _Checked:
    """What all images have in common."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    digest: str


def _write(output: Path, found: Sequence[Found], checked: _Checked) -> None:
    """Write the shards that are still missing."""
    labels = [item.label or UNLABELLED for item in found]
    classes = order_classes(labels)
    kind = StoreWriter if output.suffix == ".zarr" else NpyTreeWriter
    writer = kind(
        output,
        shape=checked.shape,
        dtype=checked.dtype,
        count=len(found),
        classes=classes,
        attributes={
            "made_by": "darklens convert",
            "sha256": checked.digest,
            "version": __version__,
        },
        shard=_SHARD,
    )
    for start, stop in writer.pending():
        chosen = found[start:stop]
        images = np.stack([item.read() for item in chosen]).astype(checked.dtype, copy=False)
        numbers = np.array([classes.index(label) for label in labels[start:stop]])
        writer.write(start, images, numbers, _table(chosen, start))
    writer.finish()


def _check(found: Sequence[Found], bar: Callable[[Iterable[Found]], Iterable[Found]]) -> _Checked:
    """Read all images once; all that cannot be used are listed."""
    problems = list[str]()
    shapes: dict[tuple[int, ...], str] = {}
    types = set[np.dtype[Any]]()
    digest = hashlib.sha256()
    for item in bar(found):
        try:
            image = item.read()
        except Exception as error:  # noqa: BLE001  one file, whatever it does, hides no other
            problems.append(f"{item.name}: {reason_of(error)}")
            continue
        shapes.setdefault(image.shape, item.name)
        types.add(image.dtype)
        digest.update(repr((image.shape, image.dtype.str, item.label)).encode())
        digest.update(np.ascontiguousarray(image).tobytes())
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise BadInput(
            f"{len(problems)} of {len(found)} images cannot be used: "
            + "; ".join(problems[:_SHOWN])
            + more
        )
    if len(shapes) > 1:
        (one, first), (other, second) = list(shapes.items())[:2]
        raise BadInput(f"all images must be alike: {first} is {one}, {second} {other}")
    channels, height, width = next(iter(shapes))
    return _Checked((channels, height, width), np.result_type(*types), digest.hexdigest())


def _table(found: Sequence[Found], start: int) -> pd.DataFrame:
    """Origin of each image, and the columns of its stack."""
    rows = [{"path": visible(item.name), **item.columns} for item in found]
    table = pd.DataFrame(rows)
    table.insert(0, "index", np.arange(start, start + len(found)))
    return table
