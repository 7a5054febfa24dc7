"""Lens modelling: the smooth model, its fit, photon counts and matched filters.

Arrows inside point one way: lens_description -> lens_coordinates, point_masses; credibility ->
multiple_images; structure_pursuit -> joint_fit -> marginal_filter, marginalised_fit; all of these
and image_fit, line_fit, parameter_table, point_pursuit, posterior -> fit, matched_filter,
source_structure -> nuisance -> initial_guess -> levenberg_marquardt, model_from_preset ->
smooth_model -> likelihood, derivatives -> deflections -> parameters. No torch.
"""

from darklens.modelling.adaptation import adapt_preset, sky_noise
from darklens.modelling.credibility import doubt_of_lens
from darklens.modelling.fit import SmoothFit, SmoothFitter
from darklens.modelling.image_fit import ImageFit, ImageFitter
from darklens.modelling.joint_fit import with_line_of_mass
from darklens.modelling.lens_description import LensDescriber
from darklens.modelling.likelihood import GaussianLikelihood
from darklens.modelling.line_fit import LineFitter, with_line
from darklens.modelling.marginal_filter import MarginalFilters
from darklens.modelling.marginalised_fit import (
    MarginalisedFit,
    MarginalisedFitter,
    central_sky,
    marginalised_model,
)
from darklens.modelling.matched_filter import (
    LineCandidate,
    MatchedFilters,
    SignificanceMaps,
    central,
    orthonormal,
)
from darklens.modelling.model_from_preset import PRIOR_DRAWS, smooth_model
from darklens.modelling.nuisance import KINDS, NuisancePriors
from darklens.modelling.parameter_table import (
    Estimate,
    conventional_parameters,
    fit_estimates,
    fitted_scene,
)
from darklens.modelling.parameters import PARAMETERS, Parameter, scene_parameters
from darklens.modelling.photon_counts import Counts, any_counts, recover_counts
from darklens.modelling.point_pursuit import PointPursuit, pursue_points
from darklens.modelling.posterior import Posterior, sample_posterior, with_free_slope
from darklens.modelling.smooth_model import SmoothModel
from darklens.modelling.structure_pursuit import parts_of, with_source_structure

__all__ = [
    "KINDS",
    "PARAMETERS",
    "PRIOR_DRAWS",
    "Counts",
    "Estimate",
    "GaussianLikelihood",
    "ImageFit",
    "ImageFitter",
    "LensDescriber",
    "LineCandidate",
    "LineFitter",
    "MarginalFilters",
    "MarginalisedFit",
    "MarginalisedFitter",
    "MatchedFilters",
    "NuisancePriors",
    "Parameter",
    "PointPursuit",
    "Posterior",
    "SignificanceMaps",
    "SmoothFit",
    "SmoothFitter",
    "SmoothModel",
    "adapt_preset",
    "any_counts",
    "central",
    "central_sky",
    "conventional_parameters",
    "doubt_of_lens",
    "fit_estimates",
    "fitted_scene",
    "marginalised_model",
    "orthonormal",
    "parts_of",
    "pursue_points",
    "recover_counts",
    "sample_posterior",
    "scene_parameters",
    "sky_noise",
    "smooth_model",
    "with_free_slope",
    "with_line",
    "with_line_of_mass",
    "with_source_structure",
]
