"""Simulated lenses with their true parameters, any number, one at a time or in batches.

Image `i` of seed `s` is the same bytes whatever the number of workers, the batch size or the order:
its generator is counter-based (Philox) with the key (seed, index). Its label is `i` modulo the
number of classes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Int, Num
from numpy.random import Generator, Philox

from darklens.classes import canonical_class
from darklens.errors import BadInput, BadPreset
from darklens.lensing.instrument import Instrument
from darklens.lensing.noise import PhotonNoise
from darklens.lensing.render import Scene, render
from darklens.naming import sides
from darklens.simulation.population import draw_scene
from darklens.simulation.presets import Preset, load_preset
from darklens.simulation.record import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Lens", "Lenses", "Simulator"]

_SHOWN = 12  # lenses in a notebook


@dataclass(frozen=True)
class Lens:
    """One simulated lens.

    Args:
        image: What the telescope sees, uint16 counts or float32.
        label: Index of its class.
        parameters: True parameters, see `draw_scene`.
        scene: The scene that was rendered.
    """

    image: Num[np.ndarray, "1 h w"]
    label: int
    parameters: Record
    scene: Scene

    def __repr__(self) -> str:
        radius = self.parameters.get("einstein_radius", float("nan"))
        return (
            f"Lens({sides(self.image.shape)} pixels, {self.image.dtype}; label {self.label}; "
            f"Einstein radius {radius:.3f} arcsec; {len(self.parameters)} parameters)"
        )


@dataclass(frozen=True)
class Lenses:
    """A batch of simulated lenses.

    Args:
        images: Images, uint16 counts or float32.
        labels: Index of each one's class.
        parameters: True parameters, one row an image.
        classes: Names of the classes.
    """

    images: Num[np.ndarray, "n 1 h w"]
    labels: Int[np.ndarray, " n"]
    parameters: pd.DataFrame
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return (
            f"Lenses({len(self)} images of {sides(self.images.shape[1:])} pixels, "
            f"{self.images.dtype}; classes {', '.join(self.classes)}; "
            f"{self.parameters.shape[1]} parameters)"
        )

    def _repr_html_(self) -> str:
        from darklens.display import facts_html, lens_picture, pictures_html

        shown, titles = self.images[:_SHOWN], self._titles()[:_SHOWN]
        pictures = [
            (lens_picture(image), title) for image, title in zip(shown, titles, strict=True)
        ]
        more = len(self) - len(shown)
        counts = np.bincount(self.labels, minlength=len(self.classes)).tolist()
        facts = {
            "pixels": f"{sides(self.images.shape[1:])}, {self.images.dtype}",
            "classes": ", ".join(
                f"{n} {name}" for n, name in zip(counts, self.classes, strict=True)
            ),
            "parameters": ", ".join(map(str, self.parameters.columns)),
        }
        rest = [facts_html(f"and {more} more", {})] if more > 0 else []
        return facts_html(f"{len(self)} lenses", facts, pictures_html(pictures), *rest)

    def show(self, count: int = 12, *, columns: int = 4) -> "Figure":
        """A Matplotlib figure of the first lenses, stretched to show faint arcs.

        Args:
            count: Most lenses to show.
            columns: Lenses in a row.

        Raises:
            BadInput: If one of them is not positive.
        """
        from darklens.display import lenses_figure

        if count < 1 or columns < 1:
            raise BadInput("count and columns must be at least 1")
        return lenses_figure(self.images[:count], self._titles(), columns=columns)

    def _titles(self) -> list[str]:
        return [self.classes[label] for label in self.labels]


class Simulator:
    """Draws lenses from a preset.

    Args:
        preset: A preset, the name of a shipped one, or a YAML file.
        classes: The classes to draw, in the order of the labels; all of the preset's if None.

    Raises:
        BadPreset: If the preset is wrong or not there.
        BadInput: If the preset has not such a class.

    Example:
        >>> lenses = Simulator("model-1").simulate(count=3, seed=0)
        >>> lenses.images.shape, lenses.labels.tolist()
        ((3, 1, 150, 150), [0, 1, 2])
    """

    def __init__(
        self, preset: Preset | str | Path, *, classes: Sequence[str] | None = None
    ) -> None:
        self.preset = preset if isinstance(preset, Preset) else load_preset(preset)
        known = tuple(self.preset.classes)
        self.classes = known if classes is None else tuple(canonical_class(c) for c in classes)
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise BadInput("classes: at least one is needed, each only once")
        for name in self.classes:
            if name not in known:
                raise BadInput(
                    f"preset {self.preset.name} has no class '{name}': choose of {', '.join(known)}"
                )

    def __repr__(self) -> str:
        scale = self.preset.grid.pixel_scale
        return (
            f"Simulator({self.preset.name!r}: {sides(self.shape)} pixels of {scale:g} arcsec, "
            f"{self.dtype}; classes {', '.join(self.classes)})"
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of an image."""
        return (1, *self.preset.grid.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the images' pixels."""
        return self.preset.dtype

    def lens(self, index: int, *, seed: int = 0) -> Lens:
        """Lens number `index` of `seed`.

        Raises:
            BadInput: If a number is negative or has more than 64 bits.
            BadPreset: If the preset draws impossible values.
        """
        rng = _generator(index, seed)
        label = index % len(self.classes)
        scene, parameters = draw_scene(self.preset, self.classes[label], rng)
        preset = self.preset
        instrument, noise, drawn = preset.conditions.draw(preset.instrument, preset.noise, rng)
        rate = self._rate(scene, instrument)
        sky_rate = instrument.sky_rate(preset.grid.pixel_area)
        image = noise.observe(rate, parameters["exposure"], sky_rate, rng)[np.newaxis]
        return Lens(image, label, parameters | drawn, scene)

    def scene(self, index: int, *, seed: int = 0) -> tuple[Scene, Record]:
        """Scene and true parameters of lens number `index` of `seed`, without its image.

        Raises:
            BadInput: If a number is negative or has more than 64 bits.
            BadPreset: If the preset draws impossible values.
        """
        label = self.classes[index % len(self.classes)]
        return draw_scene(self.preset, label, _generator(index, seed))

    def expectation(self) -> "Simulator":
        """Simulator of the same lenses without photon noise: of the expected counts.

        Raises:
            BadPreset: If the noise of the preset is not that of photons.
        """
        if not isinstance(self.preset.noise, PhotonNoise):
            raise BadPreset(
                f"{self.preset.name} has no expected counts: the noise is not that of photons"
            )
        noiseless = replace(self.preset, noise=self.preset.noise.expectation())
        return Simulator(noiseless, classes=self.classes)

    def expected_rate(self, scene: Scene) -> Num[np.ndarray, "h w"]:
        """Noiseless image of a scene behind the PSF, without sky [counts/s].

        Where the preset draws the width of the PSF, it is the central one.
        """
        return self._rate(scene, self.preset.instrument)

    def simulate(self, count: int, *, seed: int = 0, start: int = 0) -> Lenses:
        """Lenses `start` to `start + count` of `seed`.

        Raises:
            BadInput: If `count` is not positive.
        """
        if count < 1:
            raise BadInput(f"count {count} must be at least 1")
        images = np.empty((count, *self.shape), self.dtype)
        labels = np.empty(count, np.int64)
        rows = []
        for i in range(count):
            lens = self.lens(start + i, seed=seed)
            images[i], labels[i] = lens.image, lens.label
            rows.append({"index": start + i, "label": self.classes[lens.label], **lens.parameters})
        return Lenses(images, labels, pd.DataFrame(rows), self.classes)

    def stream(
        self, *, seed: int = 0, start: int = 0, stride: int = 1
    ) -> Iterator[tuple[Num[np.ndarray, "1 h w"], int]]:
        """Endless fresh images with their labels: lenses `start`, `start + stride`, and so on."""
        index = start
        while True:
            lens = self.lens(index, seed=seed)
            yield lens.image, lens.label
            index += stride

    def _rate(self, scene: Scene, instrument: Instrument) -> Num[np.ndarray, "h w"]:
        grid = self.preset.grid
        flux = render(scene, grid, instrument.supersampling)
        return instrument.observe(flux, grid.pixel_scale)


def _generator(index: int, seed: int) -> Generator:
    """The generator of one lens."""
    if not (0 <= index < 2**64 and 0 <= seed < 2**64):
        raise BadInput(f"index {index} and seed {seed} must lie between 0 and 2^64 - 1")
    return Generator(Philox(key=np.array([seed, index], dtype=np.uint64)))
