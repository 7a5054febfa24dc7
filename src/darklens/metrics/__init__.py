"""Metrics as pure functions: of labels and probabilities, and of a generated and a genuine set.

For classifiers every statistic takes `weights`: how often each image counts. Bootstrap resamples
are such weights, so an interval needs no loop over resamples.

For generators a set is a table of features with a row for each image, or the images themselves.
Work is done in double precision, block by block, so that memory stays flat.
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
)
from darklens.metrics.coverage import (
    CoverageScores,
    coverage_scores,
)
from darklens.metrics.frechet import (
    Extrapolation,
    Floor,
    extrapolate_frechet,
    frechet_distance,
    gaussian_frechet_distance,
    split_half_floor,
)
from darklens.metrics.kernel_distance import (
    kernel_distance,
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
    "Floor",
    "Interval",
    "Memorisation",
    "accuracy",
    "auc_interval",
    "auc_per_class",
    "azimuthal_power_spectrum",
    "bootstrap_interval",
    "classifier_two_sample",
    "confusion_matrix",
    "coverage_scores",
    "ellipticity",
    "expected_calibration_error",
    "extrapolate_frechet",
    "fit_temperature",
    "frechet_distance",
    "gaussian_frechet_distance",
    "holm_correction",
    "kernel_distance",
    "kernel_distance_interval",
    "kolmogorov_smirnov",
    "logistic_scores",
    "macro_auc",
    "memorisation_test",
    "nearest_neighbours",
    "network_scores",
    "paired_difference",
    "pixel_histogram",
    "reliability_curve",
    "resampling_weights",
    "ring_radius",
    "roc_curve",
    "split_half_floor",
    "total_flux",
    "transfer_accuracy",
]
