"""The images of one lens, one in each band, among all that a verb is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from darklens.errors import BadInput, DarklensError
from darklens.naming import sides, visible
from darklens.observations import Observation, Target, prepare_observation, read_observation

__all__ = ["LensImages", "counted", "lens_images", "title_of"]

_LARGEST = 400  # pixels on a side
_MOST_BANDS = 8


@dataclass(frozen=True)
class LensImages:
    """All images of one lens, the first of which names it.

    Attributes:
        targets: The images.
    """

    targets: tuple[Target, ...]

    @property
    def path(self) -> Path:
        """The first image."""
        return self.targets[0].path

    @property
    def name(self) -> str:
        """What the lens is called, or empty."""
        return self.targets[0].options.lens or ""

    @property
    def error(self) -> str:
        """Why it cannot be modelled, or empty."""
        if len(self.targets) > _MOST_BANDS:
            return (
                f"the lens {visible(self.name)} has {len(self.targets)} images: at most "
                f"{_MOST_BANDS} bands are taken together"
            )
        wrong = next((target for target in self.targets if target.error), None)
        return "" if wrong is None else self._of(wrong, wrong.error)

    def read(self) -> list[Observation]:
        """The images, prepared for the fit.

        Raises:
            DarklensError: If one of them cannot be read or prepared, or is too large; where there
                are several the message names it.
        """
        return [self._prepared(target) for target in self.targets]

    def _prepared(self, target: Target) -> Observation:
        try:
            seen = prepare_observation(
                read_observation(target.path, target.options), target.options
            )
            if max(seen.image.shape) > _LARGEST:
                raise BadInput(
                    f"{sides(seen.image.shape)} pixels are more than the {_LARGEST} on a side in "
                    "which a lens is modelled: choose a square with --size, around --centre"
                )
        except DarklensError as error:
            raise BadInput(self._of(target, str(error))) from None
        return seen

    def _of(self, target: Target, reason: str) -> str:
        """A reason, with the image that it is about where there are several."""
        return reason if len(self.targets) == 1 else f"{visible(target.path)}: {reason}"


def lens_images(targets: Sequence[Target]) -> list[LensImages]:
    """The lenses: images with the same option `lens` are of one, all others each of its own.

    >>> from darklens.observations import ImageOptions
    >>> one = ImageOptions(lens="J0946")
    >>> images = [Target(Path("a.fits"), one), Target(Path("b.fits")), Target(Path("c.fits"), one)]
    >>> [len(lens.targets) for lens in lens_images(images)]
    [2, 1]
    """
    found: dict[object, list[Target]] = {}
    for number, target in enumerate(targets):
        found.setdefault(target.options.lens or number, []).append(target)
    return [LensImages(tuple(each)) for each in found.values()]


def counted(lenses: Sequence[LensImages]) -> str:
    """How many lenses, or images where each lens has one, in words.

    >>> counted([LensImages((Target(Path("a.fits")),))])
    '1 image'
    """
    single = all(len(lens.targets) == 1 for lens in lenses)
    one, several = ("image", "images") if single else ("lens", "lenses")
    return f"{len(lenses)} {one if len(lenses) == 1 else several}"


def title_of(path: Path) -> str:
    """An image as the title of its picture: folder and file.

    >>> title_of(Path("survey/night/lens.fits"))
    'night/lens.fits'
    """
    return str(Path(path.parent.name, path.name))
