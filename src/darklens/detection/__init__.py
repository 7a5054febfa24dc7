"""Subhalos in real lenses: a flexible fit, the scan for subhalos, and what could have been seen.

Arrows inside point one way: detector -> refinement, trust, estimates -> lens_fit, scan ->
starting_fit, band_fit, gauss_newton, priors -> bands, joint_solution -> flexible_lens,
linear_solution -> source_modes, light_modes, perturbers; source_plane -> band_fit. No torch.
"""

from darklens.detection.detector import Detection, SubhaloDetector
from darklens.detection.estimates import lens_covariance, lens_estimates
from darklens.detection.lens_fit import LensFit, LensFitter
from darklens.detection.perturbers import (
    CompactMass,
    Distances,
    TruncatedNFW,
    concentration,
    expected_subhalos,
)
from darklens.detection.priors import FlexibilityPriors
from darklens.detection.refinement import Subhalo
from darklens.detection.scan import Scan, false_alarm

__all__ = [
    "CompactMass",
    "Detection",
    "Distances",
    "FlexibilityPriors",
    "LensFit",
    "LensFitter",
    "Scan",
    "Subhalo",
    "SubhaloDetector",
    "TruncatedNFW",
    "concentration",
    "expected_subhalos",
    "false_alarm",
    "lens_covariance",
    "lens_estimates",
]
