"""What a lens is: profiles, substructure, telescopes, noise, and images of them.

Arrows inside point one way: render -> line_of_sight, picture_light, substructure -> profiles,
instrument, noise -> kernels, poisson -> threefry -> cosmology, grid, special_functions. No torch.
"""

from darklens.lensing.cosmology import Cosmology
from darklens.lensing.grid import PixelGrid
from darklens.lensing.instrument import GaussianPSF, Instrument, PixelPSF
from darklens.lensing.line_of_sight import CircularMasses, HaloPlane, LineOfSight
from darklens.lensing.picture_light import PictureLight
from darklens.lensing.profiles import (
    EPL,
    SIE,
    TNFW,
    LineMass,
    Multipole,
    PointMass,
    Sersic,
    Shear,
)
from darklens.lensing.render import Scene, render, source_plane
from darklens.lensing.substructure import Perturbers

__all__ = [
    "EPL",
    "SIE",
    "TNFW",
    "CircularMasses",
    "Cosmology",
    "GaussianPSF",
    "HaloPlane",
    "Instrument",
    "LineMass",
    "LineOfSight",
    "Multipole",
    "Perturbers",
    "PictureLight",
    "PixelGrid",
    "PixelPSF",
    "PointMass",
    "Scene",
    "Sersic",
    "Shear",
    "render",
    "source_plane",
]
