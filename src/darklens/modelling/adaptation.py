"""Presets adapted to an image: its shape, pixel scale and PSF.

The preset of a benchmark fixes its images. A general preset, such as `galaxy`, takes the grid from
the image, and the noise from a noise map or from the sky around the lens.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from darklens.errors import BadInput
from darklens.lensing.grid import PixelGrid, border_pixels
from darklens.lensing.instrument import PSF
from darklens.simulation.distributions import Constant, Uniform
from darklens.simulation.presets import Preset

__all__ = ["Mass", "adapt_preset", "robust_deviation", "sky_noise"]

Image = Float[np.ndarray, "h w"]
Mass = Literal["sphere", "ellipsoid"]

_BORDER = 8
_RAY_DISTANCE, _MOST_RAYS = 0.04, 10  # arcsec; along each side of a pixel
_SIGMA_PER_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


def adapt_preset(
    preset: Preset,
    *,
    grid: PixelGrid | None = None,
    psf: PSF | None = None,
    mass: Mass | None = None,
    lens_light: bool | None = None,
) -> Preset:
    """A preset adapted to an image.

    Args:
        preset: The preset.
        grid: Pixels of the image; only a general preset takes them. Large pixels get more rays.
        psf: Point-spread function.
        mass: Whether the lens is an isothermal sphere or an ellipsoid.
        lens_light: Whether to model light of the lens galaxy.

    Raises:
        BadInput: If the preset does not allow the change.
    """
    if grid is not None:
        if not preset.general and not _alike(grid, preset.grid):
            rows, columns = preset.grid.shape
            raise BadInput(
                f"the preset {preset.name} is for images of {rows} x {columns} pixels of "
                f"{preset.grid.pixel_scale:g} arcsec, not {grid.shape[0]} x {grid.shape[1]} of "
                f"{grid.pixel_scale:g}; a general preset, such as galaxy, takes any"
            )
        if preset.general:
            rays = min(int(np.ceil(grid.pixel_scale / _RAY_DISTANCE - 0.01)), _MOST_RAYS)
            rays = max(preset.instrument.supersampling, rays)
            instrument = replace(preset.instrument, supersampling=rays)
            preset = replace(preset, grid=grid, instrument=instrument)
    if psf is not None:
        preset = replace(preset, instrument=replace(preset.instrument, psf=psf))
    round_lens = preset.lens.axis_ratio == Constant(1.0)
    if mass == "sphere":
        lens = replace(preset.lens, axis_ratio=Constant(1.0), position_angle=Constant(0.0))
        preset = replace(preset, lens=lens)
    elif mass == "ellipsoid" and (round_lens or isinstance(preset.lens.axis_ratio, Constant)):
        free = {"axis_ratio": Uniform(0.5, 1.0), "position_angle": Uniform(-90.0, 90.0)}
        preset = replace(preset, lens=replace(preset.lens, **free))
    if lens_light is False:
        preset = replace(preset, lens_light=None)
    elif lens_light and preset.lens_light is None:
        raise BadInput(f"the preset {preset.name} has no model of the light of the lens")
    return preset


def _alike(grid: PixelGrid, other: PixelGrid) -> bool:
    """Whether two grids agree to the precision of a header."""
    return grid.shape == other.shape and abs(grid.pixel_scale / other.pixel_scale - 1) < 1e-3


def sky_noise(image: Image) -> Image:
    """Noise map of constant sky noise, measured at the border of an image.

    It ignores the photon noise of the galaxies, so their centres get too much weight. NaN pixels
    are left out; the border is that of the remaining pixels.

    Raises:
        BadInput: If the border has no noise.
    """
    known = np.isfinite(image)
    values = image[border_pixels(known, max(2, min(image.shape) // _BORDER))]
    if not values.size:
        raise BadInput("the noise cannot be estimated: every pixel is NaN")
    spread = robust_deviation(values)
    if not spread > 0:
        raise BadInput("the noise cannot be estimated: the border is constant; give a noise map")
    return np.full(image.shape, spread)


def robust_deviation(values: Float[np.ndarray, " n"]) -> float:
    """Standard deviation of normal values among outliers, from the median absolute deviation."""
    return _SIGMA_PER_MAD * float(np.median(np.abs(values - np.median(values))))
