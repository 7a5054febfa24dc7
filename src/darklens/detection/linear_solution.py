r"""Gaussian priors and a linearised image: the most probable values, errors and the evidence.

With the whitened residual `y` at the prior means, the derivatives `F` (one row each, in units of
the noise) and the prior standard deviations `S`, the matrix :math:`A = I + S F F^T S` gives

.. math:: \hat a = A^{-1} S F y, \qquad
          \ln Z = -\tfrac12 \big(y^T y - (S F y)^T \hat a\big) - \tfrac12 \ln \det A

the covariance :math:`S A^{-1} S`, and the covariance :math:`I + F^T S^2 F` of `y` once everything
is marginalised. Its inverse is :math:`I - B^T B` with a root `B` that has a row for each direction
that the data constrain.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.linalg import cho_solve, solve_triangular

from darklens.errors import BadInput

__all__ = ["FitDiverged", "LinearProblem", "LinearSolution", "constrained_directions"]

Vector = Float[np.ndarray, " k"]
Matrix = Float[np.ndarray, "k k"]

_LEAST_SHARE = 0.02  # of a direction that the data constrain
_FAINT = 1e-6  # of the brightest pixel of the rows that are not exact


class FitDiverged(BadInput):
    """The image of a lens, or how it changes, is no number any more."""

    def __init__(self) -> None:
        super().__init__("the fit of the lens diverged")


@dataclass(frozen=True)
class LinearSolution:
    """The most probable values.

    Attributes:
        values: All values.
        root: Cholesky factor of `A`.
        log_evidence: Logarithm of the evidence, to a constant of the data.
    """

    values: Vector
    root: Matrix
    log_evidence: float


@dataclass(frozen=True)
class LinearProblem:
    """A linearised image with priors.

    Args:
        derivatives: `F`, derivatives in units of the noise.
        residual: Data less the image, in units of the noise.
        values: Values about which the image is linear.
        means: Prior means.
        products: `F F^T`.
        pull: `F` times the residual.
        exact: Number of the first rows, of values in which the image is not linear.
    """

    derivatives: Float32[np.ndarray, "k n"]
    residual: Float[np.ndarray, " n"]
    values: Vector
    means: Vector
    products: Matrix
    pull: Vector
    exact: int

    @classmethod
    def of(
        cls,
        derivatives: Float32[np.ndarray, "k n"],
        residual: Float[np.ndarray, " n"],
        values: Vector,
        means: Vector,
        exact: int,
    ) -> "LinearProblem":
        """The problem with its products summed over the pixels, those of `exact` rows in double."""
        double = derivatives[:exact].astype(np.float64)
        products = np.empty((len(derivatives), len(derivatives)))
        pull = np.empty(len(derivatives))
        with np.errstate(invalid="ignore", over="ignore"):
            products[:exact, :exact] = double @ double.T
            pull[:exact] = double @ residual
            others = derivatives[exact:]
            lit = np.abs(others).max(axis=0, initial=0.0)
            lit = np.flatnonzero(lit > _FAINT * lit.max(initial=0.0))
            others = np.ascontiguousarray(others[:, lit])
            products[exact:, exact:] = others @ others.T
            wide = others.astype(np.float64)
            products[exact:, :exact] = wide @ double[:, lit].T
            pull[exact:] = wide @ residual[lit]
        products[:exact, exact:] = products[exact:, :exact].T
        if not np.isfinite(products).all():
            raise FitDiverged
        return cls(derivatives, residual, values, means, products, pull, exact)

    def of_some(self, kept: Int[np.ndarray, " j"]) -> "LinearProblem":
        """The problem with the other values held where they are."""
        return LinearProblem(
            self.derivatives[kept],
            self.residual,
            self.values[kept],
            self.means[kept],
            self.products[np.ix_(kept, kept)],
            self.pull[kept],
            int(np.count_nonzero(kept < self.exact)),
        )

    def damped(self, damping: float) -> "LinearProblem":
        """The problem with a further prior about the values in which the image is not linear.

        Args:
            damping: Its information over that of the image on each alone.
        """
        products = self.products.copy()
        places = np.arange(self.exact)
        products[places, places] *= 1 + damping
        return replace(self, products=products)

    def residual_at(self, values: Vector) -> Float[np.ndarray, " n"]:
        """The residual at other values, as far as the image is linear."""
        moved = (values - self.values).astype(np.float32)
        return np.asarray(self.residual - moved @ self.derivatives)

    def solve(self, deviations: Vector) -> LinearSolution:
        """The most probable values under priors of these standard deviations."""
        shift = self.values - self.means
        matrix = deviations[:, None] * self.products * deviations
        matrix[np.diag_indices_from(matrix)] += 1.0
        try:
            root = np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            raise FitDiverged from None
        pull = deviations * (self.pull + self.products @ shift)
        amplitudes = cho_solve((root, True), pull)
        power = float(
            self.residual @ self.residual + 2 * shift @ self.pull + shift @ self.products @ shift
        )
        evidence = -0.5 * (power - float(pull @ amplitudes)) - float(np.log(np.diag(root)).sum())
        return LinearSolution(self.means + deviations * amplitudes, root, evidence)

    def covariance(self, deviations: Vector, count: int) -> Float[np.ndarray, "c c"]:
        """Covariance of the first `count` values, everything else marginalised."""
        unit = np.eye(len(deviations), count)
        half = solve_triangular(self.solve(deviations).root, unit, lower=True)
        scale = deviations[:count]
        return np.asarray(scale[:, None] * (half.T @ half) * scale)

    def basis(self, deviations: Vector) -> Float32[np.ndarray, "r n"]:
        """The root `B` of the projection."""
        matrix = deviations[:, None] * self.products * deviations
        values, vectors = constrained_directions(matrix)
        mixing = (vectors / np.sqrt(1 + values)).T * deviations
        return np.asarray(mixing.astype(np.float32) @ self.derivatives)


def constrained_directions(
    matrix: Matrix,
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, "k r"]]:
    """Eigenvalues and vectors of `S F F^T S` of the directions that the data constrain."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values / (1 + np.maximum(values, 0)) > _LEAST_SHARE
    return values[kept], vectors[:, kept]
