"""Bootstrap intervals of statistics over images, and of the difference between two models.

A resample is a row of weights: the number of times each image was drawn. A statistic maps such
rows, (b, n), to values, (b,) or (b, ...), so that a block of resamples is computed at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

__all__ = [
    "Interval",
    "Statistic",
    "bootstrap_interval",
    "paired_difference",
    "resampling_weights",
]

RESAMPLES = 2000
_BLOCK = 1_000_000  # weights in memory at once

Statistic = Callable[[Any], Any]  # weights (b, n) to values (b, ...)


@dataclass(frozen=True)
class Interval:
    """The value of a statistic and its interval; arrays for a statistic that is an array."""

    value: Float[np.ndarray, "..."]
    low: Float[np.ndarray, "..."]
    high: Float[np.ndarray, "..."]


def bootstrap_interval(
    statistic: Statistic,
    strata: Int[np.ndarray, " n"],
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
    centred: bool = False,
) -> Interval:
    """Percentile bootstrap interval of a statistic.

    Args:
        statistic: Function of weights (b, n) that returns values (b, ...).
        strata: Stratum of each image, usually its class. Images are resampled within strata, so
            each resample keeps the class counts. All zeros for a plain bootstrap.
        resamples: Number of resamples.
        level: Confidence level.
        seed: Seed of the resamples.
        centred: Shift the resampled values so that their mean equals the value on the data. For
            statistics that are biased under resampling, such as the calibration error.

    >>> heights = np.array([1.0, 2.0, 3.0, 4.0])
    >>> result = bootstrap_interval(lambda w: w @ heights / w.sum(-1), np.zeros(4, int))
    >>> float(result.value), bool(result.low < 2.5 < result.high)
    (2.5, True)
    """
    value = np.asarray(statistic(np.ones((1, len(strata)))))[0]
    blocks = resampling_weights(strata, resamples=resamples, seed=seed)
    samples = np.concatenate([np.asarray(statistic(block)) for block in blocks])
    if centred:
        samples = samples - samples.mean(axis=0) + value
    low, high = _percentiles(samples, level)
    return Interval(np.asarray(value), low, high)


def paired_difference(
    first: Statistic,
    second: Statistic,
    strata: Int[np.ndarray, " n"],
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of `first - second`, with both computed on the same resampled images."""
    return bootstrap_interval(
        lambda weights: np.asarray(first(weights)) - np.asarray(second(weights)),
        strata,
        resamples=resamples,
        level=level,
        seed=seed,
    )


def resampling_weights(
    strata: Int[np.ndarray, " n"], *, resamples: int, seed: int
) -> Iterator[Float[np.ndarray, "b n"]]:
    """Blocks of resamples; a row holds the number of times each image was drawn."""
    generator = np.random.default_rng(seed)
    images = len(strata)
    groups = [np.flatnonzero(strata == group) for group in np.unique(strata)]
    block = max(1, _BLOCK // images)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        weights = np.empty((rows, images))
        for group in groups:
            size = len(group)
            draws = generator.integers(size, size=(rows, size)) + size * np.arange(rows)[:, None]
            counts = np.bincount(draws.ravel(), minlength=rows * size)
            weights[:, group] = counts.reshape(rows, size)
        yield weights


def _percentiles(samples: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Both ends over the first axis, ignoring NaN; NaN where every resample is NaN."""
    tail = (1 - level) / 2
    missing = np.isnan(samples).all(axis=0)
    ends = np.nanquantile(np.where(missing, 0.0, samples), [tail, 1 - tail], axis=0)
    ends = np.where(missing, np.nan, ends)
    return np.asarray(ends[0]), np.asarray(ends[1])
