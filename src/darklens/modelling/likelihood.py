r"""Likelihoods: mean and variance of each stored pixel for an expected flux.

A likelihood turns the expected flux :math:`m` of the pixels behind the PSF [counts/s] into the mean
:math:`\mu` and the variance `v` of what is stored. The fit solves the score equations
:math:`\sum (n - \mu) / v \, \partial \mu = 0`, which is maximum likelihood where the noise is
Poisson or Gaussian with a given map, and quasi-likelihood (the best that uses mean and variance
alone, Wedderburn 1974, doi:10.1093/biomet/61.3.439) elsewhere.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from darklens.errors import BadPreset
from darklens.lensing.noise import CCDNoise, DeepLenseSimNoise, NoiseModel, PhotonNoise

__all__ = [
    "CCDLikelihood",
    "DeepLenseSimLikelihood",
    "GaussianLikelihood",
    "Likelihood",
    "Moments",
    "PhotonLikelihood",
    "likelihood_of",
]

Image = Float[np.ndarray, "h w"]
_LEAST_VARIANCE = 0.3  # over the model's
NoiseT = TypeVar("NoiseT", bound=NoiseModel)


@dataclass(frozen=True)
class Moments:
    """Mean and variance of each pixel, and derivatives of the mean.

    Attributes:
        mean: Expected value, in the units of the stored image.
        variance: Its variance.
        slope: Derivative of the mean with respect to the flux.
        exposure_slope: Derivative of the mean with respect to ln(exposure time).
    """

    mean: Image
    variance: Image
    slope: Image | float
    exposure_slope: Image | float = 0.0


class Likelihood(ABC):
    """Noise model of an image as the fit sees it."""

    @abstractmethod
    def moments(self, flux: Image, exposure: float) -> Moments:
        """Mean and variance for an expected flux [counts/s] and an exposure time [s]."""

    def scale(self, exposure: float) -> float:
        """Stored signal per unit of flux."""
        return 1.0

    def gain(self, exposure: float) -> float:
        """Variance per unit of stored signal, far above the background."""
        return 1.0


@dataclass(frozen=True)
class _NoiseModelLikelihood(Likelihood, Generic[NoiseT]):
    """Likelihood of a noise model.

    Args:
        noise: Noise model.
        sky_rate: Sky brightness [counts/s/pixel].
    """

    noise: NoiseT
    sky_rate: float = 0.0


@dataclass(frozen=True)
class PhotonLikelihood(_NoiseModelLikelihood[PhotonNoise]):
    """Poisson counts of source, sky and background, see `PhotonNoise`.

    Args:
        other_light: Counts that are no part of the model and were subtracted from the image, but
            whose noise it has; where they are negative, a part of the variance is left.
    """

    other_light: Image | float = 0.0

    def moments(self, flux: Image, exposure: float) -> Moments:
        """The variance is the mean, other light included."""
        root = self.noise.background_rms * exposure
        counts = exposure * (flux + self.sky_rate)
        mean = np.maximum(counts + (self.noise.background + root**2), 1e-6)
        variance = np.maximum(mean + self.other_light, _LEAST_VARIANCE * mean)
        return Moments(mean, variance, exposure, counts + 2 * root**2)

    def scale(self, exposure: float) -> float:
        """Counts per unit of flux."""
        return exposure


@dataclass(frozen=True)
class DeepLenseSimLikelihood(_NoiseModelLikelihood[DeepLenseSimNoise]):
    r"""Mean and variance of the published simulator's noise, see `DeepLenseSimNoise`.

    With :math:`\lambda = t m`, :math:`s^2 = \lambda + r^2 t^2` and :math:`Y = \max(0,
    \mathcal{N}(\lambda, s^2))`, counts are :math:`\mathrm{Poisson}(Y)`, so that with the normal
    density :math:`\varphi` and distribution :math:`\Phi` at :math:`\lambda / s`

    .. math:: \mu = \lambda \Phi + s \varphi, \qquad
              v = \mu + (\lambda^2 + s^2) \Phi + \lambda s \varphi - \mu^2
    """

    def moments(self, flux: Image, exposure: float) -> Moments:
        """Rectified normal, then Poisson."""
        background = (self.noise.background_rms * exposure) ** 2
        rate = np.maximum(exposure * (flux + self.sky_rate), 0.0)
        s = np.sqrt(rate + background)
        ratio = rate / s
        below = ndtr(ratio)
        density = np.exp(-0.5 * ratio**2) / np.sqrt(2 * np.pi)
        mean = rate * below + s * density
        variance = mean + (rate**2 + s**2) * below + rate * s * density - mean**2
        slope = below + 0.5 * density / s  # d mean / d rate; d mean / d s is the density
        return Moments(
            mean,
            variance,
            exposure * slope,
            rate * below + density * (0.5 * rate + background) / s,
        )

    def gain(self, exposure: float) -> float:
        """The photon noise enters twice."""
        return 2.0

    def scale(self, exposure: float) -> float:
        """Counts per unit of flux."""
        return exposure


@dataclass(frozen=True)
class CCDLikelihood(_NoiseModelLikelihood[CCDNoise]):
    """Photon and read noise in counts a second, the sky subtracted, see `CCDNoise`."""

    def moments(self, flux: Image, exposure: float) -> Moments:
        """Variance of the photons and of the reads."""
        total = exposure * self.noise.exposures
        read = self.noise.exposures * self.noise.read_noise**2
        photons = np.maximum(total * (flux + self.sky_rate), 1e-6)
        return Moments(flux, (photons + read) / total**2, 1.0)

    def gain(self, exposure: float) -> float:
        """Photons of all exposures."""
        return 1 / (exposure * self.noise.exposures)


@dataclass(frozen=True)
class GaussianLikelihood(Likelihood):
    """Gaussian noise with a given standard deviation in each pixel.

    Args:
        noise_map: Standard deviation of each pixel; infinite for masked pixels.
    """

    noise_map: Image

    def moments(self, flux: Image, exposure: float) -> Moments:
        """The variance is the same for every model."""
        return Moments(flux, np.square(self.noise_map, dtype=np.float64), 1.0)


def likelihood_of(noise: NoiseModel, sky_rate: float) -> Likelihood:
    """The likelihood of a noise model.

    Raises:
        BadPreset: If the preset's images have no noise.
    """
    if isinstance(noise, PhotonNoise):
        return PhotonLikelihood(noise, sky_rate)
    if isinstance(noise, DeepLenseSimNoise):
        return DeepLenseSimLikelihood(noise, sky_rate)
    if isinstance(noise, CCDNoise):
        return CCDLikelihood(noise, sky_rate)
    raise BadPreset("a fit needs noise: the preset has none; give a noise map")
