"""Measurements of each image of a set, batch by batch, so that memory stays bounded.

Two sets can only be compared in one unit, which is inferred from their pixels. 8-bit integers are
divided by 255; floating-point values from 0 to 1 are unchanged; anything else is taken as photon
counts. If one set has counts and the other has values from 0 to 1, each image of both is scaled to
[0, 1]. Features are always computed from values in [0, 1]: counts are scaled image by image, as in
the files of the benchmarks.
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
"""Images and their class indices; -1 for no class."""

Observe = Callable[[Num[np.ndarray, "n c h w"], int], Num[np.ndarray, "n c h w"]]
"""From images and the index of the first one to the images as observed."""

_THUMBNAIL = 30  # side [pixel], for distances between images
_EXAMPLES = 24


@dataclass(frozen=True)
class Pixels:
    """The conversion of raw pixels to comparable values.

    Attributes:
        unit: Unit of the result: `values from 0 to 1`, `counts`, or `each image from 0 to 1`.
        divisor: Divisor of the raw pixels.
    """

    unit: Literal["values from 0 to 1", "counts", "each image from 0 to 1"]
    divisor: float = 1.0

    def values(self, images: Num[np.ndarray, "n c h w"]) -> Float32[np.ndarray, "n h w"]:
        """Images in this unit, averaged over channels."""
        plain = np.asarray(images.mean(axis=1, dtype=np.float32) / np.float32(self.divisor))
        return _from_0_to_1(plain) if self.unit == "each image from 0 to 1" else plain

    def for_features(self, values: Float32[np.ndarray, "n h w"]) -> Float32[np.ndarray, "n h w"]:
        """The same, scaled to [0, 1]."""
        return _from_0_to_1(values) if self.unit == "counts" else values


def common_pixels(
    first: Num[np.ndarray, "n c h w"], second: Num[np.ndarray, "m c h w"]
) -> tuple[Pixels, Pixels]:
    """The conversion that makes two sets comparable, inferred from a few images of each.

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
    """The measurements of a set, one row per image.

    Attributes:
        labels: Class index of each image; -1 for no class.
        physics: Output of `SummaryStatistics.measure`.
        thumbnails: Means over blocks of pixels, values from 0 to 1.
        features: Features by name of the network or protocol; some are of the first images only.
        embeddings: Output of classifiers by name.
        examples: The first few images.
        failures: Why a classifier failed on the images, by name.
    """

    labels: Int[np.ndarray, " n"]
    physics: Mapping[str, Float[np.ndarray, "n _"]]
    thumbnails: Float32[np.ndarray, "n a b"]
    features: Mapping[str, Float32[np.ndarray, "_ _"]]
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
    """Measures image sets of one size, all in the same way.

    Attributes:
        statistics: The summary statistics; None for none.
        features: Functions from images with values in [0, 1] to features, by name.
        classifiers: Classifiers of raw images, by name.
        observe: Function applied to raw images before classification.
        limits: Number of images, the first ones, to which features are limited, by name.
    """

    statistics: SummaryStatistics | None
    features: Mapping[str, Features] = field(default_factory=dict)
    classifiers: Mapping[str, Classifier] = field(default_factory=dict)
    observe: Observe | None = None
    limits: Mapping[str, int] = field(default_factory=dict)

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
            raise BadData(f"one of the images {start} to {start + len(images) - 1} has NaN pixels")
        embeddings, failures = self._embeddings(images, start)
        return Measured(
            labels=np.asarray(labels, dtype=np.int64),
            physics={} if self.statistics is None else self.statistics.measure(values),
            thumbnails=_thumbnails(scaled),
            features={
                name: see(scaled[: self._left(name, start)]).astype(np.float32)
                for name, see in self.features.items()
            },
            embeddings=embeddings,
            examples=values[: max(0, _EXAMPLES - start)],
            failures=failures,
        )

    def _left(self, name: str, start: int) -> int | None:
        """How many images from `start` on get these features; None for all."""
        limit = self.limits.get(name)
        return None if limit is None else max(0, limit - start)

    def _embeddings(
        self, images: Num[np.ndarray, "n c h w"], start: int
    ) -> tuple[dict[str, Embedding], dict[str, str]]:
        """Output of the classifiers, and why some failed."""
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
