"""Bands without the modes of the field that its prior makes too faint to be seen.

A source that hardly departs from its profile, or smoothly, has a prior in which most modes change
the image by much less than the noise. The steps of a fit do without them.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from darklens.detection.bands import Bands, States
from darklens.detection.joint_solution import JointProblem

__all__ = ["Thinned", "thinned"]

Vector = Float[np.ndarray, " k"]
Places = Int[np.ndarray, " _"]

_UNSEEN = 0.5  # squared change of the image by all that is left out, in units of the noise


@dataclass(frozen=True)
class Thinned:
    """Bands with fewer modes.

    Attributes:
        bands: The images with their models.
        states: Their states.
        places: Where their values stand in the vector of all.
        kept: Which modes each band has.
        modes: How many modes each had.
    """

    bands: Bands
    states: States
    places: Places
    kept: tuple[Places, ...]
    modes: tuple[int, ...]

    def restored(self, states: States) -> States:
        """States with all modes again; those that were left out are dark."""
        return tuple(
            replace(state, source=_spread(state.source, some, size))
            for state, some, size in zip(states, self.kept, self.modes, strict=True)
        )


def thinned(bands: Bands, states: States, problem: JointProblem, deviations: Vector) -> Thinned:
    """The bands without the modes that are not seen.

    Args:
        bands: The images with their models.
        states: Their states.
        problem: The linear problem about them, under any priors.
        deviations: Prior standard deviations.
    """
    modes = tuple(len(band.lens.source) for band in bands.bands)
    kept, dropped = [], []
    for part, place, size in zip(problem.parts, problem.places, modes, strict=True):
        field = place[-size:]
        seen = _seen(np.square(deviations[field]) * np.diag(part.products)[-size:])
        kept.append(np.flatnonzero(seen))
        dropped.append(field[~seen])
    left = np.setdiff1d(np.arange(len(deviations)), np.concatenate(dropped))
    fewer = tuple(
        replace(state, source=state.source[some]) for state, some in zip(states, kept, strict=True)
    )
    return Thinned(bands.of_some_modes(kept), fewer, left, tuple(kept), modes)


def _seen(power: Float[np.ndarray, " m"]) -> Bool[np.ndarray, " m"]:
    """Modes without which the image would hardly be another."""
    order = np.argsort(power)
    seen = np.ones(len(power), dtype=bool)
    seen[order[np.cumsum(power[order]) < _UNSEEN]] = False
    return seen


def _spread(
    some: Float[np.ndarray, " s"], places: Int[np.ndarray, " s"], size: int
) -> Float[np.ndarray, " m"]:
    """Coefficients at their places among all; 0 for the others."""
    out = np.zeros(size)
    out[places] = some
    return out
