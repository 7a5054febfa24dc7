r"""The parametrisation of a smooth lens: the order, names and units of its parameters.

A parameter vector is a float64 array in the order of `Parameter`. Compiled code and Python code
index it by name, `p[Parameter.LENS_E1]`. Ellipticities are Cartesian,
:math:`e = \frac{1 - q}{1 + q} e^{2 i \phi}` for the axis ratio `q` and position angle
:math:`\phi`, so that round profiles are regular; radii, amplitudes and the exposure time are
logarithmic, so that they stay positive.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float

from darklens.lensing.profiles import Sersic
from darklens.lensing.render import Scene

__all__ = [
    "FLAT",
    "PARAMETERS",
    "GaussianPrior",
    "LightParameter",
    "Parameter",
    "inside_bounds",
    "prior_bounds",
    "scene_parameters",
]

Parameters = Float[np.ndarray, " p"]

_LARGEST_ELLIPTICITY = 0.85
_NO_LIGHT = 1e-300


class LightParameter(IntEnum):
    """Position of each Sersic parameter behind the first one of its profile.

    `X`, `Y` [arcsec], ellipticity `E1`, `E2`, `LOG_RADIUS` [ln arcsec], `SERSIC_INDEX`,
    `LOG_AMPLITUDE` [ln(flux / arcsec^2)].
    """

    X = 0
    Y = 1
    E1 = 2
    E2 = 3
    LOG_RADIUS = 4
    SERSIC_INDEX = 5
    LOG_AMPLITUDE = 6


class Parameter(IntEnum):
    """Position of each parameter in a parameter vector.

    The slope is that of the density, 2 where the lens is isothermal. Lengths are in arcsec, the
    background in flux per pixel, the exposure in ln s, the angle of the line in rad. The
    strength of the line of mass is the square of the Einstein radius of its total mass [arcsec^2];
    0 means no line.
    """

    EINSTEIN_RADIUS = 0
    LENS_E1 = 1
    LENS_E2 = 2
    LENS_X = 3
    LENS_Y = 4
    LENS_SLOPE = 5
    GAMMA1 = 6
    GAMMA2 = 7
    SOURCE_X = 8
    SOURCE_Y = 9
    SOURCE_E1 = 10
    SOURCE_E2 = 11
    SOURCE_LOG_RADIUS = 12
    SOURCE_SERSIC_INDEX = 13
    SOURCE_LOG_AMPLITUDE = 14
    LENS_LIGHT_X = 15
    LENS_LIGHT_Y = 16
    LENS_LIGHT_E1 = 17
    LENS_LIGHT_E2 = 18
    LENS_LIGHT_LOG_RADIUS = 19
    LENS_LIGHT_SERSIC_INDEX = 20
    LENS_LIGHT_LOG_AMPLITUDE = 21
    BACKGROUND = 22
    LOG_EXPOSURE = 23
    LINE_X = 24
    LINE_Y = 25
    LINE_ANGLE = 26
    LINE_LOG_HALF_LENGTH = 27
    LINE_STRENGTH = 28


PARAMETERS: tuple[str, ...] = tuple(parameter.name.lower() for parameter in Parameter)
"""Names of the parameters, in order."""


@dataclass(frozen=True)
class GaussianPrior:
    """Independent Gaussian priors of the parameters.

    Args:
        mean: Mean of each parameter.
        precision: Reciprocal of its variance; 0 where the prior is flat.
    """

    mean: Parameters
    precision: Parameters

    def pull(self, parameters: Parameters) -> Parameters:
        """Gradient of the logarithm of the prior."""
        return np.asarray(self.precision * (self.mean - parameters))

    def chi_square(self, parameters: Parameters) -> float:
        """Squared distance from the mean, in standard deviations."""
        return float(self.precision @ np.square(parameters - self.mean))


FLAT = GaussianPrior(np.zeros(len(Parameter)), np.zeros(len(Parameter)))
"""No prior on any parameter."""


def scene_parameters(scene: Scene, exposure: float = 1.0, *, line: bool = False) -> Parameters:
    """Parameter vector of a scene.

    Args:
        scene: The scene; its substructure is left out.
        exposure: Exposure time [s].
        line: Whether to keep the first line of mass of the scene, if it has one.
    """
    lens, shear = scene.lens, scene.shear
    p = np.zeros(len(Parameter))
    p[Parameter.EINSTEIN_RADIUS] = lens.einstein_radius
    p[[Parameter.LENS_E1, Parameter.LENS_E2]] = _ellipticity(lens.axis_ratio, lens.position_angle)
    p[[Parameter.LENS_X, Parameter.LENS_Y]] = lens.x, lens.y
    p[Parameter.LENS_SLOPE] = lens.slope
    p[[Parameter.GAMMA1, Parameter.GAMMA2]] = shear.gamma1, shear.gamma2
    light = scene.lens_light[0] if scene.lens_light else Sersic(_NO_LIGHT, 1.0)
    _set_light(p, Parameter.SOURCE_X, scene.sources[0])
    _set_light(p, Parameter.LENS_LIGHT_X, light)
    p[Parameter.LOG_EXPOSURE] = np.log(exposure)
    if line and len(scene.perturbers.lines):
        x, y, angle, half_length, theta, _ = scene.perturbers.lines[0]
        p[[Parameter.LINE_X, Parameter.LINE_Y, Parameter.LINE_ANGLE]] = x, y, angle
        p[Parameter.LINE_LOG_HALF_LENGTH] = np.log(half_length)
        p[Parameter.LINE_STRENGTH] = theta**2
    return p


def prior_bounds(
    draws: Float[np.ndarray, "d p"], *, any_amplitude: bool
) -> tuple[Parameters, Parameters]:
    """Lower and upper bounds: half the range of the prior draws beyond their extremes.

    Args:
        draws: Parameter vectors drawn from the prior.
        any_amplitude: Whether amplitudes are unbounded, because the units of the image are unknown.
    """
    low, high = draws.min(axis=0), draws.max(axis=0)
    margin = 0.5 * (high - low)
    lower, upper = low - margin, high + margin
    unbounded = [Parameter.BACKGROUND, Parameter.LINE_ANGLE]
    if any_amplitude:
        unbounded += [Parameter.SOURCE_LOG_AMPLITUDE, Parameter.LENS_LIGHT_LOG_AMPLITUDE]
    lower[unbounded], upper[unbounded] = -np.inf, np.inf
    for k in (Parameter.EINSTEIN_RADIUS, Parameter.LINE_STRENGTH):
        lower[k] = max(lower[k], 0.05 * low[k])
    for k in (Parameter.SOURCE_SERSIC_INDEX, Parameter.LENS_LIGHT_SERSIC_INDEX):
        lower[k] = max(lower[k], 0.6 * low[k])
    return lower, upper


def inside_bounds(p: Parameters, lower: Parameters, upper: Parameters) -> Parameters:
    """The parameters clipped to their bounds, ellipticities to a modulus of 0.85."""
    moved: Parameters = np.clip(p, lower, upper)
    for k in (Parameter.LENS_E1, Parameter.SOURCE_E1, Parameter.LENS_LIGHT_E1):
        size = np.hypot(moved[k], moved[k + 1])
        if size > _LARGEST_ELLIPTICITY:
            moved[k : k + 2] *= _LARGEST_ELLIPTICITY / size
    return moved


def _set_light(p: Parameters, first: int, light: Sersic) -> None:
    """Write a Sersic profile whose parameters begin at `first`."""
    p[first + LightParameter.X], p[first + LightParameter.Y] = light.x, light.y
    e1, e2 = _ellipticity(light.axis_ratio, light.position_angle)
    p[first + LightParameter.E1], p[first + LightParameter.E2] = e1, e2
    p[first + LightParameter.LOG_RADIUS] = np.log(light.radius)
    p[first + LightParameter.SERSIC_INDEX] = light.sersic_index
    p[first + LightParameter.LOG_AMPLITUDE] = np.log(light.amplitude)


def _ellipticity(axis_ratio: float, angle: float) -> tuple[float, float]:
    size = (1 - axis_ratio) / (1 + axis_ratio)
    return float(size * np.cos(2 * angle)), float(size * np.sin(2 * angle))
