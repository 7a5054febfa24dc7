"""Metrics as pure functions of labels and probabilities, and their bootstrap intervals.

Every statistic takes `weights`: how often each image counts. Bootstrap resamples are such
weights, so an interval needs no loop over resamples.
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

__all__ = [
    "Interval",
    "accuracy",
    "auc_per_class",
    "bootstrap_interval",
    "confusion_matrix",
    "expected_calibration_error",
    "fit_temperature",
    "macro_auc",
    "paired_difference",
    "reliability_curve",
    "resampling_weights",
    "roc_curve",
]
