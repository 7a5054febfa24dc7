r"""PQMass: is the share of images in any region of feature space the same in both sets?

Space is divided into the Voronoi cells of some images of both sets. If the sets have the same
distribution, the counts in :math:`n` cells differ by a chi-square of :math:`n - 1` degrees of
freedom. The divisions are repeated, and averaged; those in which most cells are empty, as happens
with few images or few different ones, are left out. Computed by the authors' package `pqm`, of the
extra `features`.

References:
    Lemos et al. 2024, arXiv:2402.04355.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Real

from darklens.errors import NotComputed
from darklens.random_state import seeded_global_generator

__all__ = ["RegionScore", "pqmass"]

_SPARSE = r"\s*Less than half of the Voronoi cells"  # how the package warns of empty cells


@dataclass(frozen=True)
class RegionScore:
    """The counts in the regions of two sets.

    Attributes:
        chi_square: Reduced chi-square, mean over the divisions: 1 for equal distributions.
        spread: Its standard deviation over the divisions.
        p_value: Median over the divisions of the probability of a chi-square as large.
        regions: Number of regions.
    """

    chi_square: float
    spread: float
    p_value: float
    regions: int


def pqmass(
    first: Real[np.ndarray, "n d"],
    second: Real[np.ndarray, "m d"],
    *,
    regions: int = 100,
    divisions: int = 50,
    seed: int = 0,
) -> RegionScore:
    """Compare the shares of two sets in random regions. It grows with the number of images.

    Args:
        first: Features of one set; each is scaled by the deviation over both sets.
        second: Features of the other set.
        regions: Number of regions; at most a quarter of the images are used to make them.
        divisions: Number of divisions into regions.
        seed: Of the divisions.

    Raises:
        NotComputed: If `pqm` is not installed, or in most divisions most regions hold no image.
    """
    try:
        from pqm import pqm_chi2, pqm_pvalue
    except ImportError:
        raise NotComputed("PQMass needs pip install 'darklens[features]'") from None
    count = max(2, min(regions, (len(first) + len(second)) // 4))
    sets = _standardised(first, second)
    found = []
    with seeded_global_generator(seed), warnings.catch_warnings():
        warnings.filterwarnings("error", _SPARSE, UserWarning)
        for own in np.random.randint(2**31, size=divisions):  # noqa: NPY002
            values = []
            for test in (pqm_chi2, pqm_pvalue):
                np.random.seed(own)  # noqa: NPY002  the same regions for both
                try:
                    values.append(test(*sets, num_refs=count))
                except (ValueError, UserWarning):  # one region holds all images, or most hold none
                    break
            else:
                found.append(values)
    if 2 * len(found) < divisions:
        raise NotComputed(
            f"too few different images for PQMass: of {len(first)} and {len(second)}, most of "
            f"{count} regions hold none"
        )
    squares, chances = np.array(found).T
    squares = squares / (count - 1)
    return RegionScore(
        float(squares.mean()), float(squares.std()), float(np.median(chances)), count
    )


def _standardised(
    first: Real[np.ndarray, "n d"], second: Real[np.ndarray, "m d"]
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "m d"]]:
    """Both sets with a deviation of 1 of each feature; constant features become 0."""
    both = np.concatenate([first, second]).astype(np.float64)
    spread = both.std(axis=0)
    both = (both - both.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return both[: len(first)], both[len(first) :]
