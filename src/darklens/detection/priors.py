"""Priors of everything that is free in a flexible lens.

They are those of galaxy-scale lenses in general, and wide where the data decide anyway.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from darklens.detection.flexible_lens import MULTIPOLES, FlexibleLens
from darklens.detection.lens_state import LensState
from darklens.detection.satellites import SATELLITE_SIZE
from darklens.modelling.parameters import Parameter

__all__ = ["FlexibilityPriors", "prior_of"]

Vector = Float[np.ndarray, " k"]


@dataclass(frozen=True)
class FlexibilityPriors:
    """Standard deviations.

    Args:
        slope: Of the density slope about 2. Auger et al. 2010, arXiv:1007.2880, have 0.16.
        ellipticity: Of each component of the ellipticity of the mass.
        shear: Of each component of the external shear.
        offset: Of the mass from the light of the lens [arcsec].
        multipole: Amplitude of each multipole over the Einstein radius. Hao et al. 2006,
            arXiv:astro-ph/0605319, have 0.003 to 0.01 for the light of elliptical galaxies.
        lens_light: Relative departures of the lens light from its profile.
        psf_width: Relative width of the PSF.
        psf_ellipticity: Ellipticity of the PSF.
        mass: Of the perturber about 10^9 solar masses [dex].
        satellite: Einstein radius of a satellite, half of a normal distribution [arcsec].
        satellite_offset: Of a satellite's mass from the place that was given [arcsec].
        registration: Of the place of a further band from that of its world coordinates, or of the
            centre of its image [arcsec].
    """

    slope: float = 0.2
    ellipticity: float = 0.2
    shear: float = 0.07
    offset: float = 0.05
    multipole: float = 0.004
    lens_light: float = 0.1
    psf_width: float = 0.03
    psf_ellipticity: float = 0.015
    mass: float = 1.5
    satellite: float = 0.5
    satellite_offset: float = 0.05
    registration: float = 0.05


_FLAT = 10.0
_SOURCE_INDEX, _LENS_INDEX = (2.0, 1.5), (4.0, 1.5)  # Sersic indices
_SKY = 1e3  # in units of the noise


def prior_of(
    lens: FlexibleLens,
    start: LensState,
    source: Float[np.ndarray, " m"],
    noise: float,
    priors: FlexibilityPriors,
) -> tuple[Vector, Vector]:
    """Prior means and standard deviations, in the order of `LensState.vector`.

    Args:
        lens: The model.
        start: Where the fit starts.
        source: Standard deviations of the field in the source.
        noise: Typical noise of a pixel.
        priors: The others.
    """
    mean, spread = start.parameters.copy(), np.full(len(Parameter), _FLAT)
    mean[Parameter.LENS_SLOPE], spread[Parameter.LENS_SLOPE] = 2.0, priors.slope
    for k in (Parameter.LENS_E1, Parameter.LENS_E2):
        mean[k], spread[k] = 0.0, priors.ellipticity
    for k in (Parameter.GAMMA1, Parameter.GAMMA2):
        mean[k], spread[k] = 0.0, priors.shear
    for k in (Parameter.LENS_X, Parameter.LENS_Y):
        spread[k] = priors.offset if lens.model.lens_light else 2 * priors.offset
        if lens.model.lens_light:
            mean[k] = start.parameters[k - Parameter.LENS_X + Parameter.LENS_LIGHT_X]
    for k in (Parameter.SOURCE_E1, Parameter.SOURCE_E2):
        mean[k], spread[k] = 0.0, 0.3
    mean[Parameter.SOURCE_SERSIC_INDEX], spread[Parameter.SOURCE_SERSIC_INDEX] = _SOURCE_INDEX
    mean[Parameter.LENS_LIGHT_SERSIC_INDEX], spread[Parameter.LENS_LIGHT_SERSIC_INDEX] = _LENS_INDEX
    for k in (Parameter.SOURCE_LOG_RADIUS, Parameter.LENS_LIGHT_LOG_RADIUS):
        spread[k] = 1.0
    spread[Parameter.BACKGROUND] = _SKY * noise
    free, p = list(lens.free), len(start.perturber)
    satellites = len(lens.satellites) // SATELLITE_SIZE
    psf = [priors.psf_width, priors.psf_ellipticity, priors.psf_ellipticity]
    deviations = [
        spread[free],
        np.full(len(MULTIPOLES), priors.multipole),
        np.tile([priors.satellite_offset] * 2 + [priors.satellite], satellites),
        np.array([_FLAT, _FLAT, priors.mass])[:p],
        np.array(psf),
        np.full(len(start.light), priors.lens_light),
        source,
    ]
    perturber = start.perturber.copy()
    if p:
        perturber[2] = 9.0
    zeros = [np.zeros(3), np.zeros(len(start.light)), np.zeros(len(source))]
    places = lens.satellites.copy()
    places[SATELLITE_SIZE - 1 :: SATELLITE_SIZE] = 0.0
    means = [mean[free], np.zeros(len(MULTIPOLES)), places, perturber, *zeros]
    return np.concatenate(means), np.concatenate(deviations)
