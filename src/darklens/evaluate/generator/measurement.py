"""Measurements of each image of a set, batch by batch, so that memory stays bounded.

Two sets can only be compared in one unit, which their pixels tell. Whole numbers of one byte are
divided by 255; floating-point numbers from 0 to 1 stay as they are; anything else counts as
photon counts. When one set has counts and the other has values from 0 to 1, each image of both is
scaled from 0 to 1. Features always see values from 0 to 1: counts are scaled image by image, as
the files of the benchmarks are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Num
from torch.nn.functional import adaptive_avg_pool2d

from darklens.classify import Classifier
from darklens.errors import BadData, DarklensError
from darklens.evaluate.generator.embedding import Embedding, embed_images, join_embeddings
from darklens.evaluate.generator.features import Features
from darklens.evaluate.generator.summary_statistics import SummaryStatistics

__all__ = ["ImageBatch", "Measured", "Measurer", "Pixels", "common_pixels"]

ImageBatch = tuple[Num[np.ndarray, "_ c h w"], Int[np.ndarray, " _"]]
"""Images and the number of each one's class, -1 where there is none."""

Observe = Callable[[Num[np.ndarray, "n c h w"], int], Num[np.ndarray, "n c h w"]]
"""From images and the number of the first one to what a telescope sees of them."""

_THUMBNAIL = 30  # pixels of a side, for distances between images
_EXAMPLES = 24


@dataclass(frozen=True)
class Pixels:
    """How raw pixels become numbers that can be compared.

    Attributes:
        unit: What the numbers are: `values from 0 to 1`, `counts`, or `each image from 0 to 1`.
        divisor: Raw pixels are divided by it.
    """

    unit: Literal["values from 0 to 1", "counts", "each image from 0 to 1"]
    divisor: float = 1.0

    def values(self, images: Num[np.ndarray, "n c h w"]) -> Float32[np.ndarray, "n h w"]:
        """Images in their unit, the mean of the channels."""
        plain = np.asarray(images.mean(axis=1, dtype=np.float32) / np.float32(self.divisor))
        return _from_0_to_1(plain) if self.unit == "each image from 0 to 1" else plain

    def for_features(self, values: Float32[np.ndarray, "n h w"]) -> Float32[np.ndarray, "n h w"]:
        """The same with values from 0 to 1."""
        return _from_0_to_1(values) if self.unit == "counts" else values


def common_pixels(
    first: Num[np.ndarray, "n c h w"], second: Num[np.ndarray, "m c h w"]
) -> tuple[Pixels, Pixels]:
    """How the pixels of two sets become comparable, from a few images of each.

    >>> counts, bytes_ = np.full((1, 1, 2, 2), 700.0), np.ones((1, 1, 2, 2), np.uint8)
    >>> [pixels.unit for pixels in common_pixels(counts, counts)]
    ['counts', 'counts']
    >>> [pixels.unit for pixels in common_pixels(counts, bytes_)]
    ['each image from 0 to 1', 'each image from 0 to 1']
    """
    found = _pixels(first), _pixels(second)
    if found[0].unit == found[1].unit:
        return found
    return Pixels("each image from 0 to 1"), Pixels("each image from 0 to 1")


@dataclass(frozen=True)
class Measured:
    """A set as rows of numbers, one for each image.

    Attributes:
        labels: Class of each image as a number, -1 where there is none.
        physics: What `SummaryStatistics.measure` says.
        thumbnails: Means over blocks of pixels, values from 0 to 1.
        features: Features by the name of what made them.
        embeddings: What classifiers see, by their names.
        examples: The first images themselves.
        failures: Why a classifier could not see the images, by its name.
    """

    labels: Int[np.ndarray, " n"]
    physics: Mapping[str, Float[np.ndarray, "n _"]]
    thumbnails: Float32[np.ndarray, "n a b"]
    features: Mapping[str, Float32[np.ndarray, "n _"]]
    embeddings: Mapping[str, Embedding]
    examples: Float32[np.ndarray, "k h w"]
    failures: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        made = ", ".join([*self.physics, *self.features, *self.embeddings])
        return f"Measured({len(self)} images: {made})"


