r"""Familiarity: how similar an image is to the calibration images, from its features and its fit.

Each image becomes a vector: the principal components of its features, as found in a reference set;
the logarithm of the part of the features outside them; and the diagnostics of its fit, such as
chi-square. Component :math:`j`, of standard deviation :math:`s_j`, is divided by
:math:`\sqrt{s_1 s_j}`: fully whitened, components that are mostly noise drown the others. The
other entries are standardised by median and half the central 68 % and mapped to 2 arcsinh x. The
distance :math:`d` of an image is that to the k-th nearest of the reference vectors. Familiarity is
the share of other calibration images that are at least as far away,

.. math:: p = \frac{1 + \#\{i: d_i \ge d\}}{n + 1}

a conformal p-value: for new images like the calibration images it falls below :math:`\epsilon`
with a probability of at most :math:`\epsilon`.

References:
    Sun et al. 2022, arXiv:2204.06507 (nearest neighbours); Wang et al. 2022, arXiv:2203.10807
    (residual of the principal components); Bates et al. 2023, arXiv:2104.08279 (p-values).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float16, Float32

__all__ = ["Familiarity", "familiarity_from", "numeric_columns"]

Columns = Mapping[str, Sequence[Any]]

_COMPONENTS = 8
_IMAGES_PER_COMPONENT = 10
_LEAST_SPREAD = 0.01  # of that of the first component
_LEFT = 0.01  # of the features' norm, below which nothing counts as left
_MOST_REFERENCES, _MOST_DISTANCES = 2_000, 10_000
_NEIGHBOURS = 10
_WEIGHT = 2.0  # of diagnostics against components
_TIE = 1e-6  # relative difference of distances that are equal but for rounding


@dataclass(frozen=True)
class Familiarity:
    """Reference vectors, and the distances of calibration images to them.

    Attributes:
        mean: Mean of the features.
        components: Their principal components, orthonormal.
        spread: Divisor of each component.
        floor: Norm of the residual of the features below which it is ignored.
        diagnostics: Names of the columns that are compared in addition to the features.
        centre: Median of the logarithm of the residual and of each diagnostic.
        scale: Half the central 68 % of each.
        reference: The reference vectors.
        distances: Distance of each calibration image to them.
    """

    mean: Float32[np.ndarray, " f"]
    components: Float32[np.ndarray, "f d"]
    spread: Float32[np.ndarray, " d"]
    floor: float
    diagnostics: tuple[str, ...]
    centre: Float[np.ndarray, " e"]
    scale: Float[np.ndarray, " e"]
    reference: Float16[np.ndarray, "m de"]
    distances: Float[np.ndarray, " n"]

    def __repr__(self) -> str:
        return f"Familiarity({len(self.reference)} references, {len(self.distances)} distances)"

    def __call__(
        self, features: Float[np.ndarray, "b f"], columns: Columns
    ) -> Float[np.ndarray, " b"]:
        """Familiarity of each image, from 0 to 1; NaN if a diagnostic is not a number.

        Args:
            features: Features of the images.
            columns: Results of the preprocessing for each, including the diagnostics.
        """
        found = self.distance(features, columns)
        further = self.distances >= found[:, None] * (1 - _TIE)
        share = (1 + further.sum(axis=1)) / (1 + len(self.distances))
        return np.where(np.isnan(found), np.nan, share)

    def distance(
        self, features: Float[np.ndarray, "b f"], columns: Columns
    ) -> Float[np.ndarray, " b"]:
        """Distance of each image to the k-th nearest reference."""
        vectors = self._vectors(features, _stacked(columns, self.diagnostics, len(features)))
        return _distances(vectors, self.reference)

    def _vectors(
        self, features: Float[np.ndarray, "b f"], diagnostics: Float[np.ndarray, "b _"]
    ) -> Float[np.ndarray, "b de"]:
        inside, left = _projected(features - self.mean, self.components, self.floor)
        further = (np.column_stack([left, diagnostics]) - self.centre) / self.scale
        return np.column_stack([inside / self.spread, _WEIGHT * np.arcsinh(further)])


def familiarity_from(
    features: Float[np.ndarray, "n f"], columns: Columns, *, seed: int = 0
) -> Familiarity:
    """Build a measure of familiarity from calibration images.

    A random half of them are the references; the distances of the others show what is usual.

    Args:
        features: Features of calibration images, two or more, which no weight was fitted to.
        columns: Results of the preprocessing for each; numbers that are finite for all images
            are diagnostics.
        seed: Seed of the division.
    """
    features = features.astype(np.float64)
    order = np.random.default_rng(seed).permutation(len(features))
    half = min(len(order) // 2, _MOST_REFERENCES)
    first, second = order[:half], order[half : half + _MOST_DISTANCES]
    names = numeric_columns(columns)
    diagnostics = _stacked(columns, names, len(features))
    spread_out = np.array([_scale(column) > 0 for column in diagnostics[first].T], dtype=bool)
    names = tuple(np.array(names, dtype=object)[spread_out])
    diagnostics = diagnostics[:, spread_out]
    empty = _space(features[first], diagnostics[first], names)
    reference = empty._vectors(features[first], diagnostics[first]).astype(np.float16)
    distances = _distances(empty._vectors(features[second], diagnostics[second]), reference)
    return Familiarity(**{**vars(empty), "reference": reference, "distances": np.sort(distances)})


def numeric_columns(columns: Columns) -> tuple[str, ...]:
    """Names of the columns that hold a finite number for every image."""
    return tuple(
        name
        for name, values in columns.items()
        if all(_is_number(value) and np.isfinite(value) for value in values)
    )


def _space(
    features: Float[np.ndarray, "m f"], diagnostics: Float[np.ndarray, "m _"], names: Sequence[str]
) -> Familiarity:
    """Principal components and scales of the references, without vectors and distances."""
    mean = features.mean(axis=0).astype(np.float32)
    centred = features - mean
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    spread = sizes / np.sqrt(len(features))
    most = min(_COMPONENTS, len(features) // _IMAGES_PER_COMPONENT)
    kept = int((spread[:most] > _LEAST_SPREAD * max(spread[0], np.finfo(float).tiny)).sum())
    components = axes[:kept].T.astype(np.float32)
    floor = _LEFT * float(np.sqrt((centred**2).sum(axis=1).mean())) or _LEFT
    left = _projected(centred, components, floor)[1]
    further = np.column_stack([left, diagnostics])
    scale = np.array([_scale(column) for column in further.T])
    scale[0] = max(scale[0], _LEFT)
    return Familiarity(
        mean=mean,
        components=components,
        spread=np.sqrt(spread[0] * spread[:kept]).astype(np.float32),
        floor=floor,
        diagnostics=tuple(names),
        centre=np.median(further, axis=0),
        scale=scale,
        reference=np.empty((0, kept + further.shape[1]), dtype=np.float16),
        distances=np.empty(0),
    )


def _projected(
    centred: Float[np.ndarray, "b f"], components: Float32[np.ndarray, "f d"], floor: float
) -> tuple[Float[np.ndarray, "b d"], Float[np.ndarray, " b"]]:
    """Coordinates along the components, and the logarithm of the norm of the residual."""
    inside = centred @ components.astype(np.float64)
    rest = np.maximum((centred**2).sum(axis=1) - (inside**2).sum(axis=1), 0)
    return inside, 0.5 * np.log(rest + floor**2)


def _distances(
    vectors: Float[np.ndarray, "b de"], reference: Float16[np.ndarray, "m de"]
) -> Float[np.ndarray, " b"]:
    points = reference.astype(np.float64)
    k = min(_NEIGHBOURS, len(points)) - 1
    squares = (((points - vector) ** 2).sum(axis=1) for vector in vectors)
    return np.sqrt([np.partition(square, k)[k] for square in squares])


def _scale(values: Float[np.ndarray, " m"]) -> float:
    """Half the central 68 % of the values, or their standard deviation if that is zero."""
    low, high = np.quantile(values, (0.16, 0.84))
    return float((high - low) / 2 or values.std())


def _stacked(columns: Columns, names: Sequence[str], count: int) -> Float[np.ndarray, "b _"]:
    """Columns as numbers; NaN for missing values."""
    values = [
        [float(value) if _is_number(value) else np.nan for value in columns[name]] for name in names
    ]
    return np.array(values, dtype=np.float64).reshape(len(names), count).T


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
