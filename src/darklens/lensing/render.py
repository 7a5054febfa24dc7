"""Rendering: from a scene to its image in one pass over the pixels.

For each block of pixels the deflections of all perturbers are summed in two small buffers, and the
surface brightness of the source is evaluated there. The only full-size array is the image. Scenes
with several planes or with pictures of galaxies take one ray of every pixel at a time instead.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from numba import njit

from darklens.lensing.grid import PixelGrid
from darklens.lensing.kernels import (
    add_epl,
    add_line_mass,
    add_line_of_points,
    add_multipole,
    add_point_masses,
    add_sersic,
    add_shear,
    add_sie,
    add_tnfw,
)
from darklens.lensing.line_of_sight import LineOfSight
from darklens.lensing.picture_light import PictureLight
from darklens.lensing.profiles import EPL, ISOTHERMAL, SIE, Multipole, Sersic, Shear
from darklens.lensing.special_functions import FASTMATH
from darklens.lensing.substructure import Perturbers

__all__ = ["Scene", "render", "source_plane"]

Image = Float[np.ndarray, "h w"]
Rays = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Scene:
    """Everything that determines the noiseless image before the telescope.

    Args:
        lens: The smooth lens.
        shear: External shear.
        perturbers: Substructure.
        sources: Light of the source galaxy.
        lens_light: Light of the lens galaxy.
        multipoles: Departures of the smooth lens from an ellipse.
        line_of_sight: Further halos, in planes between observer and source, or None.
        pictures: Further light in the plane of the source: pictures of galaxies.
    """

    lens: SIE | EPL
    shear: Shear = field(default_factory=Shear)
    perturbers: Perturbers = field(default_factory=Perturbers)
    sources: tuple[Sersic, ...] = ()
    lens_light: tuple[Sersic, ...] = ()
    multipoles: tuple[Multipole, ...] = ()
    line_of_sight: LineOfSight | None = None
    pictures: tuple[PictureLight, ...] = ()


def render(scene: Scene, grid: PixelGrid, supersampling: int = 1) -> Image:
    """Render the scene without PSF and noise.

    Args:
        scene: Lens, perturbers and light.
        grid: The pixels.
        supersampling: Number of rays along each side of a pixel, which are averaged.

    Returns:
        Flux in each pixel: surface brightness times pixel area.
    """
    if scene.line_of_sight is not None or scene.pictures:
        return _render_rays(scene, grid, supersampling)
    image = np.zeros(grid.shape)
    _render(
        image,
        grid.pixel_scale,
        supersampling,
        *_lens_arrays(scene),
        _light_array(scene.sources, grid.pixel_area),
        _light_array(scene.lens_light, grid.pixel_area),
    )
    return image


def source_plane(scene: Scene, grid: PixelGrid) -> tuple[Image, Image]:
    """Source-plane positions x and y of the rays through the pixel centres [arcsec]."""
    x, y = (coordinate.ravel() for coordinate in grid.coordinates())
    x, y = _traced(scene, x, y)
    return x.reshape(grid.shape), y.reshape(grid.shape)


def _traced(scene: Scene, x: Rays, y: Rays) -> tuple[Rays, Rays]:
    """Source-plane positions of rays."""
    if scene.line_of_sight is not None:
        return scene.line_of_sight.trace(x, y, lambda u, v: _deflection(scene, u, v))
    x, y = x.copy(), y.copy()
    _trace(x, y, np.empty(x.size), np.empty(x.size), *_lens_arrays(scene))
    return x, y


def _deflection(scene: Scene, x: Rays, y: Rays) -> tuple[Rays, Rays]:
    """Deflection by everything in the plane of the lens."""
    ax, ay = np.empty(x.size), np.empty(x.size)
    _trace(x.copy(), y.copy(), ax, ay, *_lens_arrays(scene))
    return ax, ay


def _render_rays(scene: Scene, grid: PixelGrid, supersampling: int) -> Image:
    """The image of any scene, one ray of each pixel after another."""
    centre_x, centre_y = (coordinate.ravel() for coordinate in grid.coordinates())
    offsets = ((np.arange(supersampling) + 0.5) / supersampling - 0.5) * grid.pixel_scale
    sources = _light_array(scene.sources, grid.pixel_area)
    lens_light = _light_array(scene.lens_light, grid.pixel_area)
    weight = 1 / supersampling**2
    flux = np.zeros(centre_x.size)
    for down in offsets:
        for right in offsets:
            x, y = centre_x + right, centre_y + down
            _add_light(x, y, flux, lens_light, weight)
            x, y = _traced(scene, x, y)
            _add_light(x, y, flux, sources, weight)
            for picture in scene.pictures:
                picture.add(x, y, flux, weight * grid.pixel_area)
    return flux.reshape(grid.shape)


def _lens_arrays(scene: Scene) -> tuple[Any, ...]:
    """The masses of the scene as the kernel reads them."""
    lens, shear, perturbers = scene.lens, scene.shear, scene.perturbers
    smooth = (
        lens.einstein_radius,
        lens.axis_ratio,
        float(np.cos(lens.position_angle)),
        float(np.sin(lens.position_angle)),
        lens.x,
        lens.y,
        shear.gamma1,
        shear.gamma2,
        lens.slope,
    )
    multipoles = [multipole.kernel_arguments() for multipole in scene.multipoles]
    orders = np.array(multipoles, dtype=np.float64).reshape(-1, 7)
    tables = (orders, perturbers.points, perturbers.lines, perturbers.halos)
    return np.array(smooth), *(np.ascontiguousarray(table) for table in tables)


def _light_array(profiles: tuple[Sersic, ...], pixel_area: float) -> Float[np.ndarray, "n 9"]:
    """Light profiles as arrays for the kernel, with amplitudes per pixel."""
    table = np.array([p.kernel_arguments() for p in profiles], dtype=np.float64).reshape(-1, 9)
    table[:, 0] *= pixel_area
    return table


_kernel: Any = njit(fastmath=FASTMATH, error_model="numpy", nogil=True, cache=True)
_BLOCK = 512
"""Number of rays processed at a time: fits the L1 cache, and a multiple of the SIMD width."""


@_kernel
def _trace(x, y, ax, ay, smooth, multipoles, points, lines, halos):  # type: ignore[no-untyped-def]
    """Turn the image-plane coordinates `x`, `y` of some rays into source-plane ones, in place."""
    ax[:] = 0.0
    ay[:] = 0.0
    theta, q, cos, sin, x0, y0, gamma1, gamma2, slope = smooth
    if slope == ISOTHERMAL:
        add_sie(x, y, ax, ay, theta, q, cos, sin, x0, y0)
    else:
        add_epl(x, y, ax, ay, theta, slope, q, cos, sin, x0, y0)
    add_shear(x, y, ax, ay, gamma1, gamma2)
    for k in range(multipoles.shape[0]):
        order, amplitude, cos, sin, theta, x0, y0 = multipoles[k]
        add_multipole(x, y, ax, ay, int(order), amplitude, cos, sin, theta, x0, y0)
    add_point_masses(x, y, ax, ay, points)
    for k in range(lines.shape[0]):
        x0, y0, angle, half_length, theta, count = lines[k]
        cos, sin = np.cos(angle), np.sin(angle)
        if count == 0:
            add_line_mass(x, y, ax, ay, theta, half_length, cos, sin, x0, y0)
        else:
            add_line_of_points(x, y, ax, ay, theta, half_length, cos, sin, x0, y0, int(count))
    for k in range(halos.shape[0]):
        x0, y0, radius, truncation, theta = halos[k]
        add_tnfw(x, y, ax, ay, theta, radius, truncation, x0, y0)
    for j in range(x.size):
        x[j] -= ax[j]
        y[j] -= ay[j]


@_kernel
def _add_light(x, y, flux, light, weight):  # type: ignore[no-untyped-def]
    for k in range(light.shape[0]):
        amplitude, radius, inverse_index, q, cos, sin, x0, y0, b = light[k]
        add_sersic(x, y, flux, weight * amplitude, radius, inverse_index, q, cos, sin, x0, y0, b)


@_kernel
def _place(x, y, begin, rows, columns, down, right, scale):  # type: ignore[no-untyped-def]
    """Coordinates of the rays of one block; the last block extends below the image."""
    for j in range(x.size):
        ray = np.float64(begin + j)
        row = np.floor((ray + 0.5) * (1.0 / columns))
        x[j] = (ray - row * columns - 0.5 * (columns - 1) + right) * scale
        y[j] = (row - 0.5 * (rows - 1) + down) * scale


@_kernel
def _render(image, scale, n, smooth, multipoles, points, lines, halos, sources, lens_light):  # type: ignore[no-untyped-def]
    """Fill `image` (rows, columns) with the mean flux of n x n rays a pixel."""
    rows, columns = image.shape
    pixels = image.ravel()
    x, y, flux = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    ax, ay = np.empty(_BLOCK), np.empty(_BLOCK)
    weight = 1.0 / (n * n)
    for begin in range(0, pixels.size, _BLOCK):
        flux[:] = 0.0
        for a in range(n):
            for b in range(n):
                down, right = (a + 0.5) / n - 0.5, (b + 0.5) / n - 0.5
                _place(x, y, begin, rows, columns, down, right, scale)
                _add_light(x, y, flux, lens_light, weight)
                _trace(x, y, ax, ay, smooth, multipoles, points, lines, halos)
                _add_light(x, y, flux, sources, weight)
        for j in range(min(_BLOCK, pixels.size - begin)):
            pixels[begin + j] = flux[j]
