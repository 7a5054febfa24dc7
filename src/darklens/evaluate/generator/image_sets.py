"""Image sets that are read, simulated or generated batch by batch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from darklens.classes import UNLABELLED
from darklens.data import ImageDataset
from darklens.diffusion import Generator, SamplingOptions
from darklens.errors import BadData
from darklens.evaluate.generator.measurement import ImageBatch
from darklens.simulation import Simulator

__all__ = ["ImageSet", "generated_image_set", "read_image_set", "simulated_image_set"]


@dataclass(frozen=True)
class ImageSet:
    """An image set that can be iterated repeatedly, one batch at a time.

    Attributes:
        description: What the images are, in a few words.
        classes: Class names; labels are their indices.
        labels: Class of each image; -1 if unknown.
        batches: Function that yields the images in batches of at most the given size.
    """

    description: str
    classes: tuple[str, ...]
    labels: Int[np.ndarray, " n"]
    batches: Callable[[int], Iterator[ImageBatch]]

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"ImageSet({self.description!r}: {len(self)} images)"


def read_image_set(
    dataset: ImageDataset,
    description: str,
    *,
    count: int | None = None,
    classes: Sequence[str] | None = None,
    seed: int = 0,
) -> ImageSet:
    """The images of a folder or store, in random order where that costs nothing.

    Args:
        dataset: The images.
        description: What they are, in a few words.
        count: Number of images to select at random; all if None or larger than the data set.
        classes: Classes that the labels index. A data set with none of them has no labels.
        seed: Seed of the selection and the order.

    Raises:
        BadData: If the data set has some of these classes and some others.
    """
    labels = dataset.labels
    if classes is not None and set(classes).isdisjoint(dataset.classes):
        labels = np.full(len(dataset), -1)
    elif classes is not None:
        labels = dataset.with_classes(classes).labels
    order = np.random.default_rng(seed).permutation(len(dataset))[:count]
    if dataset.together > 1:
        order = np.sort(order)

    def batches(size: int) -> Iterator[ImageBatch]:
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            yield dataset.images(chosen), labels[chosen]

    return ImageSet(description, tuple(classes or dataset.classes), labels[order], batches)


def simulated_image_set(
    simulator: Simulator, description: str, *, count: int, seed: int = 0
) -> ImageSet:
    """New simulations, all classes in turn."""

    def batches(size: int) -> Iterator[ImageBatch]:
        for start in range(0, count, size):
            lenses = simulator.simulate(min(size, count - start), seed=seed, start=start)
            yield lenses.images, lenses.labels

    labels = np.arange(count) % len(simulator.classes)
    return ImageSet(description, simulator.classes, labels, batches)


def generated_image_set(
    generator: Generator,
    description: str,
    labels: Int[np.ndarray, " n"],
    classes: Sequence[str],
    options: SamplingOptions,
) -> ImageSet:
    """New images of the given classes, without labels if the model is not conditional.

    If the classes are unknown, the model generates all of its own in turn.

    Args:
        generator: The generator.
        description: What the images are, in a few words.
        labels: Class of each image.
        classes: Classes that the labels are indices of.
        options: Sampling options; the batch size is ignored.

    Raises:
        BadData: If the model lacks one of the classes.
        BadInput: If another argument is out of range.
    """
    wanted: list[int] | None = None
    unknown_classes = tuple(classes) == (UNLABELLED,)
    if generator.conditional and unknown_classes:  # all of the model's in turn
        wanted = (np.arange(len(labels)) % len(generator.classes)).tolist()
    elif generator.conditional:
        unknown = [name for name in classes if name not in generator.classes]
        if unknown:
            raise BadData(
                f"the real images have the class '{unknown[0]}', but the model generates only "
                f"{', '.join(generator.classes)}"
            )
        index = np.array([generator.classes.index(name) for name in classes])
        wanted = index[labels].tolist()
    known = labels if generator.conditional and not unknown_classes else np.full(len(labels), -1)
    generator.batches(len(labels), options, labels=wanted)  # refuses bad arguments

    def batches(size: int) -> Iterator[ImageBatch]:
        for part in generator.batches(len(labels), replace(options, batch=size), labels=wanted):
            yield part.images, known[part.start : part.start + len(part.images)]

    return ImageSet(description, tuple(classes), np.asarray(known), batches)
