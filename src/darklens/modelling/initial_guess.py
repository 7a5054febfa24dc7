r"""Initial guess for a telescope image: the light of the lens first, then the arcs.

The lens mostly outshines its arcs, so its Sersic profile is fitted first, alone, with weights that
fall where the image lies far from it (Cauchy's, :math:`1 / (1 + (r / c)^2)`). It may begin at an
arc: where fits from several places end apart, the next is tried if the first leads to no good fit
of all. Lenses drawn from the prior are moved to the place of that light and compared with the
image. For each the two amplitudes follow by linear least squares: with the light `l` projected out
of the arcs `s`,

.. math:: a = \frac{s_\perp \cdot d}{s_\perp \cdot s_\perp}, \qquad
          s_\perp = s - \frac{l \cdot s}{l \cdot l} \, l

The best of them, spread over the Einstein radius, are then optimised on binned pixels, first with
more noise on the arcs than there is; the worse half is dropped on the way.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from darklens.modelling.levenberg_marquardt import RoughNoise, Solution, optimise
from darklens.modelling.parameters import Parameter
from darklens.modelling.smooth_model import SmoothModel

__all__ = ["initial_guesses"]

Image = Float[np.ndarray, "h w"]
Parameters = Float[np.ndarray, " p"]

_DARK = -700.0  # logarithm of an amplitude that is nothing
_ROBUST_ROUNDS, _ROBUST_STEPS, _SCALE = 6, 10, 2.0
_PEAKS, _BLUR, _APART = 2, 1.0, 5  # maxima of the image, and their size and distance in blocks
_LIGHTS = 3  # fits of the lens light that go on, where they differ
_LIGHT_PLACE = [Parameter.LENS_LIGHT_X, Parameter.LENS_LIGHT_Y]
_BESIDE = 5  # blocks
_FADED = 5.0  # by which the logarithm of the amplitude may fall
_UNLIKE = 0.1  # share by which a galaxy may differ from a Sersic profile
_ROUNDS = ((16, 8), (8, 12), (4, 30))  # how many starts go on, and the steps of each
_GOOD = 2.0  # reduced chi-square at which no other lens light is tried
_ALIKE, _BINS = 4, 8.0  # starts of one Einstein radius; bins of it in a factor of e


def initial_guesses(model: SmoothModel, blocks: Image, background: float) -> list[Parameters]:
    """Starting points near the optimum, most promising first.

    Args:
        model: For blocks of pixels, with the noise of the blocks.
        blocks: Sums of the image over blocks of pixels.
        background: Their background.
    """
    likelihood = model.likelihood
    assert isinstance(likelihood, RoughNoise)  # as the fit makes it
    dark = np.median(model.draws, axis=0)
    dark[[Parameter.SOURCE_LOG_AMPLITUDE, Parameter.LENS_LIGHT_LOG_AMPLITUDE]] = _DARK
    if "background" in model.names:
        dark[Parameter.BACKGROUND] = background / model.blocks**2
    lights = [dark]
    if "lens_light_log_amplitude" in model.names:
        lights = _lens_lights(model, blocks, dark, background)
    ends: list[Solution] = []
    for light in lights:
        rough = _roughly(model, blocks, light)
        starts = _nearest(rough, blocks, light)
        for k, (kept, steps) in enumerate(_ROUNDS):
            seen = model if k else rough
            own = [optimise(seen, blocks, start, steps, tolerance=0.1) for start in starts[:kept]]
            own.sort(key=lambda end: end.chi_square)
            starts = [end.parameters for end in own]
        ends += own
        if own[0].chi_square < _GOOD * blocks.size:
            break
    return [end.parameters for end in sorted(ends, key=lambda end: end.chi_square)]


def _roughly(model: SmoothModel, blocks: Image, light: Parameters) -> SmoothModel:
    """The model with more noise on the arcs and beside them.

    With that of the image alone, a bright image of the source that is a pixel off is no better than
    one that is missing, and the fit ends wherever a few pixels match.
    """
    likelihood = model.likelihood
    assert isinstance(likelihood, RoughNoise)
    alone = likelihood.scale(model.exposure(light)) * model.image(light)
    arcs = ndimage.maximum_filter(np.maximum(blocks - alone, 0), _BESIDE)
    variance = likelihood.variance + (_UNLIKE * arcs) ** 2
    return replace(model, likelihood=replace(likelihood, variance=variance))


def _lens_lights(
    model: SmoothModel, blocks: Image, dark: Parameters, background: float
) -> list[Parameters]:
    """The parameters with the lens light fitted, robust against the arcs.

    An arc may be brighter than the lens: the fit starts at each of a few places. Where the ends
    differ, they are all kept, the one that leaves least first.
    """
    likelihood = model.likelihood
    assert isinstance(likelihood, RoughNoise)
    signal = blocks - background
    floor = likelihood.variance + (_UNLIKE * np.maximum(signal, 0)) ** 2
    ends = [
        _light_around(model, blocks, _light_of_moments(model, signal, dark, place), background)
        for place in _places(model, signal)
    ]
    left = [np.log1p((blocks - end.moments.mean) ** 2 / (_SCALE**2 * floor)).sum() for end in ends]
    chosen: list[Parameters] = []
    for k in np.argsort(left):
        p = ends[int(k)].parameters
        apart = [np.hypot(*(p - other)[_LIGHT_PLACE]) for other in chosen]
        if min(apart, default=np.inf) > _APART * model.grid.pixel_scale:
            chosen.append(p)
    return chosen[:_LIGHTS]


def _light_around(
    model: SmoothModel, blocks: Image, start: Parameters, background: float
) -> Solution:
    """The profile of the lens light from one start, what it does not explain weighted down."""
    likelihood = model.likelihood
    assert isinstance(likelihood, RoughNoise)
    lower, upper = model.lower.copy(), model.upper.copy()
    lower[Parameter.SOURCE_LOG_AMPLITUDE] = upper[Parameter.SOURCE_LOG_AMPLITUDE] = _DARK
    amplitude = Parameter.LENS_LIGHT_LOG_AMPLITUDE
    lower[amplitude] = max(lower[amplitude], start[amplitude] - _FADED)
    light = (*range(Parameter.LENS_LIGHT_X, amplitude + 1), Parameter.BACKGROUND)
    free = tuple(k for k in model.free if k in light)
    alone = replace(model, free=free, lower=lower, upper=upper)
    variance = likelihood.variance
    for _ in range(_ROBUST_ROUNDS):
        noise = replace(likelihood, variance=variance)
        end = optimise(
            replace(alone, likelihood=noise), blocks, start, _ROBUST_STEPS, tolerance=0.1
        )
        start = end.parameters
        floor = likelihood.variance + (_UNLIKE * (end.moments.mean - background)) ** 2
        variance = floor * (1 + (blocks - end.moments.mean) ** 2 / (_SCALE**2 * floor))
    return end


def _places(model: SmoothModel, signal: Image) -> list[tuple[int, int]]:
    """Where the lens may be: the brightest maxima in the middle, the centre, that of the light."""
    x, y = model.grid.coordinates()
    distance = np.hypot(x, y)
    smooth = ndimage.gaussian_filter(signal, _BLUR)
    peaks = smooth == ndimage.maximum_filter(smooth, _APART)
    peaks &= distance < 0.25 * max(np.ptp(x), np.ptp(y))
    places = np.flatnonzero(peaks)
    brightest = places[np.argsort(-smooth.ravel()[places])[:_PEAKS]]
    light = np.maximum(smooth, 0) / max(float(np.maximum(smooth, 0).sum()), 1e-300)
    middle = int(np.argmin(np.hypot(x - (light * x).sum(), y - (light * y).sum())))
    chosen = np.unique([*brightest, int(np.argmin(distance)), middle])
    return [(int(k) // signal.shape[1], int(k) % signal.shape[1]) for k in chosen]


def _light_of_moments(
    model: SmoothModel, signal: Image, dark: Parameters, place: tuple[int, int]
) -> Parameters:
    """A round profile at a place of the image, its radius enclosing half of the light."""
    likelihood = model.likelihood
    parameters = dark.copy()
    x, y = model.grid.coordinates()
    x0, y0 = float(x[place]), float(y[place])
    distance = np.hypot(x - x0, y - y0)
    order = np.argsort(distance, axis=None)
    growth = np.cumsum(np.maximum(signal.ravel()[order], 0))
    half = int(np.searchsorted(growth, 0.5 * growth[-1]))
    radius = max(float(distance.ravel()[order[half]]), model.grid.pixel_scale)
    parameters[[Parameter.LENS_LIGHT_X, Parameter.LENS_LIGHT_Y]] = x0, y0
    parameters[[Parameter.LENS_LIGHT_E1, Parameter.LENS_LIGHT_E2]] = 0.0
    parameters[Parameter.LENS_LIGHT_LOG_RADIUS] = np.log(radius)
    parameters[Parameter.LENS_LIGHT_LOG_AMPLITUDE] = 0.0
    mean = likelihood.scale(model.exposure(parameters)) * model.image(parameters)
    within = distance < 2 * radius
    flux = float(np.maximum(signal[within], 0).sum()) / float(mean[within].sum())
    parameters[Parameter.LENS_LIGHT_LOG_AMPLITUDE] = np.log(max(flux, 1e-300))
    return model.inside(parameters)


def _nearest(model: SmoothModel, blocks: Image, dark: Parameters) -> list[Parameters]:
    """Prior draws centred on the lens light, best match to the image first."""
    likelihood = model.likelihood
    assert isinstance(likelihood, RoughNoise)
    light = model.image(dark) - model.blocks**2 * dark[Parameter.BACKGROUND]
    light *= likelihood.scale(model.exposure(dark))
    floor = blocks.size * likelihood.background
    wanted = blocks - model.blocks**2 * dark[Parameter.BACKGROUND] - floor / blocks.size
    weight = 1 / np.sqrt(likelihood.variance + (_UNLIKE * light) ** 2)
    light, wanted = (light * weight).ravel(), (wanted * weight).ravel()
    unit = light / max(float(np.linalg.norm(light)), 1e-300)
    wanted = wanted - unit * (unit @ wanted)
    arcs = replace(model, lens_light=False, instrument=replace(model.instrument, supersampling=1))
    moved = _around(model, dark)
    gains = np.empty(len(moved))
    amplitudes = np.empty(len(moved))
    for k, parameters in enumerate(moved):
        scale = likelihood.scale(model.exposure(parameters))
        arc = (
            scale * (arcs.image(parameters) - model.blocks**2 * parameters[Parameter.BACKGROUND])
        ) * weight
        flat = arc.ravel() - unit * (unit @ arc.ravel())
        power = float(flat @ flat)
        amplitudes[k] = max(float(flat @ wanted), 0.0) / max(power, 1e-300)
        gains[k] = amplitudes[k] ** 2 * power
    starts, taken = [], dict[int, int]()
    for k in np.argsort(-gains):
        place = int(_BINS * np.log(moved[k, 0]))
        taken[place] = taken.get(place, 0) + 1
        if taken[place] <= _ALIKE and amplitudes[k] > 0:
            start = moved[k].copy()
            start[Parameter.SOURCE_LOG_AMPLITUDE] += np.log(amplitudes[k])
            starts.append(model.inside(start))
        if len(starts) == _ROUNDS[0][0]:
            break
    return starts or [model.inside(moved[0])]


def _around(model: SmoothModel, dark: Parameters) -> Float[np.ndarray, "d p"]:
    """The prior draws, with the fitted lens light and moved to its centre."""
    moved = model.draws.copy()
    moved[:, Parameter.LENS_LIGHT_X :] = dark[Parameter.LENS_LIGHT_X :]
    if "lens_light_log_amplitude" in model.names and "lens_x" in model.names:
        shift = (
            dark[Parameter.LENS_LIGHT_X : Parameter.LENS_LIGHT_X + 2]
            - moved[:, Parameter.LENS_X : Parameter.LENS_X + 2]
        )
        moved[:, Parameter.LENS_X : Parameter.LENS_X + 2] += shift
        moved[:, Parameter.SOURCE_X : Parameter.SOURCE_X + 2] += shift
    return moved
