"""What the evidence chooses about a linearised lens: priors of its freedom, and the slope.

A perturber is held where it is in all of it.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from darklens.detection.bands import Bands
from darklens.detection.flexible_lens import MULTIPOLES
from darklens.detection.gauss_newton import Linearised, linearise
from darklens.detection.joint_solution import JointProblem
from darklens.detection.thinning import thinned

__all__ = ["best_priors", "log_evidence", "pull_of_determinant", "without_perturber"]

Vector = Float[np.ndarray, " k"]

_STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # of the source's field over its envelope
_SCALES = (0.08, 0.2, 0.5, 1.25)  # of its covariance over the Sersic radius
_WIDTHS = (0.3, 1.0, 3.0)  # of the prior of the multipoles over the given one
_SHARE = 0.5  # standard errors of the slope, to either side of it


def best_priors(
    here: Linearised,
    bands: Bands,
    deviations: Vector,
    radii: Sequence[float],
    *,
    multipole: float,
) -> Vector:
    """Priors of the largest evidence: of the source's field in each band, then of the multipoles.

    Args:
        here: The lens about its state.
        bands: The images with their models.
        deviations: Standard deviations of the priors.
        radii: Sersic radius of the source in each band [arcsec].
        multipole: Given standard deviation of the multipoles.
    """
    grid = [(strength, scale) for strength in _STRENGTHS for scale in _SCALES]
    chosen = deviations
    dropped = _perturber(here)
    kept = np.setdiff1d(np.arange(len(deviations)), dropped)
    problem = here.problem.without(dropped) if len(dropped) else here.problem
    for k, (band, radius) in enumerate(zip(bands.bands, radii, strict=True)):
        field = here.problem.places[k][-len(band.lens.source) :]
        begin, best = chosen, -np.inf
        trials = []
        for strength, scale in grid:
            trial = begin.copy()
            trial[field] = band.lens.source.deviations(strength, scale * radius)
            trials.append(trial)
        evidences = problem.log_evidences(k, [trial[kept] for trial in trials])
        for evidence, trial in zip(evidences, trials, strict=True):
            if evidence > best:
                best, chosen = evidence, trial
    free = len(bands.first.lens.free)
    masses = slice(free, free + len(MULTIPOLES))
    trials = [chosen.copy() for _ in _WIDTHS]
    for width, trial in zip(_WIDTHS, trials, strict=True):
        trial[masses] = width * multipole
    return max(trials, key=lambda trial: problem.log_evidence(trial[kept]))


def pull_of_determinant(
    bands: Bands, here: Linearised, means: Vector, deviations: Vector, slope: int
) -> float:
    r"""Change of the prior mean of the slope that takes the optimum to that of the evidence.

    The evidence is :math:`-\frac{1}{2} (\Phi + \ln \det A)` with the objective
    :math:`\Phi`, and the determinant, which says how much of the field the data constrain, depends
    on the lens, most of all on the slope of its mass. With the derivative `g` of its logarithm by
    the slope, all else moving along, a prior mean lower by :math:`g \sigma^2 / 2` has the same
    effect.

    Args:
        bands: The images with their models.
        here: The optimum.
        means: Prior means.
        deviations: Prior standard deviations.
        slope: Where the slope stands.
    """
    few = thinned(bands, here.states, here.problem, deviations)
    means, deviations = means[few.places], deviations[few.places]
    covariance = here.problem.of_some(few.places).covariance(deviations, len(deviations))
    along = covariance[:, slope] / covariance[slope, slope]
    step = _SHARE * float(np.sqrt(covariance[slope, slope]))
    values = few.bands.vector(few.states)
    moved = [few.bands.moved(few.states, values + sign * step * along) for sign in (1, -1)]
    ends = [linearise(few.bands, states, means, deviations) for states in moved]
    high, low = (end.problem.log_determinant(deviations) for end in ends)
    return -0.5 * (high - low) / (2 * step) * float(deviations[slope]) ** 2


def log_evidence(here: Linearised, deviations: Vector) -> float:
    """Logarithm of the evidence, a perturber held where it is."""
    problem, spread = without_perturber(here, deviations)
    return problem.log_evidence(spread)


def without_perturber(
    here: Linearised, deviations: Vector
) -> tuple[JointProblem, Float[np.ndarray, " j"]]:
    """The linear problem with the perturber held, and the other priors."""
    dropped = _perturber(here)
    if not len(dropped):
        return here.problem, deviations
    kept = np.setdiff1d(np.arange(len(deviations)), dropped)
    return here.problem.without(dropped), deviations[kept]


def _perturber(here: Linearised) -> Int[np.ndarray, " c"]:
    """Where the values of the perturber stand."""
    state = here.states[0]
    values = len(here.problem.parts[0].values)
    last = values - len(state.source) - len(state.light) - len(state.psf)
    return np.arange(last - len(state.perturber), last)
