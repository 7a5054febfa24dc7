"""Compare a generated set with a real one, and two halves of the real one with each other.

Each score is given with its split-half baseline: the same score between two random halves of the
real set, which differ only by chance. Halves are stratified by class. A score that depends on the
number of images is also computed between half of the generated and half of the real set, and it is
this value that is compared with the baseline.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import binomtest

from darklens.errors import BadData, NotComputed
from darklens.metrics import (
    CoverageScores,
    Interval,
    RegionScore,
    classifier_two_sample,
    coverage_scores,
    extrapolate_frechet,
    frechet_distance,
    kernel_distance_interval,
    logistic_scores,
    memorisation_test,
    nearest_neighbours,
    network_scores,
    pqmass,
    transfer_accuracy,
)
from darklens.metrics.two_sample import Scorer

__all__ = [
    "SMALLEST_SET",
    "FeatureScores",
    "FrechetScores",
    "MemorisationScores",
    "ScoreWithBaseline",
    "score_features",
    "score_frechet",
    "score_memorisation",
    "share_interval",
    "stratified_halves",
]

SMALLEST_SET = 20  # images: halves of ten, five folds, five parts

_CLOSEST = 6
_SCORERS: dict[str, Scorer] = {"logistic": logistic_scores, "network": network_scores}

Real = Float[np.ndarray, "n d"]
Generated = Float[np.ndarray, "m d"]
RealLabels = Int[np.ndarray, " n"]
GeneratedLabels = Int[np.ndarray, " m"]


@dataclass(frozen=True)
class ScoreWithBaseline:
    """A score with its 95 % interval, and the same between halves of the real set."""

    value: float
    low: float
    high: float
    baseline: float
    baseline_low: float
    baseline_high: float


@dataclass(frozen=True)
class FrechetScores:
    """Fréchet distances for one kind of features.

    Attributes:
        value: Between all generated and all real images.
        halves: Mean between half of the generated and half of the real images.
        halves_spread: Standard deviation over the random splits.
        baseline: Mean between two halves of the real images.
        baseline_spread: Standard deviation over the random splits.
        ratio: `halves` in units of `baseline`; 1 if the sets differ only by chance.
        limit: Extrapolation to infinitely many images.
        limit_error: Standard error of `limit` from the scatter about the line.
        sizes: Number of images in the smaller set for each point of the extrapolation.
        distances: Distance at each of these sizes.
        baseline_sizes: The same between two halves of the real images.
        baseline_distances: Distance at each of these sizes.
        splits: Number of random splits.
    """

    value: float
    halves: float
    halves_spread: float
    baseline: float
    baseline_spread: float
    ratio: float
    limit: float
    limit_error: float
    sizes: tuple[int, ...]
    distances: tuple[float, ...]
    baseline_sizes: tuple[int, ...]
    baseline_distances: tuple[float, ...]
    splits: int


@dataclass(frozen=True)
class FeatureScores:
    """All comparisons for one kind of features.

    Attributes:
        frechet: Fréchet distances.
        kernel: Kernel distance.
        coverage: Precision, recall, density and coverage, between halves.
        coverage_baseline: The same between two halves of the real images.
        two_sample: How well a classifier tells the sets apart, by the classifier's name.
        pqmass: Counts of half of the images in random regions; None without the package `pqm`, or
            with too few different images.
        pqmass_baseline: The same between two halves of the real images.
        transfer: Accuracy on real images after training on generated images; the baseline is for
            training on as many real images. None if the classes are unknown.
    """

    frechet: FrechetScores
    kernel: ScoreWithBaseline
    coverage: CoverageScores
    coverage_baseline: CoverageScores
    two_sample: dict[str, ScoreWithBaseline]
    pqmass: RegionScore | None
    pqmass_baseline: RegionScore | None
    transfer: ScoreWithBaseline | None
    not_computed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MemorisationScores:
    """Whether generated images are closer to the training images than real ones are.

    Attributes:
        p_value: Probability that independent images are this close (one-sided Mann-Whitney test).
        share_close: Fraction of the generated images closer than `threshold`, 0.01 by chance.
        threshold: First percentile of the distances of real images.
        median_generated: Median distance of generated images to their nearest training image.
        median_real: The same for real images not used in training.
        closest: Generated images closest to a training image.
        closest_training: Their nearest training images.
        closest_distances: Their distances.
        training: Number of training images compared with.
    """

    p_value: float
    share_close: float
    threshold: float
    median_generated: float
    median_real: float
    closest: tuple[int, ...]
    closest_training: tuple[int, ...]
    closest_distances: tuple[float, ...]
    training: int


def score_features(
    real: Real,
    generated: Generated,
    real_labels: RealLabels,
    generated_labels: GeneratedLabels,
    *,
    splits: int = 5,
    seed: int = 0,
) -> FeatureScores:
    """Compute all comparisons for one kind of features.

    Args:
        real: Features of the real images.
        generated: Features of the generated ones.
        real_labels: Class of each real image; all equal if unknown.
        generated_labels: Class of each generated image; -1 if unknown.
        splits: Number of random splits for the Fréchet distance.
        seed: Seed of random splits, folds and resamples.

    Raises:
        BadData: If a set has fewer than `SMALLEST_SET` images.
    """
    frechet = score_frechet(
        real, generated, real_labels, generated_labels, splits=splits, seed=seed
    )
    generator = np.random.default_rng(seed)
    first, second = stratified_halves(real_labels, generator)
    made, _ = stratified_halves(generated_labels, generator)
    size = min(len(first), len(made))
    regions, baseline, missing = None, None, {}
    try:
        regions = pqmass(real[first[:size]], generated[made[:size]], seed=seed)
        baseline = pqmass(real[first[:size]], real[second[:size]], seed=seed)
    except NotComputed as error:
        missing["pqmass"] = str(error)
    return FeatureScores(
        frechet=frechet,
        kernel=_with_baseline(
            kernel_distance_interval(real, generated, seed=seed),
            kernel_distance_interval(real[first], real[second], seed=seed),
        ),
        coverage=coverage_scores(real[first[:size]], generated[made[:size]]),
        coverage_baseline=coverage_scores(real[first[:size]], real[second[:size]]),
        two_sample={
            name: _with_baseline(
                classifier_two_sample(real, generated, scorer=scorer, seed=seed),
                classifier_two_sample(real[first], real[second], scorer=scorer, seed=seed),
            )
            for name, scorer in _SCORERS.items()
        },
        pqmass=regions,
        pqmass_baseline=baseline,
        transfer=_transfer(real, generated, real_labels, generated_labels, (first, second), made),
        not_computed=missing,
    )


def score_frechet(
    real: Real,
    generated: Generated,
    real_labels: RealLabels,
    generated_labels: GeneratedLabels,
    *,
    splits: int = 5,
    seed: int = 0,
) -> FrechetScores:
    """Fréchet distance, its baseline and its limit; arguments as for `score_features`."""
    if min(len(real), len(generated)) < SMALLEST_SET:
        raise BadData(
            f"{len(real)} real and {len(generated)} generated images: "
            f"scores need at least {SMALLEST_SET} of each"
        )
    generator = np.random.default_rng(seed)
    baselines, halves = [], []
    for _ in range(splits):
        first, second = stratified_halves(real_labels, generator)
        made, _ = stratified_halves(generated_labels, generator)
        size = min(len(first), len(made))
        baselines.append(frechet_distance(real[first[:size]], real[second[:size]]))
        halves.append(frechet_distance(real[first[:size]], generated[made[:size]]))
    limit = extrapolate_frechet(real, generated, seed=seed)
    alone = extrapolate_frechet(real[first], real[second], seed=seed)
    return FrechetScores(
        value=float(limit.distances[0]),
        halves=float(np.mean(halves)),
        halves_spread=_spread(halves),
        baseline=float(np.mean(baselines)),
        baseline_spread=_spread(baselines),
        ratio=float(np.mean(halves) / np.mean(baselines)),
        limit=limit.value,
        limit_error=limit.error,
        sizes=tuple(limit.sizes.tolist()),
        distances=tuple(limit.distances.tolist()),
        baseline_sizes=tuple(alone.sizes.tolist()),
        baseline_distances=tuple(alone.distances.tolist()),
        splits=splits,
    )


def score_memorisation(
    generated: Float[np.ndarray, "n *shape"],
    real: Float[np.ndarray, "m *shape"],
    training: Float[np.ndarray, "t *shape"],
) -> MemorisationScores:
    """Whether generated images are closer to the training images than real ones are.

    Args:
        generated: Features or pixels of the generated images.
        real: The same for real images not used in training.
        training: The same for the training images.
    """
    test = memorisation_test(generated, real, training)
    closest = np.argsort(test.generated, kind="stable")[:_CLOSEST]
    distances, partners = nearest_neighbours(generated[closest], training)
    return MemorisationScores(
        p_value=test.p_value,
        share_close=test.share_close,
        threshold=test.threshold,
        median_generated=float(np.median(test.generated)),
        median_real=float(np.median(test.held_out)),
        closest=tuple(closest.tolist()),
        closest_training=tuple(partners[:, 0].tolist()),
        closest_distances=tuple(distances[:, 0].tolist()),
        training=len(training),
    )


def stratified_halves(
    labels: Int[np.ndarray, " n"], generator: np.random.Generator
) -> tuple[Int[np.ndarray, " half"], Int[np.ndarray, " half"]]:
    """Two random halves of equal size, stratified by class, in random order.

    >>> first, second = stratified_halves(np.array([0, 0, 0, 0, 1, 1]), np.random.default_rng(0))
    >>> sorted([*first.tolist(), *second.tolist()]), len(first)
    ([0, 1, 2, 3, 4, 5], 3)
    """
    by_class = [generator.permutation(np.flatnonzero(labels == k)) for k in np.unique(labels)]
    order = np.concatenate(by_class)
    first, second = order[0::2], order[1::2]
    size = min(len(first), len(second))
    return generator.permutation(first)[:size], generator.permutation(second)[:size]


def _transfer(
    real: Real,
    generated: Generated,
    real_labels: RealLabels,
    generated_labels: GeneratedLabels,
    halves: Sequence[Int[np.ndarray, " half"]],
    made: Int[np.ndarray, " k"],
) -> ScoreWithBaseline | None:
    """Accuracy on either half of the real images, after training on generated or real images."""
    if len(np.unique(real_labels)) < 2 or generated_labels.min() < 0:
        return None
    if len(np.unique(generated_labels[made])) < 2:
        return None
    accuracies = np.empty((2, 2))
    for row, (learn, test) in enumerate((halves, halves[::-1])):
        target = real[test], real_labels[test]
        accuracies[row] = (
            transfer_accuracy(generated[made], generated_labels[made], *target),
            transfer_accuracy(real[learn], real_labels[learn], *target),
        )
    tested = 2 * len(halves[0])
    return _with_baseline(
        *(share_interval(share, tested) for share in accuracies.mean(axis=0).tolist())
    )


def share_interval(share: float, count: int) -> Interval:
    """Wilson 95 % interval of a fraction."""
    ends = binomtest(round(share * count), count).proportion_ci(0.95, "wilson")
    return Interval(np.asarray(share), np.asarray(ends.low), np.asarray(ends.high))


def _with_baseline(value: Interval, baseline: Interval) -> ScoreWithBaseline:
    ends = (float(getattr(x, name)) for x in (value, baseline) for name in ("value", "low", "high"))
    return ScoreWithBaseline(*ends)


def _spread(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
