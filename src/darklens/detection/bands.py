"""Several images of one lens, each in its band: what they share, and what each has of its own.

The mass is shared: its parameters, the multipoles, the satellites and the perturber. Each band has
its own source with its field, lens light, background and PSF, and each but the first its place on
the sky, which is known to a few hundredths of an arcsec (its registration). The values of the fit
are those of the first band, in the order of `LensState.vector`, then for each further band its
registration x, y and its own values.

Coordinates of a band start at the centre of its image. A place of the first band at `x` lies at
:math:`x - o + r` of a band with the offset `o` and the registration `r`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Int

from darklens.detection.flexible_lens import FlexibleLens, Perturbation
from darklens.detection.lens_state import LensState
from darklens.detection.satellites import SATELLITE_SIZE
from darklens.modelling.parameters import Parameter

__all__ = ["REGISTRATION_SIZE", "Band", "Bands", "States", "Target"]

Image = Float[np.ndarray, "h w"]
Vector = Float[np.ndarray, " k"]
Places = Int[np.ndarray, " _"]
States = tuple[LensState, ...]
"""Values of everything that is free, in each band."""

REGISTRATION_SIZE = 2
"""Values of the registration of a band: x, y [arcsec]."""


@dataclass(frozen=True)
class Target:
    """What is fitted.

    Args:
        data: The image.
        weight: Reciprocal of the noise; 0 for masked pixels.
    """

    data: Image
    weight: Image

    def residual(self, image: Image) -> Float[np.ndarray, " n"]:
        """Data less an image, in units of the noise."""
        return np.asarray(((self.data - image) * self.weight).ravel())


@dataclass(frozen=True)
class Band:
    """One image of the lens with its model.

    Args:
        lens: The model.
        target: The image and its noise.
        offset: Centre of this image from that of the first band [arcsec].
        name: What to call it, such as its filter.
    """

    lens: FlexibleLens
    target: Target
    offset: tuple[float, float] = (0.0, 0.0)
    name: str = ""

    def shared(self, state: LensState) -> Places:
        """Where the values that all bands share stand in the vector of this band."""
        free = len(self.lens.free)
        masses = sum(k < Parameter.SOURCE_X for k in self.lens.free)
        others = len(state.multipoles) + len(state.satellites) + len(state.perturber)
        return np.asarray(np.r_[0:masses, free : free + others])

    def own(self, state: LensState) -> Places:
        """Where the values that no other band has stand in the vector of this band."""
        every = np.arange(len(state.vector(self.lens.free)))
        return np.setdiff1d(every, self.shared(state))

    def places(self, state: LensState) -> Places:
        """Where the places x of all masses stand in the vector; each y follows its x."""
        first = len(self.lens.free) + len(state.multipoles)
        satellites = np.arange(0, len(state.satellites), SATELLITE_SIZE)
        perturber = len(state.satellites) + np.arange(min(len(state.perturber), 1))
        centre = self.lens.free.index(Parameter.LENS_X)
        return np.asarray(np.r_[centre, first + satellites, first + perturber])


@dataclass(frozen=True)
class Bands:
    """All images of one lens, the first of which its places and maps refer to.

    Args:
        bands: The images with their models.
    """

    bands: tuple[Band, ...]

    def __len__(self) -> int:
        return len(self.bands)

    @property
    def first(self) -> Band:
        """The band that places refer to."""
        return self.bands[0]

    def with_perturbation(self, perturbation: Perturbation | None) -> "Bands":
        """The same lens with another perturber."""
        return Bands(
            tuple(
                replace(band, lens=band.lens.with_perturbation(perturbation)) for band in self.bands
            )
        )

    def with_perturber(self, states: States, perturber: Float[np.ndarray, " c"]) -> States:
        """The states with a perturber at its place in the first band, or without one if empty."""
        found = []
        for band, state, shift in zip(self.bands, states, self.registered(states), strict=True):
            moved = perturber.copy()
            moved[:2] += shift[: len(moved)] - np.array(band.offset)[: len(moved)]
            found.append(replace(state, perturber=moved))
        return tuple(found)

    def registered(self, states: States) -> list[Float[np.ndarray, "2"]]:
        """The registration of each band [arcsec]; 0 for the first."""
        centres = [state.parameters[[Parameter.LENS_X, Parameter.LENS_Y]] for state in states]
        return [
            np.array(band.offset) + centre - centres[0] if k else np.zeros(REGISTRATION_SIZE)
            for k, (band, centre) in enumerate(zip(self.bands, centres, strict=True))
        ]

    def vector(self, states: States) -> Vector:
        """All free values."""
        vectors = [s.vector(b.lens.free) for b, s in zip(self.bands, states, strict=True)]
        return self.joined(states, vectors, self.registered(states))

    def joined(
        self,
        states: States,
        vectors: Sequence[Float[np.ndarray, " _"]],
        registered: Sequence[Float[np.ndarray, "2"]],
    ) -> Vector:
        """Values of each band as one vector, those that are shared taken from the first band.

        Args:
            states: States of the sizes of the vectors.
            vectors: Values in the order of `LensState.vector`.
            registered: Values of the registration; those of the first band are left out.
        """
        parts = [vectors[0]]
        for k in range(1, len(self)):
            parts += [registered[k], vectors[k][self.bands[k].own(states[k])]]
        return np.concatenate(parts)

    def rows(self, states: States) -> list[Places]:
        """Where the rows of `with_registration` of each band stand in the vector."""
        first = self.first.shared(states[0])
        found, start = [], len(states[0].vector(self.first.lens.free))
        found.append(np.arange(start))
        for band, state in zip(self.bands[1:], states[1:], strict=True):
            own = band.own(state)
            inside = np.empty(len(first) + len(own), dtype=int)
            inside[band.shared(state)] = first
            inside[own] = start + REGISTRATION_SIZE + np.arange(len(own))
            found.append(np.r_[start : start + REGISTRATION_SIZE, inside])
            start += REGISTRATION_SIZE + len(own)
        return found

    def with_registration(
        self, k: int, state: LensState, rows: Float32[np.ndarray, "r n"]
    ) -> Float32[np.ndarray, "q n"]:
        """Derivatives of a band with those by its registration before them; the first has none."""
        if k == 0:
            return rows
        x = self.bands[k].places(state)
        moves = [rows[places].sum(axis=0, keepdims=True) for places in (x, x + 1)]
        return np.concatenate([*moves, rows])

    def of_some_modes(self, kept: Sequence[Places]) -> "Bands":
        """The same lens with some modes of the field in the source of each band only."""
        every = zip(self.bands, kept, strict=True)
        return Bands(
            tuple(
                replace(band, lens=replace(band.lens, source=band.lens.source.of_some(some)))
                for band, some in every
            )
        )

    def moved(self, states: States, vector: Vector) -> States:
        """The states with other free values."""
        first, *others = self.rows(states)
        free = self.first.lens.free
        found = [states[0].moved(free, vector[first])]
        for band, state, rows in zip(self.bands[1:], states[1:], others, strict=True):
            values, x = vector[rows[REGISTRATION_SIZE:]], band.places(state)
            for axis in range(REGISTRATION_SIZE):
                values[x + axis] += vector[rows[axis]] - band.offset[axis]
            found.append(state.moved(band.lens.free, values))
        return tuple(found)
