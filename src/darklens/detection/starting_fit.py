"""The parametric fit of one band, from which the flexible fit of the lens begins.

The first band is fitted as `darklens fit` does, isothermal. In a further band the mass is that of
the first: only its source, lens light and background are fitted.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from darklens.cutouts import central_cutout
from darklens.detection.bands import Band, Target
from darklens.detection.flexible_lens import FlexibleLens
from darklens.detection.light_modes import light_modes
from darklens.detection.source_modes import source_modes
from darklens.lensing.grid import PixelGrid
from darklens.lensing.profiles import sersic_b
from darklens.modelling.adaptation import adapt_preset
from darklens.modelling.deflections import Deflection
from darklens.modelling.derivatives import LightRow, power_law_rays, sersic_rays
from darklens.modelling.fit import SmoothFit, SmoothFitter
from darklens.modelling.likelihood import GaussianLikelihood
from darklens.modelling.model_from_preset import smooth_model
from darklens.modelling.parameters import LightParameter, Parameter
from darklens.modelling.posterior import with_free_slope
from darklens.modelling.smooth_model import SmoothModel
from darklens.observations.observation import Observation
from darklens.simulation.presets import load_preset

__all__ = ["band_of", "starting_fit"]

Image = Float[np.ndarray, "h w"]
Parameters = Float[np.ndarray, " p"]

_DRAWS = 2000  # of the prior, from which the fit starts
_RESOLUTION = 0.8  # half a wave, in pixels of the source plane at a magnification of 4
_FIELD = (2.0, 1.0)  # half side of what is kept: Einstein radii, and arcsec
_SEEN, _MARGIN = 1.0, 1.2  # noise of a pixel from which light is seen; around it
_MOST_RAYS = 4  # a side of a pixel; even, as candidates lie on the centres of pixels
_DARK = -50.0  # logarithm of a brightness
_UNSEEN = 1.0  # squared change of the image in units of the noise
_MASS = slice(Parameter.EINSTEIN_RADIUS, Parameter.SOURCE_X)
_SHAPE = slice(Parameter.SOURCE_X, Parameter.SOURCE_X + LightParameter.LOG_AMPLITUDE)


def starting_fit(
    seen: Observation,
    *,
    lens_light: bool,
    first: Parameters | None = None,
    offset: tuple[float, float] = (0.0, 0.0),
) -> SmoothFit:
    """The parametric lens of one band.

    Args:
        seen: The image with its noise; the PSF is that of the preset `galaxy` if unknown.
        lens_light: Whether the lens galaxy is visible.
        first: Parameter vector of the first band, whose mass is kept; None for the first itself.
        offset: Centre of this image from that of the first band [arcsec].

    Raises:
        BadInput: If the image cannot be fitted.
    """
    model = _model_for(seen, lens_light)
    own = SmoothFitter(model).fit(seen.image)
    if first is None:
        return own
    kept = first.copy()
    for k in (Parameter.LENS_X, Parameter.SOURCE_X):
        kept[[k, k + 1]] -= offset
    starts = [own.parameters.copy() for _ in range(2)]
    for start in starts:
        start[_MASS] = kept[_MASS]
    starts[1][_SHAPE] = kept[_SHAPE]
    free = tuple(k for k in model.free if k >= Parameter.SOURCE_X)
    fitter = SmoothFitter(replace(model, free=free))
    ends = [fitter.fit(seen.image, start) for start in starts]
    return min(ends, key=lambda end: end.chi_square)


def band_of(
    seen: Observation,
    start: SmoothFit,
    *,
    lens_light: bool,
    offset: tuple[float, float] = (0.0, 0.0),
    satellites: Float[np.ndarray, " v"],
) -> Band:
    """The band with all of its freedom; only the part around the lens and its arcs is kept.

    Args:
        seen: The image with its noise.
        start: The parametric fit to it.
        lens_light: Whether the lens galaxy is visible.
        offset: Centre of this image from that of the first band [arcsec].
        satellites: Start of the satellites, as in `LensState`, in the coordinates of this band.
    """
    noise, pixel_scale = seen.noise_and_scale()
    model = _with_rays(_model_for(seen, lens_light), start.parameters, noise)
    rows, columns = _sides(start, model.grid)
    data, noise = (central_cutout(image, rows, columns) for image in (seen.image, noise))
    model = with_free_slope(
        replace(
            model, grid=PixelGrid(data.shape, pixel_scale), likelihood=GaussianLikelihood(noise)
        )
    )
    place = start.parameters[[Parameter.LENS_LIGHT_X, Parameter.LENS_LIGHT_Y]]
    light = light_modes(model.grid, *map(float, place))
    source = source_modes(
        start.parameters,
        resolution=_RESOLUTION * pixel_scale,
        extent=_seen_extent(model, start.parameters, noise),
    )
    lens = FlexibleLens(model, source, light if lens_light else light[:0], satellites=satellites)
    weight = np.where(np.isfinite(noise), 1 / noise, 0.0)
    target = Target(np.where(weight > 0, np.nan_to_num(data), 0.0), weight)
    return Band(lens, target, offset, seen.band or seen.name)


@lru_cache(maxsize=4)
def _general_model(lens_light: bool) -> SmoothModel:
    """The model of the preset `galaxy`; its pixels, noise and PSF are filled in for each image."""
    preset = adapt_preset(load_preset("galaxy"), lens_light=None if lens_light else False)
    return smooth_model(preset, GaussianLikelihood(np.ones(preset.grid.shape)), draws=_DRAWS)


def _model_for(seen: Observation, lens_light: bool) -> SmoothModel:
    """The isothermal model of an image."""
    noise, pixel_scale = seen.noise_and_scale()
    model = _general_model(lens_light)
    instrument = model.instrument if seen.psf is None else replace(model.instrument, psf=seen.psf)
    grid = PixelGrid(noise.shape, pixel_scale)
    likelihood = GaussianLikelihood(noise)
    return _anywhere(replace(model, grid=grid, instrument=instrument, likelihood=likelihood))


def _with_rays(model: SmoothModel, p: Parameters, noise: Image) -> SmoothModel:
    """The model with so many rays that more of them change the arcs by less than can be seen.

    The bright centre of a source between too few rays looks like a subhalo.

    Args:
        model: The model.
        p: Parameter vector.
        noise: Noise of each pixel.
    """
    arcs = p.copy()
    arcs[Parameter.LENS_LIGHT_LOG_AMPLITUDE] = _DARK

    def with_rays(rays: int) -> SmoothModel:
        return replace(model, instrument=replace(model.instrument, supersampling=rays))

    rays = model.instrument.supersampling
    while rays < _MOST_RAYS:
        change = with_rays(2 * rays).image(arcs) - with_rays(rays).image(arcs)
        if float(np.nansum(np.square(change / noise))) < _UNSEEN:
            break
        rays += 2
    return with_rays(rays)


def _anywhere(model: SmoothModel) -> SmoothModel:
    """The model with a lens and a source that may lie off the centre of the image."""
    lower, upper = model.lower.copy(), model.upper.copy()
    half = 0.5 * model.grid.pixel_scale * np.array(model.grid.shape[::-1])
    for first, share in (
        (Parameter.LENS_X, 0.5),
        (Parameter.LENS_LIGHT_X, 0.5),
        (Parameter.SOURCE_X, 0.8),
    ):
        for k, side in zip((first, first + 1), half, strict=True):
            lower[k], upper[k] = min(lower[k], -share * side), max(upper[k], share * side)
    return replace(model, lower=lower, upper=upper)


def _seen_extent(model: SmoothModel, p: Parameters, noise: Image) -> float:
    """Half the side of the box in the source plane that holds what is seen of the source [arcsec].

    Args:
        model: The model.
        p: Parameter vector.
        noise: Noise of each pixel.
    """
    x, y = (side.ravel() for side in model.grid.coordinates())
    alpha = power_law_rays(x, y, p)[Deflection.LENS]
    g1, g2 = p[Parameter.GAMMA1], p[Parameter.GAMMA2]
    x, y = x - alpha[0] - g1 * x - g2 * y, y - alpha[1] - g2 * x + g1 * y
    b = sersic_b(float(p[Parameter.SOURCE_SERSIC_INDEX]))
    light = sersic_rays(x, y, p, Parameter.SOURCE_X, b, 0.0)[LightRow.BRIGHTNESS]
    seen = light * model.grid.pixel_area > _SEEN * noise.ravel()
    if not seen.any():
        return np.inf
    sides = x[seen] - p[Parameter.SOURCE_X], y[seen] - p[Parameter.SOURCE_Y]
    return _MARGIN * float(np.abs(sides).max())


def _sides(start: SmoothFit, grid: PixelGrid) -> tuple[int, int]:
    """Rows and columns around the lens and its arcs, of the parity of those of the image."""
    p = start.parameters
    offset = max(abs(p[Parameter.LENS_X]), abs(p[Parameter.LENS_Y]))
    half = offset + _FIELD[0] * p[Parameter.EINSTEIN_RADIUS] + _FIELD[1]
    wanted = 2 * int(np.ceil(half / grid.pixel_scale))
    rows, columns = (min(wanted + side % 2, side) for side in grid.shape)
    return rows, columns
