"""Check every image once before training starts.

Reading each image once shows whether it is usable, and gives the range of its pixels and a digest
that reveals images shared between parts.
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
_TOLERANCE = 1e-3  # of the declared range, allowed beyond its ends
_SMALLEST_IMAGE = 0.01  # of the declared range, least range of pixel values in an image
_SMALLEST_SET = 0.1  # the same over all images
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
    """The results of the check.

    Attributes:
        parts: The images.
        digests: The `image_digest` of each image of a part; empty if the image is unusable.
        lowest: Lowest pixel value of each image of a part; NaN if the image is unusable.
        highest: Highest pixel value, likewise.
        problems: The unusable images.
    """

    parts: Mapping[str, ImageDataset]
    digests: Mapping[str, list[bytes]]
    lowest: Mapping[str, Float64[np.ndarray, " n"]]
    highest: Mapping[str, Float64[np.ndarray, " m"]]
    problems: tuple[ImageProblem, ...]

    def check_disjoint(self) -> None:
        """Check that no image is in two parts.

        Raises:
            BadData: If images are shared; names the first one and gives their number.
        """
        check_disjoint_digests(self.parts, self.digests)

    def check_range(self, low: float, high: float) -> tuple[ImageProblem, ...]:
        """Compare the pixel values with the range that a preprocessing expects.

        An image must lie within the range and fill some of it: images from 0 to 1 lie within 0 to
        255, but look blank to a network that expects grey levels.

        Returns:
            The images outside the range, if most images are within it.

        Raises:
            BadData: If most images are outside the range, or together leave most of it empty.
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
                f" expects {low:g} to {high:g}"
            )
        names = [(part, name) for part, data in self.parts.items() for name in data.ids]
        return tuple(
            ImageProblem(
                *names[i],
                f"its pixels run from {lowest[i]:g} to {highest[i]:g}, but the preprocessing"
                f" expects {low:g} to {high:g}",
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
    """Summarise unusable images in one line: how many, and the first few.

    >>> problems_in_words([ImageProblem("val", "val/no/3.npy", "the file is empty")], 12)
    '1 of 12 images cannot be used: val/no/3.npy: the file is empty'
    """
    all_of_them = list(problems)
    shown = "; ".join(f"{item.name}: {item.reason}" for item in all_of_them[:_SHOWN])
    more = f"; and {len(all_of_them) - _SHOWN} more" if len(all_of_them) > _SHOWN else ""
    return f"{len(all_of_them)} of {total} images cannot be used: {shown}{more}"


def _images(dataset: ImageDataset) -> Iterator[Shaped[np.ndarray, "c h w"] | str]:
    """Each image, or the reason why it is unusable."""
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
    """The images whose shape differs from the most common one."""
    if len(set(shapes.values())) < 2:
        return []
    usual = Counter(shapes.values()).most_common(1)[0][0]
    return [
        ImageProblem(part, name, f"its shape is {shape}, but most images have {usual}")
        for (part, name), shape in shapes.items()
        if shape != usual
    ]


def _nothing(part: str, index: int) -> bytes:
    """A digest that no image can have."""
    return f"{part} {index}".encode()
