"""Images of a folder or store that are preprocessed once, in parallel, and kept on disk.

A preprocessing that fits each image takes longer than a training step. Its results are kept in
shards of two files: `KEY-NAME.npy` with the images in half precision and `KEY-NAME.json`, written
last, with the digest of each raw image and the results of the preprocessing. The key identifies the
preprocessing and the name the images, so that any run with the same images and steps finds them
again, and an interrupted run keeps its finished shards.
"""

import hashlib
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float16, Int64, Shaped

from darklens import __version__
from darklens.data import ImageDataset, Preprocessing
from darklens.data.survey import ImageProblem
from darklens.errors import BadData
from darklens.files.atomic import atomic_file
from darklens.files.plain_yaml import dump_yaml
from darklens.hub import model_preprocessing
from darklens.progress import progress
from darklens.simulation.digest import preset_digest
from darklens.train.fitting import FittedImage, fitted, fitted_presets
from darklens.workers import Workers, in_processes, workers_for

__all__ = ["prepare_files"]

_SHARD = 64  # images
_READ_AT_ONCE = 64
_DIGEST_BYTES = 16
_NAME_LENGTH = 16


class _Place(NamedTuple):
    """Where the result for one raw image is stored, and its columns."""

    path: Path
    row: int
    reason: str | None
    columns: dict[str, Any]


class _Call(NamedTuple):
    """A shard to make."""

    part: str
    positions: list[int]
    digests: list[str]


@dataclass(frozen=True)
class _Cache:
    """The shards of one preprocessing.

    Attributes:
        folder: Their folder.
        key: Digest of the preprocessing.
    """

    folder: Path
    key: str

    @classmethod
    def of(cls, folder: Path, spec: Sequence[Mapping[str, Any]]) -> "_Cache":
        """The shards of a declared preprocessing, of the presets it names and of this version."""
        presets = [preset_digest(preset) for preset in fitted_presets(spec).values()]
        content = {"steps": list(spec), "presets": presets, "version": __version__}
        return cls(folder, _name(dump_yaml(content, sort_keys=True)))

    def places(self) -> dict[str, _Place]:
        """Where the results are, by the digests of the raw images."""
        found: dict[str, _Place] = {}
        for path in sorted(self.folder.glob(f"{self.key}-*.json")):
            images = path.with_suffix(".npy")
            known = json.loads(path.read_text(encoding="utf-8"))
            for row, (digest, reason, columns) in enumerate(known):
                found[digest] = _Place(images, row, reason, columns)
        return found

    def write(self, digests: Sequence[str], found: Sequence[FittedImage]) -> None:
        """Write one shard."""
        shape = next((one.maps.shape for one in found if one.maps is not None), (0, 0, 0))
        images = np.zeros((len(found), *shape), dtype=np.float16)
        for row, one in enumerate(found):
            if one.maps is not None:
                images[row] = one.maps
        known = [
            (digest, one.reason, one.columns) for digest, one in zip(digests, found, strict=True)
        ]
        path = self.folder / f"{self.key}-{_name(' '.join(digests))}.json"
        with atomic_file(path.with_suffix(".npy")) as temporary:
            np.save(temporary, images)
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(known), encoding="utf-8")


class _KeptImages:
    """A source of preprocessed images on disk."""

    together = 1

    def __init__(self, places: Sequence[_Place]) -> None:
        self._places = list(places)

    def read(self, indices: Int64[np.ndarray, " n"]) -> Float16[np.ndarray, "n c h w"]:
        """The images with these indices."""
        wanted = [self._places[i] for i in indices]
        files = {place.path: np.load(place.path, mmap_mode="r") for place in wanted}
        return np.stack([files[place.path][place.row] for place in wanted])


@dataclass(frozen=True)
class PreparedFiles:
    """Preprocessed images, without those that cannot be fitted.

    Attributes:
        parts: The images of each part, in the order of the raw ones.
        columns: Results of the preprocessing for each image, part by part.
        problems: The images that cannot be fitted.
    """

    parts: dict[str, ImageDataset]
    columns: dict[str, dict[str, list[Any]]]
    problems: list[ImageProblem]


