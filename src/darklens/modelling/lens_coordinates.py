r"""The free parameters of a smooth lens as independent coordinates.

A prior is written in lengths and angles, the fit in components: two components of the ellipticity,
of the shear or of a place. Where both components of a pair are free they become their modulus
and their angle, so that coordinates drawn independently in a preset are independent here, too.
Angles are those of the components in radians, twice the position angle for an ellipticity or a
shear. All other coordinates are the parameters themselves, see `darklens.modelling.parameters`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from darklens.modelling.parameters import PARAMETERS, Parameter

__all__ = ["LensCoordinates"]

Parameters = Float[np.ndarray, " p"]

_PAIRS = (
    Parameter.LENS_E1,
    Parameter.LENS_X,
    Parameter.GAMMA1,
    Parameter.SOURCE_X,
    Parameter.SOURCE_E1,
    Parameter.LENS_LIGHT_X,
    Parameter.LENS_LIGHT_E1,
)
"""First component of each pair; the second one follows it."""


@dataclass(frozen=True)
class LensCoordinates:
    """Conversion between parameter vectors and coordinates.

    Args:
        free: The free parameters, as indices (`Parameter`).
        fixed: A parameter vector with the values of all others.
    """

    free: tuple[int, ...]
    fixed: Parameters

    def __len__(self) -> int:
        return len(self.free)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coordinates: those of the parameters, `size` and `angle` for pairs."""
        names = [PARAMETERS[k] for k in self.free]
        for first, second in self._pairs():
            stem = PARAMETERS[self.free[first]].rstrip("1").removesuffix("_x")
            names[first], names[second] = f"{stem}_size", f"{stem}_angle"
        return tuple(names)

    def coordinates(self, parameters: Parameters) -> Float[np.ndarray, " k"]:
        """Coordinates of a parameter vector."""
        found = parameters[list(self.free)]
        for first, second in self._pairs():
            a, b = found[first], found[second]
            found[first], found[second] = np.hypot(a, b), np.arctan2(b, a)
        return np.asarray(found)

    def parameters(self, coordinates: Float[np.ndarray, " k"]) -> Parameters:
        """The parameter vector of some coordinates."""
        values = np.array(coordinates, dtype=np.float64)
        for first, second in self._pairs():
            size, angle = values[first], values[second]
            values[first], values[second] = size * np.cos(angle), size * np.sin(angle)
        found = self.fixed.copy()
        found[list(self.free)] = values
        return found

    def _pairs(self) -> list[tuple[int, int]]:
        """Positions of the two components of each pair that is free."""
        place = {parameter: position for position, parameter in enumerate(self.free)}
        return [(place[k], place[k + 1]) for k in _PAIRS if k in place and k + 1 in place]
