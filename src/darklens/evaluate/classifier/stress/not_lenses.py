"""Images that are not lenses at all.

They have the brightness, the telescope and the noise of the preset's own images, so that only their
content is wrong. Only the photographs are 8-bit pictures, cut from the two that scikit-learn
ships.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Num
from numpy.random import Generator

from darklens.lensing.profiles import Sersic
from darklens.simulation import Lens, Simulator

__all__ = ["NOT_LENSES", "not_a_lens"]

Image = Num[np.ndarray, "1 h w"]
Flux = Float[np.ndarray, "h w"]

_GREY = (0.299, 0.587, 0.114)  # brightness of red, green and blue, ITU-R BT.601
_SMALLEST_CUT = 150  # of a photograph [pixel]


@dataclass(frozen=True)
class View:
    """The target of an observation that takes the place of one lens.

    Attributes:
        simulator: Simulator of the preset whose telescope observes.
        lens: The lens, whose brightness and exposure are kept.
        rng: Random generator for all draws.
    """

    simulator: Simulator
    lens: Lens
    rng: Generator

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        return self.simulator.preset.grid.shape

    @property
    def peak(self) -> float:
        """Brightest pixel of the lens without noise [counts/s]."""
        return float(self.simulator.expected_rate(self.lens.scene).max())

    def observed(self, flux: Flux) -> Image:
        """Flux [counts/s] as the telescope observes it, with sky and noise."""
        preset = self.simulator.preset
        sky_rate = preset.instrument.sky_rate(preset.grid.pixel_area)
        exposure = self.lens.parameters["exposure"]
        return preset.noise.observe(flux, exposure, sky_rate, self.rng)[np.newaxis]

    def as_bright(self, light: Flux) -> Image:
        """Light behind the PSF, scaled so that its peak is that of the lens, and observed."""
        preset = self.simulator.preset
        seen = preset.instrument.observe(light, preset.grid.pixel_scale)
        return self.observed(np.asarray(seen * (self.peak / seen.max())))


def not_a_lens(kind: str, simulator: Simulator, index: int, seed: int) -> Image:
    """Image `index` of a kind of `NOT_LENSES`; reproducible for a given index and seed.

    Args:
        kind: Name of the kind.
        simulator: Simulator of the preset whose telescope observes.
        index: Number of the image.
        seed: Seed of all images.
    """
    rng = np.random.default_rng([seed, index, *kind.encode()])
    return NOT_LENSES[kind](View(simulator, simulator.lens(index, seed=seed), rng))


def empty_sky(view: View) -> Image:
    """Noise of the sky alone."""
    return view.observed(np.zeros(view.shape))


def shuffled(view: View) -> Image:
    """A lens with its pixels shuffled: white noise with the histogram of a lens."""
    return np.asarray(view.rng.permutation(view.lens.image.ravel()).reshape(1, *view.shape))


def gradient(view: View) -> Image:
    """A linear gradient of light in a random direction."""
    x, y = view.simulator.preset.grid.coordinates()
    angle = view.rng.uniform(0, 2 * np.pi)
    height = x * np.cos(angle) + y * np.sin(angle)
    height = (height - height.min()) / (height.max() - height.min())
    return view.observed(view.peak * view.rng.uniform(0.05, 0.5) * height)


def stars(view: View) -> Image:
    """10 to 60 point sources, N(> f) ~ 1 / f, the brightest as bright as the lens's arcs."""
    points = np.zeros(view.shape)
    count = view.rng.integers(10, 61)
    places = tuple(view.rng.integers(0, side, count) for side in points.shape)
    np.add.at(points, places, 1 / view.rng.uniform(0.01, 1, count))
    return view.as_bright(points)


def galaxies(view: View) -> Image:
    """An unlensed Sersic galaxy near the centre, as bright as the lens's arcs."""
    rng = view.rng
    galaxy = Sersic(
        1.0,
        radius=float(np.exp(rng.uniform(np.log(0.2), np.log(1.5)))),
        sersic_index=rng.uniform(0.8, 4),
        axis_ratio=rng.uniform(0.4, 1),
        position_angle=rng.uniform(0, np.pi),
        x=rng.uniform(-0.2, 0.2),
        y=rng.uniform(-0.2, 0.2),
    )
    return view.as_bright(galaxy.brightness(*view.simulator.preset.grid.coordinates()))


def photographs(view: View) -> Image:
    """A square of random size from a photograph, resized, in grey."""
    from PIL import Image as Picture

    photo = _photographs()[view.rng.integers(2)]
    side = int(view.rng.integers(_SMALLEST_CUT, min(photo.shape) + 1))
    top, left = (int(view.rng.integers(0, length - side + 1)) for length in photo.shape)
    cut = Picture.fromarray(photo[top : top + side, left : left + side])
    height, width = view.shape
    return np.asarray(cut.resize((width, height)))[np.newaxis].copy()


@cache
def _photographs() -> list[Num[np.ndarray, "h w"]]:
    """The photographs that scikit-learn ships, as 8-bit grey levels."""
    from sklearn.datasets import load_sample_images

    return [np.round(photo @ _GREY).astype(np.uint8) for photo in load_sample_images().images]


NOT_LENSES: dict[str, Callable[[View], Image]] = {
    "empty sky": empty_sky,
    "pixels of lenses in any order": shuffled,
    "gradients": gradient,
    "stars": stars,
    "unlensed Sersic galaxies": galaxies,
    "photographs": photographs,
}
"""Kinds of images that are not lenses, by their names in the table."""