def prepare_files(
    parts: Mapping[str, ImageDataset],
    steps: Preprocessing,
    folder: Path,
    *,
    workers: int | Workers,
    quiet: bool,
) -> PreparedFiles:
    """Preprocess images, or reuse stored results.

    Args:
        parts: The raw images.
        steps: The preprocessing.
        folder: Folder for the results.
        workers: Number of processes, 0 for one per CPU core; or workers.
        quiet: Show no progress.

    Raises:
        BadData: If no image of a part can be fitted.
    """
    cache = _Cache.of(folder, steps.spec)
    digests = {part: list(_digests(data)) for part, data in parts.items()}
    missing = _missing(digests, cache.places())
    total = sum(len(positions) for positions in missing.values())
    if total:
        chosen = workers_for(total, workers)
        calls = _calls(missing, digests, size=min(_SHARD, -(-total // chosen.count)))
        stage = f"fitting {total} images"
        shards = _made(calls, parts, steps, cache, workers=chosen)
        with closing(shards):
            for _ in progress(shards, stage, total=len(calls), unit="shard", quiet=quiet):
                pass
    places = cache.places()
    prepared = PreparedFiles({}, {}, [])
    for part, data in parts.items():
        found = [places[digest] for digest in digests[part]]
        prepared.problems.extend(_problems(part, data, found))
        kept = [i for i, place in enumerate(found) if place.reason is None]
        if not kept:
            raise BadData(
                f"none of the {len(found)} images of the part {part} can be fitted:"
                f" {data.ids[0]}: {found[0].reason}"
            )
        prepared.parts[part] = _kept(data, found, kept)
        prepared.columns[part] = _columns([found[i].columns for i in kept])
    return prepared


def _missing(
    digests: Mapping[str, Sequence[str]], known: Mapping[str, _Place]
) -> dict[str, list[int]]:
    """Positions of the images to preprocess; images with the same content only once."""
    seen = set(known)
    missing: dict[str, list[int]] = {part: [] for part in digests}
    for part, names in digests.items():
        for position, digest in enumerate(names):
            if digest not in seen:
                missing[part].append(position)
                seen.add(digest)
    return missing


def _calls(
    missing: Mapping[str, list[int]], digests: Mapping[str, Sequence[str]], *, size: int
) -> list[_Call]:
    return [
        _Call(part, chosen, [digests[part][position] for position in chosen])
        for part, positions in missing.items()
        for chosen in (positions[i : i + size] for i in range(0, len(positions), size))
    ]


def _made(
    calls: list[_Call],
    parts: Mapping[str, ImageDataset],
    steps: Preprocessing,
    cache: _Cache,
    *,
    workers: Workers,
) -> Generator[None]:
    """Make the shards in order, with several processes if there are several shards."""
    if workers.here or len(calls) == 1:
        for call in calls:
            _write_shard(call, parts, steps, cache)
            yield
        return
    arguments = (dict(parts), steps.spec, cache)
    with closing(
        in_processes(_make_shard, calls, workers=workers, begin=_start, arguments=arguments)
    ) as shards:
        yield from shards


_worker: dict[str, Any] = {}


def _start(parts: dict[str, ImageDataset], spec: list[dict[str, Any]], cache: _Cache) -> None:
    """Set up a worker process."""
    _worker.update(parts=parts, steps=model_preprocessing(spec), cache=cache)


def _make_shard(part: str, positions: list[int], digests: list[str]) -> None:
    """Make a shard in a worker process."""
    _write_shard(_Call(part, positions, digests), **_worker)


def _write_shard(
    call: _Call, parts: Mapping[str, ImageDataset], steps: Preprocessing, cache: _Cache
) -> None:
    images = parts[call.part].images(call.positions)
    cache.write(call.digests, [fitted(steps, image) for image in images])


def _problems(part: str, data: ImageDataset, places: Sequence[_Place]) -> list[ImageProblem]:
    return [
        ImageProblem(part, name, place.reason)
        for name, place in zip(data.ids, places, strict=True)
        if place.reason is not None
    ]


def _kept(data: ImageDataset, places: Sequence[_Place], kept: Sequence[int]) -> ImageDataset:
    """The preprocessed images in these positions."""
    source = _KeptImages([places[i] for i in kept])
    rows = np.arange(len(kept), dtype=np.int64)
    names = [data.ids[i] for i in kept]
    labels = data.labels[np.asarray(kept)]
    return ImageDataset(source, rows, labels, ids=names, classes=data.classes)


def _columns(reports: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [report[name] for report in reports] for name in reports[0]}


def _digests(data: ImageDataset) -> Iterator[str]:
    """A digest of each image's pixels in single precision, in which they are fitted."""
    size = max(_READ_AT_ONCE, data.together)
    for start in range(0, len(data), size):
        for image in data.images(slice(start, start + size)):
            yield _digest(image)


def _digest(image: Shaped[np.ndarray, "c h w"]) -> str:
    values = np.ascontiguousarray(image, dtype=np.float32)
    text = repr(values.shape).encode() + values.tobytes()
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_NAME_LENGTH]
