r"""The linear problems of several bands as one: what is shared, and what each band has of its own.

With the matrix :math:`A = I + S F F^T S` of `darklens.detection.linear_solution`, the blocks of two
bands touch only in the shared values `s`. With the own values `o` of band `b` projected out,

.. math:: M = I + \sum_b \big( A_{ss} - A_{so} A_{oo}^{-1} A_{os} \big)_b, \qquad
          \ln \det A = \ln \det M + \sum_b \ln \det A_{oo, b}

so the information and the evidence of the bands add up. A single band is solved as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.linalg import cho_solve, solve_triangular

from darklens.detection.linear_solution import FitDiverged, LinearProblem, constrained_directions

__all__ = ["JointProblem", "Reduced"]

Vector = Float[np.ndarray, " k"]
Matrix = Float[np.ndarray, "_ _"]
Places = Int[np.ndarray, " _"]


@dataclass(frozen=True)
class Reduced:
    """One band with its own values projected out.

    Attributes:
        own: Where they stand in the joint vector.
        root: Cholesky factor of their block.
        cross: Their block with the shared values, with the root taken off.
        matrix: What is left of the block of the shared values, without the identity.
        pull: Scaled pull of all values, in the joint vector.
        power: Squared residual at the prior means.
    """

    own: Places
    root: Matrix
    cross: Float[np.ndarray, "o s"]
    matrix: Float[np.ndarray, "s s"]
    pull: Float[np.ndarray, " _"]
    power: float


@dataclass(frozen=True)
class JointProblem:
    """The linear problems of all bands.

    Args:
        parts: Those of the bands.
        places: Where the values of each stand in the joint vector.
    """

    parts: tuple[LinearProblem, ...]
    places: tuple[Places, ...]

    @cached_property
    def values(self) -> Vector:
        """Values about which the images are linear."""
        return self._joined([part.values for part in self.parts])

    @cached_property
    def means(self) -> Vector:
        """Prior means."""
        return self._joined([part.means for part in self.parts])

    @property
    def residual(self) -> Float[np.ndarray, " n"]:
        """Data less the images, in units of the noise, one band after another."""
        return np.concatenate([part.residual for part in self.parts])

    def without(self, dropped: Places) -> "JointProblem":
        """The problem with some values held where they are."""
        return self.of_some(np.setdiff1d(np.arange(len(self.values)), dropped))

    def of_some(self, left: Places) -> "JointProblem":
        """The problem with all other values held where they are."""
        parts, places = [], []
        for part, place in zip(self.parts, self.places, strict=True):
            kept = np.flatnonzero(np.isin(place, left))
            parts.append(part.of_some(kept))
            places.append(np.searchsorted(left, place[kept]))
        return JointProblem(tuple(parts), tuple(places))

    def with_means(self, means: Vector) -> "JointProblem":
        """The problem with other prior means."""
        every = zip(self.parts, self.places, strict=True)
        parts = tuple(replace(part, means=means[place]) for part, place in every)
        return replace(self, parts=parts)

    def damped(self, damping: float) -> "JointProblem":
        """The problem that keeps nearer to the values in which the images are not linear."""
        return replace(self, parts=tuple(part.damped(damping) for part in self.parts))

    def residual_at(self, values: Vector) -> Float[np.ndarray, " n"]:
        """The residual at other values, as far as the images are linear."""
        every = zip(self.parts, self.places, strict=True)
        return np.concatenate([part.residual_at(values[place]) for part, place in every])

    def best(self, deviations: Vector) -> Vector:
        """The most probable values under priors of these standard deviations."""
        if len(self.parts) == 1:
            return self.parts[0].solve(deviations).values
        every = self._reduced(deviations)
        pull = np.sum([one.pull for one in every], axis=0)
        amplitudes = self._solved(every, pull[:, None])[:, 0]
        return np.asarray(self.means + deviations * amplitudes)

    def log_evidence(self, deviations: Vector) -> float:
        """Logarithm of the evidence under priors of these standard deviations."""
        return self.log_evidences(0, [deviations])[0]

    def log_evidences(self, band: int, trials: Sequence[Vector]) -> list[float]:
        """The same for priors that differ in the own values of one band."""
        if len(self.parts) == 1:
            return [self.parts[0].solve(trial).log_evidence for trial in trials]
        others = [self._reduce(k, trials[0]) for k in range(len(self.parts)) if k != band]
        return [self._evidence([self._reduce(band, trial), *others]) for trial in trials]

    def log_determinant(self, deviations: Vector) -> float:
        """Logarithm of the determinant of `A` under priors of these standard deviations."""
        if len(self.parts) == 1:
            return _log_determinant([self.parts[0].solve(deviations).root])
        every = self._reduced(deviations)
        return _log_determinant([self._whole(every), *(one.root for one in every)])

    def covariance(self, deviations: Vector, count: int) -> Float[np.ndarray, "c c"]:
        """Covariance of the first `count` values, everything else marginalised."""
        if len(self.parts) == 1:
            return self.parts[0].covariance(deviations, count)
        unit = np.eye(len(deviations), count)
        scale = deviations[:count]
        solved = self._solved(self._reduced(deviations), unit)[:count]
        return np.asarray(scale[:, None] * solved * scale)

    def basis(self, deviations: Vector) -> Float32[np.ndarray, "r n"]:
        """The root `B` of the projection, the pixels of one band after those of another."""
        if len(self.parts) == 1:
            return self.parts[0].basis(deviations)
        matrix = np.zeros((len(deviations), len(deviations)))
        for part, place in zip(self.parts, self.places, strict=True):
            matrix[np.ix_(place, place)] += part.products
        values, vectors = constrained_directions(deviations[:, None] * matrix * deviations)
        mixing = ((vectors / np.sqrt(1 + values)).T * deviations).astype(np.float32)
        blocks = [
            mixing[:, place] @ part.derivatives
            for part, place in zip(self.parts, self.places, strict=True)
        ]
        return np.concatenate(blocks, axis=1)

    @cached_property
    def _shared(self) -> Places:
        """Where the values that every band has stand in the joint vector."""
        common = self.places[0]
        for place in self.places[1:]:
            common = np.intersect1d(common, place)
        return common

    def _joined(self, vectors: Sequence[Float[np.ndarray, " _"]]) -> Vector:
        joined = np.empty(1 + max(int(place.max()) for place in self.places))
        for place, vector in zip(reversed(self.places), reversed(vectors), strict=True):
            joined[place] = vector
        return joined

    def _reduced(self, deviations: Vector) -> list[Reduced]:
        return [self._reduce(k, deviations) for k in range(len(self.parts))]

    def _reduce(self, k: int, deviations: Vector) -> Reduced:
        """A band with its own values projected out."""
        part, place = self.parts[k], self.places[k]
        scale, shift = deviations[place], part.values - part.means
        matrix = scale[:, None] * part.products * scale
        _, first, _ = np.intersect1d(place, self._shared, return_indices=True)
        rest = np.setdiff1d(np.arange(len(place)), first)
        root = _root(matrix[np.ix_(rest, rest)] + np.eye(len(rest)))
        cross = solve_triangular(root, matrix[np.ix_(rest, first)], lower=True)
        pull = np.zeros(len(deviations))
        towards = part.products @ shift
        pull[place] = scale * (part.pull + towards)
        power = part.residual @ part.residual + 2 * shift @ part.pull + shift @ towards
        left = matrix[np.ix_(first, first)] - cross.T @ cross
        return Reduced(place[rest], root, cross, left, pull, float(power))

    def _whole(self, every: Sequence[Reduced]) -> Matrix:
        """Cholesky factor of `M`."""
        return _root(np.eye(len(self._shared)) + np.sum([one.matrix for one in every], axis=0))

    def _solved(self, every: Sequence[Reduced], right: Float[np.ndarray, "_ c"]) -> Matrix:
        """The inverse of `A` times some columns."""
        halves = [solve_triangular(one.root, right[one.own], lower=True) for one in every]
        towards = right[self._shared].copy()
        for one, half in zip(every, halves, strict=True):
            towards -= one.cross.T @ half
        out = np.empty(right.shape)
        out[self._shared] = cho_solve((self._whole(every), True), towards)
        for one, half in zip(every, halves, strict=True):
            rest = half - one.cross @ out[self._shared]
            out[one.own] = solve_triangular(one.root, rest, lower=True, trans="T")
        return out

    def _evidence(self, every: Sequence[Reduced]) -> float:
        pull = np.sum([one.pull for one in every], axis=0)
        gain = float(pull @ self._solved(every, pull[:, None])[:, 0])
        half = 0.5 * _log_determinant([self._whole(every), *(one.root for one in every)])
        return -0.5 * (sum(one.power for one in every) - gain) - half


def _log_determinant(roots: Sequence[Matrix]) -> float:
    """That of the matrix of these blocks, from their Cholesky factors."""
    return 2 * sum(float(np.log(np.diag(root)).sum()) for root in roots)


def _root(matrix: Matrix) -> Matrix:
    """Cholesky factor."""
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise FitDiverged from None
