r"""Initial guess for a telescope image: the light of the lens first, then the arcs.

The lens outshines its arcs, so its Sersic profile is fitted first, alone, with weights that fall
where the image lies far from it (Cauchy's, :math:`1 / (1 + (r / c)^2)`). Then lenses drawn from the
prior are moved to the place of that light and compared with the image. For each the two amplitudes
follow by linear least squares: with the light `l` projected out of the arcs `s`,

.. math:: a = \frac{s_\perp \cdot d}{s_\perp \cdot s_\perp}, \qquad
          s_\perp = s - \frac{l \cdot s}{l \cdot l} \, l

The best of them, spread over the Einstein radius, are then optimised on binned pixels; the worse
half is dropped on the way.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from darklens.modelling.levenberg_marquardt import RoughNoise, optimise
from darklens.modelling.parameters import Parameter
from darklens.modelling.smooth_model import SmoothModel

__all__ = ["initial_guesses"]

Image = Float[np.ndarray, "h w"]
Parameters = Float[np.ndarray, " p"]

_DARK = -700.0  # logarithm of an amplitude that is nothing
_ROBUST_ROUNDS, _ROBUST_STEPS, _SCALE = 6, 10, 2.0
_UNLIKE = 0.1  # share by which a galaxy may differ from a Sersic profile
_ROUNDS = ((16, 8), (8, 12), (4, 30))  # how many starts go on, and the steps of each
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
    if "lens_light_log_amplitude" in model.names:
        dark = _lens_light(model, blocks, dark, background)
    starts = _nearest(model, blocks, dark)
    for kept, steps in _ROUNDS:
        ends = [optimise(model, blocks, start, steps, tolerance=0.1) for start in starts[:kept]]
        starts = [end.parameters for end in sorted(ends, key=lambda end: end.chi_square)]
    return starts


def _lens_light(
    model: SmoothModel, blocks: Image, dark: Parameters, background: float
) -> Parameters:
    """The parameters with the lens light fitted, robust against the arcs."""
    likelihood = model.likelihood
    assert isinstance(likelihood, RoughNoise)
    lower, upper = model.lower.copy(), model.upper.copy()
    lower[Parameter.SOURCE_LOG_AMPLITUDE] = upper[Parameter.SOURCE_LOG_AMPLITUDE] = _DARK
    light = (
        *range(Parameter.LENS_LIGHT_X, Parameter.LENS_LIGHT_LOG_AMPLITUDE + 1),
        Parameter.BACKGROUND,
    )
    free = tuple(k for k in model.free if k in light)
    alone = replace(model, free=free, lower=lower, upper=upper)
    parameters = _light_of_moments(model, blocks - background, dark)
    variance = likelihood.variance
    for _ in range(_ROBUST_ROUNDS):
        noise = replace(likelihood, variance=variance)
        end = optimise(
            replace(alone, likelihood=noise), blocks, parameters, _ROBUST_STEPS, tolerance=0.1
        )
        parameters = end.parameters
        floor = likelihood.variance + (_UNLIKE * (end.moments.mean - background)) ** 2
        variance = floor * (1 + (blocks - end.moments.mean) ** 2 / (_SCALE**2 * floor))
    return parameters


def _light_of_moments(model: SmoothModel, signal: Image, dark: Parameters) -> Parameters:
    """A round profile at the brightest pixel, its radius enclosing half of the light."""
    likelihood = model.likelihood
    parameters = dark.copy()
    x, y = model.grid.coordinates()
    near = np.hypot(x, y) < 0.25 * max(np.ptp(x), np.ptp(y))
    peak = np.unravel_index(int(np.where(near, signal, -np.inf).argmax()), signal.shape)
    x0, y0 = float(x[peak]), float(y[peak])
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