@dataclass(frozen=True)
class Measurer:
    """Measures sets of images of one size, all in the same way.

    Attributes:
        ruler: Measures the physics.
        features: Functions from images with values from 0 to 1 to features, by name.
        classifiers: Classifiers of raw images, by name.
        observe: What happens to raw images before a classifier sees them.
    """

    ruler: SummaryStatistics
    features: Mapping[str, Features] = field(default_factory=dict)
    classifiers: Mapping[str, Classifier] = field(default_factory=dict)
    observe: Observe | None = None

    def measure(self, batches: Iterable[ImageBatch], pixels: Pixels) -> Measured:
        """Measure all images of a set, one batch at a time."""
        parts: list[Measured] = []
        start = 0
        for images, labels in batches:
            parts.append(self._batch(images, labels, pixels, start))
            start += len(images)
        return _joined(parts)

    def _batch(
        self,
        images: Num[np.ndarray, "n c h w"],
        labels: Int[np.ndarray, " n"],
        pixels: Pixels,
        start: int,
    ) -> Measured:
        values = pixels.values(images)
        scaled = pixels.for_features(values)
        if not np.isfinite(values).all():
            raise BadData(f"one of the images {start} to {start + len(images) - 1} has NaN in it")
        embeddings, failures = self._embeddings(images, start)
        return Measured(
            labels=np.asarray(labels, dtype=np.int64),
            physics=self.ruler.measure(values),
            thumbnails=_thumbnails(scaled),
            features={name: see(scaled).astype(np.float32) for name, see in self.features.items()},
            embeddings=embeddings,
            examples=values[: max(0, _EXAMPLES - start)],
            failures=failures,
        )

    def _embeddings(
        self, images: Num[np.ndarray, "n c h w"], start: int
    ) -> tuple[dict[str, Embedding], dict[str, str]]:
        """What classifiers see, and why some see nothing."""
        embeddings, failures = {}, {}
        if self.observe is not None and self.classifiers:
            images = self.observe(images, start)
        for name, classifier in self.classifiers.items():
            try:
                embeddings[name] = embed_images(classifier, images)
            except DarklensError as error:
                failures[name] = f"not computed: {error}"
        return embeddings, failures


def _joined(parts: Sequence[Measured]) -> Measured:
    first = parts[0]
    failures = {name: reason for part in parts for name, reason in part.failures.items()}
    return Measured(
        labels=np.concatenate([part.labels for part in parts]),
        physics={
            name: np.concatenate([part.physics[name] for part in parts]) for name in first.physics
        },
        thumbnails=np.concatenate([part.thumbnails for part in parts]),
        features={
            name: np.concatenate([part.features[name] for part in parts]) for name in first.features
        },
        embeddings={
            name: join_embeddings([part.embeddings[name] for part in parts])
            for name in first.embeddings
            if name not in failures
        },
        failures=failures,
        examples=np.concatenate([part.examples for part in parts]),
    )


def _pixels(images: Num[np.ndarray, "n c h w"]) -> Pixels:
    if images.dtype == np.uint8:
        return Pixels("values from 0 to 1", 255.0)
    real = np.issubdtype(images.dtype, np.floating)
    if real and images.min() >= 0 and images.max() <= 1:
        return Pixels("values from 0 to 1")
    return Pixels("counts")


def _from_0_to_1(values: Float32[np.ndarray, "n h w"]) -> Float32[np.ndarray, "n h w"]:
    low = values.min(axis=(1, 2), keepdims=True)
    span = values.max(axis=(1, 2), keepdims=True) - low
    return np.asarray((values - low) / np.where(span > 0, span, np.float32(1)))


def _thumbnails(values: Float32[np.ndarray, "n h w"]) -> Float32[np.ndarray, "n a b"]:
    height, width = values.shape[1:]
    size = min(_THUMBNAIL, height), min(_THUMBNAIL, width)
    means = adaptive_avg_pool2d(torch.from_numpy(values)[:, None], size)
    return np.asarray(means[:, 0].numpy())
