r"""Nearest neighbours, and a test for memorised training images.

Distances are Euclidean, between features or between the pixels of images. scikit-learn finds the
neighbours from :math:`|x|^2 + |y|^2 - 2 x \cdot y` after a common shift. The distances returned
are then computed from the differences, so that a copy is at distance zero exactly.
"""

from dataclasses import dataclass

import numpy as np
import scipy  # its parts are imported on first use, which saves a second at the start
from jaxtyping import Float, Int, Real

__all__ = ["Memorisation", "memorisation_test", "nearest_neighbours"]


@dataclass(frozen=True)
class Memorisation:
    """Distances of generated and of held-out real images to the training set.

    Attributes:
        p_value: One-sided Mann-Whitney test; small if the generated images are closer to the
            training set than the held-out images are.
        share_close: Fraction of the generated images closer to the training set than `threshold`.
        threshold: Low percentile of the distances of the held-out images.
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
    """Test whether generated images are closer to the training set than real images are.

    The p value is sensitive to an overall shift. A few copies among many images show in
    `share_close`, which should be about `percentile` per cent. In pixel space, blurred or
    noiseless images are closer to everything without being copies: compare images of equal
    noise, or use features.

    Args:
        generated: Generated images, or their features.
        held_out: Real images that were not used for training.
        training: The training images.
        percentile: Percentile of the held-out distances that sets the threshold.

    References:
        Meehan, Chaudhuri & Dasgupta 2020, arXiv:2004.05675.
    """
    near, usual = (nearest_neighbours(x, training)[0][:, 0] for x in (generated, held_out))
    threshold = float(np.percentile(usual, percentile))
    p_value = scipy.stats.mannwhitneyu(near, usual, alternative="less").pvalue
    return Memorisation(float(p_value), float((near < threshold).mean()), threshold, near, usual)


def nearest_neighbours(
    points: Real[np.ndarray, "n *shape"], reference: Real[np.ndarray, "m *shape"], *, count: int = 1
) -> tuple[Float[np.ndarray, "n {count}"], Int[np.ndarray, "n {count}"]]:
    """Distances to the nearest points of a reference set and their indices, nearest first.

    >>> distances, indices = nearest_neighbours(np.array([[1.0]]), np.array([[5.0], [0.0]]))
    >>> float(distances[0, 0]), int(indices[0, 0])
    (1.0, 1)

    Raises:
        ValueError: If the reference set has fewer than `count` points.
    """
    if not 0 < count <= len(reference):
        raise ValueError(f"{count} nearest of {len(reference)} points")
    from sklearn.neighbors import NearestNeighbors  # slow to import, and few metrics need it

    x, y = (values.reshape(len(values), -1) for values in (points, reference))
    floating = np.result_type(y.dtype, np.float32)
    centre = y.mean(axis=0, dtype=np.float64).astype(floating)  # smaller rounding errors
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(y - centre)
    found = search.kneighbors(x - centre, return_distance=False)
    distances = np.empty(found.shape)
    for point, partners, row in zip(x, found, distances, strict=True):
        row[:] = np.linalg.norm(y[partners].astype(np.float64) - point, axis=1)
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(found, order, axis=1)
