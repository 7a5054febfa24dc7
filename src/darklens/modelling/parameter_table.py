r"""Fitted parameters as a table, with the names and units of the simulator.

In the fit, shear and ellipticities are Cartesian and scales logarithmic. Here they become a modulus
and an angle, with first-order errors :math:`\sigma^2 = g^T C g` for the gradient `g`. Angles are
degrees from -90 to 90. Where a size is no larger than its error its direction is not known, and the
error of an angle is at most that of a uniform one, :math:`180 / \sqrt{12}` degrees.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from darklens.lensing.profiles import SIE, Sersic, Shear
from darklens.lensing.render import Scene
from darklens.lensing.substructure import Perturbers
from darklens.modelling.fit import SmoothFit
from darklens.modelling.parameters import PARAMETERS

__all__ = [
    "Estimate",
    "conventional_parameters",
    "fit_estimates",
    "fitted_scene",
    "named_estimates",
]

Parameters = Float[np.ndarray, " p"]

_UNKNOWN_ANGLE = 180 / np.sqrt(12)
_PAIRS = {
    ("gamma1", "gamma2"): ("shear", "shear_angle"),
    ("lens_e1", "lens_e2"): ("lens_axis_ratio", "lens_position_angle"),
    ("source_e1", "source_e2"): ("source_axis_ratio", "source_position_angle"),
    ("lens_light_e1", "lens_light_e2"): ("lens_light_axis_ratio", "lens_light_position_angle"),
}
_LOGARITHMS = {
    "source_log_radius": "source_radius",
    "source_log_amplitude": "source_amplitude",
    "lens_light_log_radius": "lens_light_radius",
    "lens_light_log_amplitude": "lens_light_amplitude",
    "log_exposure": "exposure",
    "line_log_half_length": "line_half_length",
}


class Estimate(NamedTuple):
    """A value and its standard error."""

    value: float
    error: float


def fit_estimates(fit: SmoothFit) -> dict[str, Estimate]:
    """The free parameters of a fit by name, each followed by its conventional form.

    Sizes and directions come after the second of their two components: `gamma1`, `gamma2`,
    `shear`, `shear_angle`.
    """
    return named_estimates(fit.names, fit.parameters, fit.covariance)


def named_estimates(
    names: Sequence[str], parameters: Parameters, covariance: Float[np.ndarray, "k k"]
) -> dict[str, Estimate]:
    """The same for some parameters with their covariance.

    Args:
        names: Names of the free parameters.
        parameters: Parameter vector, in the order of `PARAMETERS`.
        covariance: Covariance of the free parameters.
    """
    values = {name: float(parameters[PARAMETERS.index(name)]) for name in names}
    errors = dict(zip(names, map(float, np.sqrt(np.diag(covariance))), strict=True))
    estimates = {}
    for name in names:
        estimates[name] = Estimate(values[name], errors[name])
        for pair, words in _PAIRS.items():
            if name == pair[1] and pair[0] in values:
                places = [names.index(one) for one in pair]
                both = covariance[np.ix_(places, places)]
                found = _size_and_angle(pair, [values[one] for one in pair], both)
                estimates |= dict(zip(words, found, strict=True))
        if name in _LOGARITHMS:
            value = float(np.exp(values[name]))
            estimates[_LOGARITHMS[name]] = Estimate(value, value * errors[name])
        if name == "line_angle":
            angle = _half_turn(float(np.rad2deg(values[name])))
            error = min(float(np.rad2deg(errors[name])), _UNKNOWN_ANGLE)
            estimates["line_position_angle"] = Estimate(angle, error)
    return estimates


def conventional_parameters(
    names: Sequence[str], samples: Float[np.ndarray, "n k"]
) -> dict[str, Float[np.ndarray, " n"]]:
    """Samples of the parameters of a fit by name, with the names and units of `fit_estimates`.

    Args:
        names: Names of the parameters of the fit.
        samples: One row a sample.
    """
    columns = dict(zip(names, samples.T, strict=True))
    made = {}
    for name, values in columns.items():
        made[name] = values
        for (first, second), (size, angle) in _PAIRS.items():
            if name == second and first in columns:
                modulus = np.hypot(columns[first], values)
                made[size] = modulus if first == "gamma1" else (1 - modulus) / (1 + modulus)
                made[angle] = np.rad2deg(0.5 * np.arctan2(values, columns[first]))
        if name in _LOGARITHMS:
            made[_LOGARITHMS[name]] = np.exp(values)
    return made


def _size_and_angle(
    pair: tuple[str, str], values: Sequence[float], covariance: Float[np.ndarray, "2 2"]
) -> tuple[Estimate, Estimate]:
    """Shear or axis ratio, and the direction, from two components."""
    a, b = values
    size, twice = max(float(np.hypot(a, b)), 1e-12), np.arctan2(b, a)
    along = np.array([np.cos(twice), np.sin(twice)])
    across = np.array([-along[1], along[0]])
    error = float(np.sqrt(along @ covariance @ along))
    turn = float(np.rad2deg(0.5 * np.sqrt(across @ covariance @ across) / size))
    angle = Estimate(float(np.rad2deg(0.5 * twice)), min(turn, _UNKNOWN_ANGLE))
    if pair[0] == "gamma1":
        return Estimate(size, error), angle
    return Estimate((1 - size) / (1 + size), 2 * error / (1 + size) ** 2), angle


def _half_turn(degrees: float) -> float:
    """The same direction between -90 and 90 degrees."""
    return (degrees + 90) % 180 - 90


def fitted_scene(parameters: Parameters) -> Scene:
    """The scene described by a parameter vector.

    Its Sersic constants are exact, whatever formula the preset uses.
    """
    named = dict(zip(PARAMETERS, parameters.tolist(), strict=True))
    place = named["lens_x"], named["lens_y"]
    lens = SIE(named["einstein_radius"], *_shape(named, "lens"), *place)
    perturbers = Perturbers()
    if named["line_strength"] > 0:
        line = [named[name] for name in ("line_x", "line_y", "line_angle")]
        line += [np.exp(named["line_log_half_length"]), np.sqrt(named["line_strength"]), 0]
        perturbers = Perturbers(lines=np.array([line]))
    shear = Shear(named["gamma1"], named["gamma2"])
    return Scene(
        lens, shear, perturbers, (_light(named, "source"),), (_light(named, "lens_light"),)
    )


def _light(named: dict[str, float], part: str) -> Sersic:
    return Sersic(
        float(np.exp(named[f"{part}_log_amplitude"])),
        float(np.exp(named[f"{part}_log_radius"])),
        named[f"{part}_sersic_index"],
        *_shape(named, part),
        named[f"{part}_x"],
        named[f"{part}_y"],
    )


def _shape(named: dict[str, float], part: str) -> tuple[float, float]:
    """Axis ratio and position angle [rad]."""
    e1, e2 = named[f"{part}_e1"], named[f"{part}_e2"]
    size = float(np.hypot(e1, e2))
    return (1 - size) / (1 + size), float(0.5 * np.arctan2(e2, e1))
