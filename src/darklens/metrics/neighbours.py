r"""Nearest neighbours, and whether generated images are copies of the training set.

Distances are Euclidean, between features or between the pixels of images. They are found tile
by tile from :math:`|x|^2 + |y|^2 - 2 x \cdot y` after a common shift, which is fast, and those
that are returned are computed again from the differences, which is exact for copies.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Real
from scipy import stats

__all__ = ["Memorisation", "memorisation_test", "nearest_neighbours", "squared_distance_tiles"]

_NUMBERS = 4_000_000  # of each of the two blocks of a tile, which keeps memory flat
_ROWS = 2000  # of each of the two blocks at most, so that the tile itself is no larger


@dataclass(frozen=True)
class Memorisation:
    """How close generated images come to the training set, beside genuine ones held out.

    Attributes:
        p_value: Chance that independent images would come as close to the training set as the
            generated ones do, relative to the held-out ones (one-sided Mann-Whitney test).
        share_close: Share of the generated images closer to the training set than `threshold`.
        threshold: Low percentile of the held-out images' distances.
        generated: Distance of each generated image to its nearest training image.
        held_out: Distance of each held-out image to its nearest training image.
    """

    p_value: float
    share_close: float
    threshold: float
    generated: Float[np.ndarray, " n"]
    held_out: Float[np.ndarray, " m"]


def memorisation_test(
    generated: Real[np.ndarray, "n *shape"],
    held_out: Real[np.ndarray, "m *shape"],
    training: Real[np.ndarray, "t *shape"],
    *,
    percentile: float = 1.0,
) -> Memorisation:
    """Whether generated images are closer to the training set than genuine ones are.

    The test sees a general shift; a few copies among many images show in the share, which should
    be about `percentile` in a hundred. Blurred or noiseless images are closer to everything, in
    pixels, without being copies of anything: compare like with like, or use features.

    Args:
        generated: Generated images or their features.
        held_out: Genuine ones that the generator was not trained on.
        training: Those that it was trained on.
        percentile: Where among the held-out images' distances the threshold lies.

    References:
        Meehan, Chaudhuri & Dasgupta 2020, arXiv:2004.05675.
    """
    near, usual = (nearest_neighbours(x, training)[0][:, 0] for x in (generated, held_out))
    threshold = float(np.percentile(usual, percentile))
    p_value = stats.mannwhitneyu(near, usual, alternative="less").pvalue
    return Memorisation(float(p_value), float((near < threshold).mean()), threshold, near, usual)


def nearest_neighbours(
    points: Real[np.ndarray, "n *shape"], reference: Real[np.ndarray, "m *shape"], *, count: int = 1
) -> tuple[Float[np.ndarray, "n {count}"], Int[np.ndarray, "n {count}"]]:
    """Distances to the nearest points of a reference set, and which they are, nearest first.

    >>> distances, indices = nearest_neighbours(np.array([[1.0]]), np.array([[5.0], [0.0]]))
    >>> float(distances[0, 0]), int(indices[0, 0])
    (1.0, 1)

    Raises:
        ValueError: If the reference has less than `count` points.
    """
    if not 0 < count <= len(reference):
        raise ValueError(f"{count} nearest of {len(reference)} points")
    best = np.full((len(points), count), np.inf)
    indices = np.zeros((len(points), count), dtype=np.int64)
    for rows, columns, squared in squared_distance_tiles(points, reference):
        numbers = np.broadcast_to(np.arange(columns.start, columns.stop), squared.shape)
        values = np.concatenate([best[rows], squared], axis=1)
        numbers = np.concatenate([indices[rows], numbers], axis=1)
        chosen = np.argpartition(values, count - 1, axis=1)[:, :count]
        best[rows] = np.take_along_axis(values, chosen, axis=1)
        indices[rows] = np.take_along_axis(numbers, chosen, axis=1)
    distances = np.stack([_distances(points, reference, column) for column in indices.T], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(indices, order, axis=1)


def squared_distance_tiles(
    points: Real[np.ndarray, "n *shape"], reference: Real[np.ndarray, "m *shape"]
) -> Iterator[tuple[slice, slice, Float[np.ndarray, "b c"]]]:
    """Squared distances between two sets, tile by tile.

    Yields:
        The rows of the points, the rows of the reference, and the distances between them.
    """
    x, y = (a.reshape(len(a), -1) for a in (points, reference))
    centre = y.mean(axis=0, dtype=np.float64)  # smaller numbers, smaller rounding errors
    for rows in _blocks(x):
        a = x[rows] - centre
        a_norms = np.einsum("ij,ij->i", a, a)[:, np.newaxis]
        for columns in _blocks(y):
            b = y[columns] - centre
            squared = a_norms + np.einsum("ij,ij->i", b, b) - 2 * a @ b.T
            yield rows, columns, np.maximum(squared, 0)


def _distances(
    points: Real[np.ndarray, "n *shape"],
    reference: Real[np.ndarray, "m *shape"],
    partners: Int[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """Distance of each point to its partner in the reference."""
    x, y = (a.reshape(len(a), -1) for a in (points, reference))
    distances = np.empty(len(x))
    for rows in _blocks(x):
        difference = x[rows].astype(np.float64) - y[partners[rows]]
        distances[rows] = np.linalg.norm(difference, axis=1)
    return distances


def _blocks(table: Real[np.ndarray, "n d"]) -> list[slice]:
    rows = max(1, min(_ROWS, _NUMBERS // max(1, table.shape[1])))
    return [slice(i, min(i + rows, len(table))) for i in range(0, len(table), rows)]
