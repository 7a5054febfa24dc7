"""Gravitational lensing: profiles, populations, telescopes, and simulated images of them.

Import order inside: simulator -> population -> presets -> render -> profiles, substructure,
instrument, noise -> cosmology, grid, distributions, elementary. No torch.
"""

from darklens.lensing.cosmology import Cosmology
from darklens.lensing.grid import PixelGrid
from darklens.lensing.instrument import GaussianPSF, Instrument, PixelPSF
from darklens.lensing.presets import Preset, load_preset, preset_names
from darklens.lensing.profiles import SIE, TNFW, LineMass, PointMass, Sersic, Shear
from darklens.lensing.render import Scene, render, source_plane
from darklens.lensing.simulator import Lens, Lenses, Simulator
from darklens.lensing.substructure import Perturbers

__all__ = [
    "SIE",
    "TNFW",
    "Cosmology",
    "GaussianPSF",
    "Instrument",
    "Lens",
    "Lenses",
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
    "load_preset",
    "preset_names",
    "render",
    "source_plane",
]
