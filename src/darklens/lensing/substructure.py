"""What perturbs the smooth lens: sums of point masses, lines and truncated NFW halos.

Each kind is one array with a row for each perturber, which is what the compiled kernel reads.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from darklens.lensing.profiles import TNFW, LineMass, MassProfile, PointMass

__all__ = ["Perturbers"]


@dataclass(frozen=True)
class Perturbers:
    """Perturbers of one lens.

    Args:
        points: Rows `x, y, einstein_radius` [arcsec].
        lines: Rows `x, y, position_angle, half_length, einstein_radius, count` [arcsec, rad];
            `count` 0 is the closed form, otherwise the line is that many equal points from end
            to end.
        halos: Truncated NFW halos, rows `x, y, scale_radius, truncation, einstein_radius`.
    """

    points: Float[np.ndarray, "n 3"] = field(default_factory=lambda: np.zeros((0, 3)))
    lines: Float[np.ndarray, "m 6"] = field(default_factory=lambda: np.zeros((0, 6)))
    halos: Float[np.ndarray, "k 5"] = field(default_factory=lambda: np.zeros((0, 5)))

    def profiles(self) -> list[MassProfile]:
        """The same perturbers as profile objects, lines of points as the points."""
        masses: list[MassProfile] = [PointMass(theta, x, y) for x, y, theta in self.points]
        for x, y, angle, half_length, theta, count in self.lines:
            if count == 0:
                masses.append(LineMass(theta, half_length, angle, x, y))
                continue
            for t in np.linspace(-half_length, half_length, int(count)):
                place = (x + t * np.cos(angle), y + t * np.sin(angle))
                masses.append(PointMass(theta / np.sqrt(count), *place))
        masses += [
            TNFW(theta, radius, truncation, x, y) for x, y, radius, truncation, theta in self.halos
        ]
        return masses
