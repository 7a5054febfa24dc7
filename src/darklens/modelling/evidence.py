r"""How wide the priors of linear amplitudes are, by the evidence of the image.

A smooth source needs no structure and a clumpy one much. With one prior for both, the directions of
the structure cost the smooth one significance and leave clumps of the other that look like
substructure. The width `s` of the prior of each group of directions is therefore chosen where the
image is most probable. With the residual `z` and all directions in units of the noise and of priors
of width 1 as rows of `D`, and `S` the diagonal matrix of the widths,

.. math:: \ln p(z) = \frac{1}{2} p^T S A^{-1} S p - \frac{1}{2} \ln \det A, \qquad
          A = I + S D D^T S, \qquad p = D z

but for a constant (MacKay 1992, doi:10.1162/neco.1992.4.3.415). Each width is one of a few; the
groups take turns.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.linalg import LinAlgError, cholesky, solve_triangular

__all__ = ["likeliest_widths"]

_WIDTHS = (0.1, 0.3, 1.0, 3.0, 10.0)
_ROUNDS = 2


def likeliest_widths(
    directions: Float32[np.ndarray, "k n"],
    residual: Float32[np.ndarray, " n"],
    offset: Float[np.ndarray, " k"],
    groups: Sequence[Int[np.ndarray, " _"]],
) -> list[float]:
    """The width of the prior of each group of directions, over that with which it is given.

    Args:
        directions: Changes of the image for one standard deviation of each amplitude, in units of
            the noise.
        residual: The residual in units of the noise.
        offset: Means of the priors, in standard deviations.
        groups: Directions that have one width; those in no group keep theirs.

    Returns:
        The width of each group; 1 of one without directions.
    """
    gram = (directions @ directions.T).astype(np.float64)
    pull = (directions @ residual).astype(np.float64) + offset
    chosen = (1.0,) * len(groups)
    known: dict[tuple[float, ...], float] = {}
    for _ in range(_ROUNDS):
        for number, group in enumerate(groups):
            if not len(group):
                continue
            trials = [(*chosen[:number], width, *chosen[number + 1 :]) for width in _WIDTHS]
            for trial in trials:
                if trial not in known:
                    known[trial] = _evidence(gram, pull, _of_each(trial, groups, len(offset)))
            chosen = max(trials, key=lambda trial: (known[trial], trial))
    return list(chosen)


def _of_each(
    chosen: Sequence[float], groups: Sequence[Int[np.ndarray, " _"]], count: int
) -> Float[np.ndarray, " k"]:
    """The width of the prior of each direction, from that of each group."""
    widths = np.ones(count)
    for width, group in zip(chosen, groups, strict=True):
        widths[group] = width
    return widths


def _evidence(
    gram: Float[np.ndarray, "k k"], pull: Float[np.ndarray, " k"], widths: Float[np.ndarray, " k"]
) -> float:
    """Logarithm of the evidence, but for a constant; minus infinity where it is not defined."""
    matrix = widths[:, np.newaxis] * gram * widths
    matrix[np.diag_indices(len(widths))] += 1
    try:
        root = cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:  # rounding errors of single precision
        return -np.inf
    solved = solve_triangular(root, widths * pull, lower=True, check_finite=False)
    return float(0.5 * solved @ solved - np.log(np.diag(root)).sum())
