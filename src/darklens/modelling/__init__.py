"""A lens found in an image: the smooth model and its fit, photon counts, matched filters.

Arrows inside point one way: image_fit, line_fit, parameter_table -> fit -> initial_guess ->
levenberg_marquardt -> smooth_model -> likelihood, derivatives. No torch.
"""

from darklens.modelling.adaptation import adapt_preset, sky_noise
from darklens.modelling.fit import SmoothFit, SmoothFitter
from darklens.modelling.image_fit import ImageFit, ImageFitter
from darklens.modelling.likelihood import GaussianLikelihood
from darklens.modelling.line_fit import LineFitter
from darklens.modelling.matched_filter import (
    LineCandidate,
    MatchedFilters,
    SignificanceMaps,
    central,
)
from darklens.modelling.parameter_table import Estimate, fit_estimates, fitted_scene
from darklens.modelling.photon_counts import Counts, recover_counts
from darklens.modelling.smooth_model import (
    PARAMETERS,
    PRIOR_DRAWS,
    SmoothModel,
    scene_parameters,
    smooth_model,
)

__all__ = [
    "PARAMETERS",
    "PRIOR_DRAWS",
    "Counts",
    "Estimate",
    "GaussianLikelihood",
    "ImageFit",
    "ImageFitter",
    "LineCandidate",
    "LineFitter",
    "MatchedFilters",
    "SignificanceMaps",
    "SmoothFit",
    "SmoothFitter",
    "SmoothModel",
    "adapt_preset",
    "central",
    "fit_estimates",
    "fitted_scene",
    "recover_counts",
    "scene_parameters",
    "sky_noise",
    "smooth_model",
]
