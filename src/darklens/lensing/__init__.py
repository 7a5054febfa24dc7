"""Gravitational lensing: profiles, populations, telescopes, and simulated images of them.

Import order inside: estimates, image_fit -> fit -> first_guess -> smooth -> population -> presets
-> render -> profiles, substructure, instrument, noise -> cosmology, grid, distributions,
elementary; counts and the simulator stand beside the fit. No torch.
"""

from darklens.lensing.cosmology import Cosmology
from darklens.lensing.counts import Counts, recover_counts
from darklens.lensing.detection import Detection, DetectionMaps, FoundLine, central
from darklens.lensing.estimates import Estimate, fit_estimates, fitted_scene
from darklens.lensing.family import family_for, sky_noise
from darklens.lensing.fit import SmoothFit, SmoothFitter
from darklens.lensing.grid import PixelGrid
from darklens.lensing.image_fit import ImageFit, ImageFitter
from darklens.lensing.instrument import GaussianPSF, Instrument, PixelPSF
from darklens.lensing.likelihood import GaussianLikelihood
from darklens.lensing.line_fit import LineFitter
from darklens.lensing.presets import Preset, load_preset, parse_preset, preset_names
from darklens.lensing.profiles import SIE, TNFW, LineMass, PointMass, Sersic, Shear
from darklens.lensing.render import Scene, render, source_plane
from darklens.lensing.simulator import Lens, Lenses, Simulator
from darklens.lensing.smooth import PARAMETERS, SmoothModel, scene_numbers, smooth_model
from darklens.lensing.substructure import Perturbers

__all__ = [
    "PARAMETERS",
    "SIE",
    "TNFW",
    "Cosmology",
    "Counts",
    "Detection",
    "DetectionMaps",
    "Estimate",
    "FoundLine",
    "GaussianLikelihood",
    "GaussianPSF",
    "ImageFit",
    "ImageFitter",
    "Instrument",
    "Lens",
    "Lenses",
    "LineFitter",
    "LineMass",
    "Perturbers",
    "PixelGrid",
    "PixelPSF",
    "PointMass",
    "Preset",
    "Scene",
    "Sersic",
    "Shear",
    "Simulator",
    "SmoothFit",
    "SmoothFitter",
    "SmoothModel",
    "central",
    "family_for",
    "fit_estimates",
    "fitted_scene",
    "load_preset",
    "parse_preset",
    "preset_names",
    "recover_counts",
    "render",
    "scene_numbers",
    "sky_noise",
    "smooth_model",
    "source_plane",
]
