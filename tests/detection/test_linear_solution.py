"""The linear problem beside plain linear algebra."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from darklens.detection.linear_solution import LinearProblem
from darklens.errors import BadInput


def _problem(
    rows: int = 6, pixels: int = 40
) -> tuple[LinearProblem, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    derivatives = rng.normal(size=(rows, pixels)).astype(np.float32)
    means, values = rng.normal(size=rows), rng.normal(size=rows)
    deviations = rng.uniform(0.1, 2.0, rows)
    prior_residual = rng.normal(size=pixels) + deviations * rng.normal(size=rows) @ derivatives
    residual = prior_residual - (values - means) @ derivatives.astype(np.float64)
    problem = LinearProblem.of(derivatives, residual, values, means, 3)
    return problem, deviations, prior_residual, derivatives.astype(np.float64)


def test_values_and_covariance_are_those_of_the_normal_equations() -> None:
    problem, deviations, residual, rows = _problem()
    precision = rows @ rows.T + np.diag(deviations**-2)
    expected = problem.means + np.linalg.solve(precision, rows @ residual)
    assert np.allclose(problem.solve(deviations).values, expected, atol=1e-5)
    covariance = problem.covariance(deviations, 4)
    assert np.allclose(covariance, np.linalg.inv(precision)[:4, :4], atol=1e-5)


def test_evidence_is_the_density_of_the_residual() -> None:
    """Differences between priors, as the evidence has a constant of the data."""
    problem, deviations, residual, rows = _problem()
    evidences, densities = [], []
    for factor in (0.2, 1.0, 3.0):
        spread = factor * deviations
        covariance = np.eye(residual.size) + rows.T @ np.diag(spread**2) @ rows
        densities.append(multivariate_normal.logpdf(residual, cov=covariance))
        evidences.append(problem.solve(spread).log_evidence)
    assert np.allclose(np.diff(evidences), np.diff(densities), atol=1e-3)


def test_basis_projects_out_what_is_marginalised() -> None:
    problem, deviations, residual, rows = _problem()
    basis = problem.basis(deviations).astype(np.float64)
    inverse = np.linalg.inv(np.eye(residual.size) + rows.T @ np.diag(deviations**2) @ rows)
    assert np.allclose(np.eye(residual.size) - basis.T @ basis, inverse, atol=1e-4)
    products = basis @ basis.T
    assert np.allclose(products, np.diag(np.diag(products)), atol=1e-4)


def test_held_values_drop_out() -> None:
    problem, deviations, *_ = _problem()
    kept = np.array([0, 2, 3, 5])
    some = problem.of_some(kept)
    again = LinearProblem.of(
        problem.derivatives[kept], problem.residual, problem.values[kept], problem.means[kept], 4
    )
    assert np.allclose(
        some.solve(deviations[kept]).values, again.solve(deviations[kept]).values, atol=1e-5
    )


def test_what_is_not_finite_is_refused() -> None:
    rows = np.full((2, 5), np.inf, dtype=np.float32)
    with pytest.raises(BadInput, match="diverged"):
        LinearProblem.of(rows, np.ones(5), np.zeros(2), np.zeros(2), 2)


def test_damping_holds_what_is_not_linear_where_it_is() -> None:
    problem, deviations, *_ = _problem()
    best = problem.solve(deviations).values
    held = problem.damped(1e9).solve(deviations).values
    assert np.allclose(held[:3], problem.values[:3], atol=1e-6)
    rest = problem.of_some(np.array([3, 4, 5])).solve(deviations[3:]).values
    assert np.allclose(held[3:], rest, atol=1e-5)
    assert np.allclose(problem.damped(1e-9).solve(deviations).values, best, atol=1e-6)


def test_residual_at_other_values_is_linear() -> None:
    problem, deviations, residual, _ = _problem()
    assert np.allclose(problem.residual_at(problem.means), residual, atol=1e-5)
    best = problem.solve(deviations).values
    left = problem.residual_at(best)
    basis = problem.basis(deviations).astype(np.float64)
    assert np.allclose(left, residual - (basis @ residual) @ basis, atol=1e-4)
