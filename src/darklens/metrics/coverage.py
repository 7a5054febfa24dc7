r"""Precision, recall, density and coverage: what is right in a generated set, what is missing.

Around each image of a set lies a ball that reaches to its :math:`k`-th nearest neighbour in the
set; the balls together are the set's manifold. Genuine images are :math:`x_i`, :math:`i \le n`,
with balls :math:`B(x_i)`, and generated ones :math:`y_j`, :math:`j \le m`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Real

from darklens.metrics.neighbours import nearest_neighbours, squared_distance_tiles

__all__ = ["CoverageScores", "coverage_scores"]

_TOLERANCE = 1 + 1e-9  # of squared radii: on the surface is inside, whatever the rounding


@dataclass(frozen=True)
class CoverageScores:
    r"""Scores of a generated set.

    Attributes:
        precision: Share of the generated images inside at least one genuine ball.
        recall: Share of the genuine images inside at least one generated ball.
        density: Number of genuine balls around a generated image, in units of :math:`k`; one
            for equal distributions, and above one where the generated images crowd.
        coverage: Share of the genuine balls with at least one generated image inside.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def coverage_scores(
    genuine: Real[np.ndarray, "n d"], generated: Real[np.ndarray, "m d"], *, neighbours: int = 5
) -> CoverageScores:
    r"""Precision and recall (which outliers mislead), density and coverage (which they do not).

    .. math::
        \mathrm{precision} &= \frac{1}{m} \sum_j [\, \exists i: y_j \in B(x_i) \,], \quad
        \mathrm{recall} = \frac{1}{n} \sum_i [\, \exists j: x_i \in B(y_j) \,] \\
        \mathrm{density} &= \frac{1}{k m} \sum_{i, j} [\, y_j \in B(x_i) \,], \quad
        \mathrm{coverage} = \frac{1}{n} \sum_i [\, \exists j: y_j \in B(x_i) \,]

    For equal distributions and :math:`n = m \gg k` coverage is :math:`1 - 2^{-k}`. All depend on
    the sizes of the sets: compare only sets of equal sizes.

    Args:
        genuine: Features of the genuine set.
        generated: Features of the generated set.
        neighbours: The neighbour :math:`k` that a ball reaches to; both sets have more images.

    References:
        Kynkäänniemi et al. 2019, arXiv:1904.06991, eqs. 1 and 2; Naeem et al. 2020,
        arXiv:2002.09797, section 3.
    """
    reach, own_reach = _squared_radii(genuine, neighbours), _squared_radii(generated, neighbours)
    balls_around = np.zeros(len(generated))
    covered = np.zeros(len(genuine), dtype=np.bool_)
    recalled = np.zeros(len(genuine), dtype=np.bool_)
    for i, j, squared in squared_distance_tiles(genuine, generated):
        inside = squared <= reach[i, np.newaxis]
        balls_around[j] += inside.sum(axis=0)
        covered[i] |= inside.any(axis=1)
        recalled[i] |= (squared <= own_reach[j]).any(axis=1)
    return CoverageScores(
        precision=float((balls_around > 0).mean()),
        recall=float(recalled.mean()),
        density=float(balls_around.mean() / neighbours),
        coverage=float(covered.mean()),
    )


def _squared_radii(features: Real[np.ndarray, "n d"], neighbours: int) -> Float[np.ndarray, " n"]:
    """Squared radius of each image's ball; the nearest neighbour of all is the image itself."""
    distances, _ = nearest_neighbours(features, features, count=neighbours + 1)
    return np.asarray(distances[:, -1] ** 2 * _TOLERANCE)
