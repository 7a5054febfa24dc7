"""Values of everything that is free in a flexible lens, and their order in a vector."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from jaxtyping import Float

__all__ = ["LensState"]


@dataclass(frozen=True)
class LensState:
    """Values of everything that is free.

    Args:
        parameters: Parameter vector of the smooth lens.
        multipoles: Amplitude of each of `MULTIPOLES` over the Einstein radius.
        source: Coefficients of the field in the source.
        light: Coefficients of the lens light.
        psf: Relative change of the width of the PSF, and its two ellipticities.
        perturber: Place x, y [arcsec] and logarithm of the mass, or empty.
        satellites: Place x, y and Einstein radius [arcsec] of one satellite after another.
    """

    parameters: Float[np.ndarray, " p"]
    multipoles: Float[np.ndarray, " a"]
    source: Float[np.ndarray, " m"]
    light: Float[np.ndarray, " l"]
    psf: Float[np.ndarray, " b"]
    perturber: Float[np.ndarray, " c"]
    satellites: Float[np.ndarray, " v"] = field(default_factory=lambda: np.zeros(0))

    def vector(self, free: tuple[int, ...]) -> Float[np.ndarray, " k"]:
        """All free values, in the order of `FlexibleLens.directions`."""
        return np.concatenate([self.parameters[list(free)], *self._parts()])

    def moved(self, free: tuple[int, ...], vector: Float[np.ndarray, " k"]) -> "LensState":
        """The state with other free values."""
        parameters = self.parameters.copy()
        parameters[list(free)] = vector[: len(free)]
        ends = np.cumsum([len(free), *map(len, self._parts())])
        multipoles, satellites, perturber, psf, light, source = (
            vector[a:b] for a, b in pairwise(ends)
        )
        return LensState(parameters, multipoles, source, light, psf, perturber, satellites)

    def _parts(self) -> tuple[Float[np.ndarray, " s"], ...]:
        """What follows the parameters in a vector."""
        return (
            self.multipoles,
            self.satellites,
            self.perturber,
            self.psf,
            self.light,
            self.source,
        )
