"""Check every image once before training starts.

It is read once, and all that must be known of it is found: whether it can be read and used, the
range of its pixels, and a digest that tells whether it is in two parts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped

from darklens.data.datasets import BadImage, ImageDataset
from darklens.data.splits import check_disjoint_digests, image_digest
from darklens.errors import BadData

__all__ = ["ImageProblem", "Survey", "problems_in_words", "survey_images"]

_READ_AT_ONCE = 64
_TOLERANCE = 1e-3  # of the declared range, beyond its ends
_SMALLEST_IMAGE = 0.01  # of the declared range, from the lowest to the highest pixel of an image
_SMALLEST_SET = 0.1  # the same of all images together
_SHOWN = 3

Progress = Callable[[Iterable[int]], Iterable[int]]  # wraps a loop over images, as tqdm does


@dataclass(frozen=True)
class ImageProblem:
    """An image that cannot be used: its part, its name and the reason."""

    part: str
    name: str
    reason: str


@dataclass(frozen=True)
class Survey:
    """What was found.

    Attributes:
        parts: The images.
        digests: The `image_digest` of each image of a part, empty for one that cannot be used.
        lowest: Lowest pixel of each image of a part, NaN for one that cannot be used.
        highest: Highest pixel, likewise.
        problems: The images that cannot be used.
    """

    parts: Mapping[str, ImageDataset]
    digests: Mapping[str, list[bytes]]
    lowest: Mapping[str, Float64[np.ndarray, " n"]]
    highest: Mapping[str, Float64[np.ndarray, " m"]]
    problems: tuple[ImageProblem, ...]

    def check_disjoint(self) -> None:
        """Make sure that no image is in two parts.

        Raises:
            BadData: With the names of the first image that is shared, and how many there are.
        """
        check_disjoint_digests(self.parts, self.digests)

    def check_range(self, low: float, high: float) -> tuple[ImageProblem, ...]:
        """Compare the pixels with the range that a preprocessing is made for.

        An image must lie within the range and fill some of it: images from 0 to 1 lie within 0 to
        255, but a network that expects grey levels sees nothing in them.

        Returns:
            The images that do not fit, where most do.

        Raises:
            BadData: If most of the images do not fit, or all of them together leave most of the
                range empty.
        """
        width = high - low
        lowest, highest = (np.concatenate(list(x.values())) for x in (self.lowest, self.highest))
        beyond = (lowest < low - _TOLERANCE * width) | (highest > high + _TOLERANCE * width)
        empty = highest - lowest < _SMALLEST_IMAGE * width
        wrong = beyond | empty
        first, last = np.nanmin(lowest), np.nanmax(highest)
        if 2 * wrong.sum() > len(wrong) or last - first < _SMALLEST_SET * width:
            raise BadData(
                f"the pixels of the images run from {first:g} to {last:g}, but the preprocessing"
                f" is made for {low:g} to {high:g}"
            )
        names = [(part, name) for part, data in self.parts.items() for name in data.ids]
        return tuple(
            ImageProblem(
                *names[i],
                f"its pixels run from {lowest[i]:g} to {highest[i]:g}, but the preprocessing is"
                f" made for {low:g} to {high:g}",
            )
            for i in np.flatnonzero(wrong)
        )


def survey_images(parts: Mapping[str, ImageDataset], *, progress: Progress = iter) -> Survey:
    """Read every image of every part once.

    Args:
        parts: The images.
        progress: Wraps the loop over them.
    """
    digests: dict[str, list[bytes]] = {}
    lowest, highest = {}, {}
    problems: list[ImageProblem] = []
    shapes: dict[tuple[str, str], tuple[int, ...]] = {}
    counter = iter(progress(range(sum(len(dataset) for dataset in parts.values()))))
    for part, dataset in parts.items():
        digests[part] = []
        ends = np.full((2, len(dataset)), np.nan)
        for index, image in enumerate(_images(dataset)):
            next(counter)
            if isinstance(image, str):
                problems.append(ImageProblem(part, dataset.ids[index], image))
                digests[part].append(_nothing(part, index))
                continue
            shapes[part, dataset.ids[index]] = image.shape
            digests[part].append(image_digest(image))
            ends[:, index] = image.min(), image.max()
        lowest[part], highest[part] = ends
    next(counter, None)  # closes the progress bar
    return Survey(parts, digests, lowest, highest, (*problems, *_misfits(shapes)))


def problems_in_words(problems: Iterable[ImageProblem], total: int) -> str:
    """One line on images that cannot be used: how many, and the first of them.

    >>> problems_in_words([ImageProblem("val", "val/no/3.npy", "the file is empty")], 12)
    '1 of 12 images cannot be used: val/no/3.npy: the file is empty'
    """
    all_of_them = list(problems)
    shown = "; ".join(f"{item.name}: {item.reason}" for item in all_of_them[:_SHOWN])
    more = f"; and {len(all_of_them) - _SHOWN} more" if len(all_of_them) > _SHOWN else ""
    return f"{len(all_of_them)} of {total} images cannot be used: {shown}{more}"


def _images(dataset: ImageDataset) -> Iterator[Shaped[np.ndarray, "c h w"] | str]:
    """Each image, or the reason why there is none."""
    size = max(_READ_AT_ONCE, dataset.together)
    for start in range(0, len(dataset), size):
        positions = np.arange(start, min(start + size, len(dataset)))
        try:
            yield from dataset.images(positions)
        except BadData:
            for position in positions:
                yield _one(dataset, int(position))


def _one(dataset: ImageDataset, position: int) -> Any:
    try:
        return dataset.images([position])[0]
    except BadImage as error:
        return error.reason
    except BadData as error:
        return str(error)


def _misfits(shapes: Mapping[tuple[str, str], tuple[int, ...]]) -> list[ImageProblem]:
    """The images whose shape is not that of most."""
    if len(set(shapes.values())) < 2:
        return []
    usual = Counter(shapes.values()).most_common(1)[0][0]
    return [
        ImageProblem(part, name, f"its shape is {shape}, but most images have {usual}")
        for (part, name), shape in shapes.items()
        if shape != usual
    ]


def _nothing(part: str, index: int) -> bytes:
    """A digest that no image has."""
    return f"{part} {index}".encode()
