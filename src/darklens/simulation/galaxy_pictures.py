"""Pictures of real galaxies that a preset takes as sources: read, cleaned and measured.

A picture shows one galaxy in its middle, on dark sky. `r` is the elliptical radius that is one at
the middle of each edge; what lies at `r` above `1 - border` is the border of the picture.

1. The median of the border is the background, and is subtracted.
2. Noise is removed scale by scale: details of the starlet transform (Starck & Murtagh 2006,
   Astronomical Image and Data Analysis, ch. 2) below `denoise` standard deviations are set to zero.
   The deviation on each scale is that of the border, so that correlated noise counts as well.
3. What is not connected with the galaxy in the middle, above as many standard deviations in the
   slightly smoothed picture, is removed: noise of the sky, and neighbours.
4. The picture fades to zero over the border, and light below zero is set to zero.
5. Total, centre of light and the radius that holds half of the light are measured.

Without `denoise` steps 2 and 3 are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped
from scipy import ndimage

from darklens.errors import BadInput, BadPreset, UnreadableImage
from darklens.lensing.picture_light import PictureLight
from darklens.naming import visible

__all__ = ["GalaxyPicture", "galaxy_picture", "read_galaxies"]

_MOST_PIXELS = 2**25  # of all pictures together, as each process holds them
_SMALLEST_SIDE = 16
_SCALES, _TURNS = 3, 3  # of the starlet transform; turns return what the one before lost
_SMOOTHING = 1.0  # pixels, in which the galaxy is looked for
_FEATHER = 2  # pixels around the galaxy that are kept, and over which it fades
_DEVIATION = 1.4826  # of a normal distribution over its median absolute deviation
_STANDS_OUT = 5  # standard deviations of the border
_NOTHING = f"nothing in it is {_STANDS_OUT} standard deviations brighter than its border"
_MARGIN = 3  # pixels of zeros around a picture, in which its spline dies away
_FINER = 3  # rays along a pixel with which a picture is measured
_RINGS = 10  # in a pixel, with which its radius is measured


@dataclass(frozen=True, eq=False)
class GalaxyPicture:
    """A picture of a galaxy, ready to be put behind a lens.

    Attributes:
        name: Its file, relative to the folder that the preset names.
        spline: Coefficients of its cubic B-splines; the total is one.
        radius: Radius of the circle that holds half of the light [pixel].
        column: Centre of the light [pixel].
        row: The same along the other axis [pixel].
    """

    name: str
    spline: Float32[np.ndarray, "h w"]
    radius: float
    column: float
    row: float


def read_galaxies(
    path: Path, *, border: float, denoise: float, channel: int | None = None
) -> tuple[GalaxyPicture, ...]:
    """The galaxies in a file, a stack or a folder, in the order of their names.

    Args:
        path: An image or a stack in any format of `darklens.data`, or a folder of them.
        border: Width of the border over half a side.
        denoise: Standard deviations below which light is noise; 0 keeps all.
        channel: Which channel of a colour picture to take, from 0.

    Raises:
        BadPreset: If one of them cannot be read, or shows no galaxy; the message names it.
    """
    galaxies, pixels = [], 0
    for file in _files(path):
        shown = visible(file)
        image = _channel(_read(file, shown), channel, shown)
        pixels += image.size
        if pixels > _MOST_PIXELS:
            raise BadPreset(
                f"pictures: {visible(path)} holds more than {_MOST_PIXELS} pixels in all: cut out "
                "the galaxies, or take fewer"
            )
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        try:
            found = galaxy_picture(image.astype(np.float64), border=border, denoise=denoise)
        except BadPreset as error:
            raise BadPreset(f"pictures: {shown}: {error}") from None
        galaxies.append(replace(found, name=visible(name)))
    return tuple(galaxies)


def _files(path: Path) -> Iterator[Path]:
    """The images of a file or a folder, with stacks as their members."""
    from darklens.data.files import find_images  # most presets have no such files
    from darklens.data.stacks import expand_stacks

    try:
        yield from expand_stacks(find_images(path))
    except (BadInput, OSError, ValueError) as error:
        raise BadPreset(f"pictures: {error}") from None


def _read(file: Path, shown: str) -> Shaped[np.ndarray, "c h w"]:
    from darklens.data.readers import read_image

    try:
        return read_image(file)
    except (UnreadableImage, ValueError) as error:
        raise BadPreset(f"pictures: {shown} cannot be read: {error}") from None


def _channel(
    image: Shaped[np.ndarray, "c h w"], channel: int | None, shown: str
) -> Shaped[np.ndarray, "h w"]:
    """The channel of a picture."""
    count = len(image)
    if channel is None and count > 1:
        raise BadPreset(
            f"pictures: {shown} has {count} channels: choose one with channel: 0 to {count - 1}"
        )
    if channel is not None and channel >= count:
        raise BadPreset(f"pictures: {shown} has no channel {channel} but {count}, counted from 0")
    return np.asarray(image[channel or 0])


def galaxy_picture(
    pixels: Float[np.ndarray, "h w"], *, border: float = 0.25, denoise: float = 3.0
) -> GalaxyPicture:
    """Clean and measure the picture of a galaxy; without a name.

    Args:
        pixels: The picture, linear in flux.
        border: Width of the border over half a side.
        denoise: Standard deviations below which light is noise; 0 keeps all.

    Raises:
        BadPreset: If it is too small, or nothing stands out of its border.
    """
    if min(pixels.shape) < _SMALLEST_SIDE:
        raise BadPreset(f"a picture of a galaxy needs {_SMALLEST_SIDE} pixels a side")
    peak = np.abs(pixels).max()
    pixels = pixels / peak if peak > 0 else pixels
    radius = _elliptical_radius(pixels.shape)
    outer = radius > 1 - border
    pixels = pixels - np.median(pixels[outer])
    if pixels.max() <= _STANDS_OUT * _noise(pixels, outer):
        raise BadPreset(_NOTHING)
    if denoise > 0:
        galaxy = _galaxy(pixels, radius, outer, denoise)
        pixels = _denoised(pixels, outer, denoise) * galaxy
    edge = np.clip((1 - radius) / border, 0, 1)
    faded = np.maximum(pixels, 0) * np.sin(0.5 * np.pi * edge) ** 2
    if not faded.sum() > 0:
        raise BadPreset("it is dark but for its border: the galaxy must lie in its middle")
    spline = ndimage.spline_filter(np.pad(faded, _MARGIN), order=3)
    return _measured(spline)


def _elliptical_radius(shape: tuple[int, ...]) -> Float[np.ndarray, "h w"]:
    """Distance from the middle, one at the middle of each edge."""
    rows, columns = ((np.arange(side) + 0.5) / side * 2 - 1 for side in shape)
    return np.asarray(np.hypot(rows[:, None], columns[None, :]))


def _noise(pixels: Float[np.ndarray, "h w"], outer: Bool[np.ndarray, "h w"]) -> float:
    """Standard deviation of the border, from its median absolute deviation."""
    return float(_DEVIATION * np.median(np.abs(pixels[outer])))


def _galaxy(
    pixels: Float[np.ndarray, "h w"],
    radius: Float[np.ndarray, "h w"],
    outer: Bool[np.ndarray, "h w"],
    threshold: float,
) -> Float[np.ndarray, "h w"]:
    """Where the galaxy in the middle is: one inside, fading to zero around it."""
    smooth = ndimage.gaussian_filter(pixels, _SMOOTHING)
    bright = ndimage.binary_dilation(
        smooth > threshold * _noise(smooth, outer), iterations=_FEATHER
    )
    regions, count = ndimage.label(bright)
    if count == 0:
        raise BadPreset(_NOTHING)
    central = np.maximum(smooth, 0) * np.clip(1 - radius, 0, 1) ** 2
    light = ndimage.sum_labels(central, regions, np.arange(count + 1))
    chosen = regions == 1 + np.argmax(light[1:])
    chosen = ndimage.binary_dilation(chosen, iterations=_FEATHER)
    return np.asarray(ndimage.gaussian_filter(chosen.astype(np.float64), _FEATHER))


def _denoised(
    pixels: Float[np.ndarray, "h w"], outer: Bool[np.ndarray, "h w"], threshold: float
) -> Float[np.ndarray, "h w"]:
    """The picture without the details that are no larger than those of its border."""
    kept = np.zeros_like(pixels)
    for _ in range(_TURNS):
        smooth = pixels - kept
        for scale in range(_SCALES):
            kernel = np.zeros(4 * 2**scale + 1)
            kernel[:: 2**scale] = np.array([1, 4, 6, 4, 1]) / 16
            smoother = ndimage.convolve1d(smooth, kernel, axis=0, mode="reflect")
            smoother = ndimage.convolve1d(smoother, kernel, axis=1, mode="reflect")
            detail = smooth - smoother
            kept += np.where(np.abs(detail) > threshold * _noise(detail, outer), detail, 0)
            smooth = smoother
        kept += smooth
    return kept


def _measured(spline: Float[np.ndarray, "h w"]) -> GalaxyPicture:
    """A picture of total one, with its centre and its radius."""
    row, column = ((np.arange(_FINER * side) + 0.5) / _FINER - 0.5 for side in spline.shape)
    u, v = np.meshgrid(column, row)
    light = PictureLight(spline.astype(np.float32), 1.0, 1.0, 0.0, 0.0).brightness(u, v)
    total = light.sum()
    x, y = float((u * light).sum() / total), float((v * light).sum() / total)
    ring = (_RINGS * np.hypot(u - x, v - y)).astype(np.int64)
    inside = np.concatenate([[0.0], np.cumsum(np.bincount(ring.ravel(), light.ravel()))])
    radius = float(np.interp(0.5 * total, inside, np.arange(len(inside)) / _RINGS))
    normalised = (spline * (_FINER**2 / total)).astype(np.float32)
    return GalaxyPicture("", normalised, radius, x, y)
