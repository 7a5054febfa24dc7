"""Metrics as pure functions, for classifiers and for generators.

Statistics of a classifier take labels, probabilities and `weights`, the number of times that each
image counts. A bootstrap resample is such a row of weights, so intervals need no loop over
resamples.

Scores of a generator compare two sets, real and generated. A set is a table of features with one
row per image, or the images themselves. All sums are in double precision and in blocks, so that
memory does not grow with the size of the sets.
"""

from darklens.metrics.bootstrap import (
    Interval,
    bootstrap_interval,
    paired_difference,
    resampling_weights,
)
from darklens.metrics.calibration import (
    expected_calibration_error,
    fit_temperature,
    reliability_curve,
)
from darklens.metrics.classification import (
    accuracy,
    auc_per_class,
    confusion_matrix,
    macro_auc,
    roc_curve,
    weighted_mean,
)
from darklens.metrics.conformal import (
    conformal_quantile,
    mean_set_size,
    prediction_sets,
    probability_above,
    set_coverage,
)
from darklens.metrics.coverage import (
    CoverageScores,
    coverage_scores,
)
from darklens.metrics.frechet import (
    Extrapolation,
    extrapolate_frechet,
    frechet_distance,
)
from darklens.metrics.kernel_distance import (
    kernel_distance_interval,
)
from darklens.metrics.morphology import (
    ellipticity,
    pixel_histogram,
    ring_radius,
    total_flux,
)
from darklens.metrics.neighbours import (
    Memorisation,
    memorisation_test,
    nearest_neighbours,
)
from darklens.metrics.pqmass import RegionScore, pqmass
from darklens.metrics.small_network import (
    network_scores,
)
from darklens.metrics.spectrum import (
    azimuthal_power_spectrum,
)
from darklens.metrics.transfer import (
    transfer_accuracy,
)
from darklens.metrics.two_sample import (
    auc_interval,
    classifier_two_sample,
    holm_correction,
    kolmogorov_smirnov,
    logistic_scores,
)

__all__ = [
    "CoverageScores",
    "Extrapolation",
    "Interval",
    "Memorisation",
    "RegionScore",
    "accuracy",
    "auc_interval",
    "auc_per_class",
    "azimuthal_power_spectrum",
    "bootstrap_interval",
    "classifier_two_sample",
    "conformal_quantile",
    "confusion_matrix",
    "coverage_scores",
    "ellipticity",
    "expected_calibration_error",
    "extrapolate_frechet",
    "fit_temperature",
    "frechet_distance",
    "holm_correction",
    "kernel_distance_interval",
    "kolmogorov_smirnov",
    "logistic_scores",
    "macro_auc",
    "mean_set_size",
    "memorisation_test",
    "nearest_neighbours",
    "network_scores",
    "paired_difference",
    "pixel_histogram",
    "pqmass",
    "prediction_sets",
    "probability_above",
    "reliability_curve",
    "resampling_weights",
    "ring_radius",
    "roc_curve",
    "set_coverage",
    "total_flux",
    "transfer_accuracy",
    "weighted_mean",
]
