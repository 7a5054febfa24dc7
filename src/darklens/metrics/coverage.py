r"""Precision, recall, density and coverage: fidelity and diversity of a generated set.

Each image of a set has a ball whose radius is the distance to its :math:`k`-th nearest neighbour
in the same set; the union of the balls estimates the manifold of the set. Real images are
:math:`x_i`, :math:`i \le n`, with balls :math:`B(x_i)`; generated images are :math:`y_j`,
:math:`j \le m`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Real

from darklens.metrics.neighbours import nearest_neighbours

__all__ = ["CoverageScores", "coverage_scores"]

_TOLERANCE = 1 + 1e-9  # of radii: a point on the surface is inside despite rounding


@dataclass(frozen=True)
class CoverageScores:
    r"""Scores of a generated set.

    Attributes:
        precision: Fraction of the generated images inside at least one ball of a real image.
        recall: Fraction of the real images inside at least one ball of a generated image.
        density: Mean number of balls of real images around a generated image, divided by
            :math:`k`. One for equal distributions; larger where generated images crowd together.
        coverage: Fraction of the real images with at least one generated image in their ball.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def coverage_scores(
    real: Real[np.ndarray, "n d"], generated: Real[np.ndarray, "m d"], *, neighbours: int = 5
) -> CoverageScores:
    r"""Precision and recall (sensitive to outliers), density and coverage (robust against them).

    .. math::
        \mathrm{precision} &= \frac{1}{m} \sum_j [\, \exists i: y_j \in B(x_i) \,], \quad
        \mathrm{recall} = \frac{1}{n} \sum_i [\, \exists j: x_i \in B(y_j) \,] \\
        \mathrm{density} &= \frac{1}{k m} \sum_{i, j} [\, y_j \in B(x_i) \,], \quad
        \mathrm{coverage} = \frac{1}{n} \sum_i [\, \exists j: y_j \in B(x_i) \,]

    For equal distributions and :math:`n = m \gg k` the coverage is :math:`1 - 2^{-k}`. All four
    depend on the sizes of the sets, so compare sets of equal size only.

    Args:
        real: Features of the real images.
        generated: Features of the generated images.
        neighbours: Number of neighbours :math:`k` that sets the radius; less than the size of
            either set.

    References:
        Kynkäänniemi et al. 2019, arXiv:1904.06991, eqs. 1 and 2; Naeem et al. 2020,
        arXiv:2002.09797, section 3.
    """
    # Slow to import, and few metrics need it.
    from sklearn.metrics import pairwise_distances_chunked

    centre = real.mean(axis=0, dtype=np.float64)  # smaller values, smaller rounding errors
    real, generated = real - centre, generated - centre
    radii, generated_radii = (_radii(x, neighbours) for x in (real, generated))

    balls_around = np.zeros(len(generated))

    def count(distances: np.ndarray, start: int) -> Any:
        inside = distances <= radii[start : start + len(distances), np.newaxis]
        np.add(balls_around, inside.sum(axis=0), out=balls_around)
        return np.stack([inside.any(axis=1), (distances <= generated_radii).any(axis=1)], axis=1)

    chunks = pairwise_distances_chunked(real, generated, reduce_func=count)
    covered, recalled = np.concatenate(list(chunks)).T
    return CoverageScores(
        precision=float((balls_around > 0).mean()),
        recall=float(recalled.mean()),
        density=float(balls_around.mean() / neighbours),
        coverage=float(covered.mean()),
    )


def _radii(features: Float[np.ndarray, "n d"], neighbours: int) -> Float[np.ndarray, " n"]:
    """Radius of the ball around each image, whose nearest neighbour is the image itself."""
    distances, _ = nearest_neighbours(features, features, count=neighbours + 1)
    return np.asarray(distances[:, -1] * _TOLERANCE)
