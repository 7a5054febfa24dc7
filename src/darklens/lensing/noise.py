r"""Noise models: from the expected image to the observed one.

Each takes the expected flux `m` of each pixel [counts/s] behind the PSF, the exposure `t` [s]
and an explicit generator.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Num
from numba import njit
from numpy.random import Generator

from darklens.errors import BadPreset
from darklens.lensing.poisson import poisson
from darklens.lensing.threefry import normals

__all__ = ["CCDNoise", "DeepLenseSimNoise", "NoNoise", "NoiseModel", "PhotonNoise"]

Image = Float[np.ndarray, "h w"]

_kernel: Any = njit(nogil=True, cache=True, error_model="numpy")


class NoiseModel(ABC):
    """A noise model."""

    @abstractmethod
    def observe(
        self, flux: Image, exposure: float, sky_rate: float, rng: Generator
    ) -> Num[np.ndarray, "h w"]:
        """One observation.

        Args:
            flux: Expected flux of each pixel [counts/s].
            exposure: Exposure time of one exposure [s].
            sky_rate: Expected sky brightness [counts/s/pixel].
            rng: Random generator.

        Returns:
            uint16 counts, or float32 for models that do not count photons.
        """


@dataclass(frozen=True)
class NoNoise(NoiseModel):
    """The expected counts themselves, float32.

    Args:
        background: Further background in each pixel [counts], as that of `PhotonNoise`.
        background_rms: The same, given by its noise [counts/s].
    """

    background: float = 0.0
    background_rms: float = 0.0

    def __post_init__(self) -> None:
        _check_not_negative(background=self.background, background_rms=self.background_rms)

    def observe(
        self, flux: Image, exposure: float, sky_rate: float, rng: Generator
    ) -> Num[np.ndarray, "h w"]:
        background = self.background + (self.background_rms * exposure) ** 2
        return (exposure * (flux + sky_rate) + background).astype(np.float32)


@dataclass(frozen=True)
class PhotonNoise(NoiseModel):
    r"""Photon counts, :math:`n \sim \mathrm{Poisson}(t (m + s) + b)`, as uint16.

    Args:
        background: Further background `b` in each pixel [counts].
        background_rms: Background given by its noise `r` [counts/s] instead: the photons of a
            flat background of :math:`b = (r t)^2` counts make just that noise.
    """

    background: float = 0.0
    background_rms: float = 0.0

    def __post_init__(self) -> None:
        _check_not_negative(background=self.background, background_rms=self.background_rms)

    def expectation(self) -> NoNoise:
        """The noise model that returns the expected counts."""
        return NoNoise(self.background, self.background_rms)

    def observe(
        self, flux: Image, exposure: float, sky_rate: float, rng: Generator
    ) -> Num[np.ndarray, "h w"]:
        background = self.background + (self.background_rms * exposure) ** 2
        return _as_counts(poisson(exposure * flux + (exposure * sky_rate + background), rng))


@dataclass(frozen=True)
class DeepLenseSimNoise(NoiseModel):
    r"""The noise of DeepLenseSim Model I as published, where photon noise enters twice.

    It adds a "Poisson" realisation, which lenstronomy draws as a Gaussian of variance `m / t`, and
    a Gaussian background of `background_rms`, and then draws counts:
    :math:`n \sim \mathrm{Poisson}(\max(0, \mathcal{N}(t m, t m + r^2 t^2)))`.

    Args:
        background_rms: Rms of the Gaussian background, `r` [counts/s].
    """

    background_rms: float = 0.01

    def __post_init__(self) -> None:
        _check_not_negative(background_rms=self.background_rms)

    def observe(
        self, flux: Image, exposure: float, sky_rate: float, rng: Generator
    ) -> Num[np.ndarray, "h w"]:
        mean = normals(flux.size, rng)
        variance = (self.background_rms * exposure) ** 2
        _spread(mean, np.ascontiguousarray(flux).ravel(), exposure, sky_rate, variance)
        return _as_counts(poisson(mean.reshape(flux.shape), rng))


@dataclass(frozen=True)
class CCDNoise(NoiseModel):
    """Photon noise of source and sky and Gaussian read noise, the sky subtracted, in counts/s.

    Args:
        read_noise: Read noise of one exposure [counts].
        exposures: Number of exposures that are added up.
    """

    read_noise: float = 0.0
    exposures: int = 1

    def __post_init__(self) -> None:
        _check_not_negative(read_noise=self.read_noise)
        if not 1 <= self.exposures <= 1_000_000:
            raise BadPreset("noise: exposures must be from 1 to 1000000")

    def observe(
        self, flux: Image, exposure: float, sky_rate: float, rng: Generator
    ) -> Num[np.ndarray, "h w"]:
        total = exposure * self.exposures
        counts = poisson(total * (flux + sky_rate), rng).astype(np.float64)
        read_noise = self.read_noise * np.sqrt(self.exposures)
        counts += read_noise * normals(flux.size, rng).reshape(flux.shape)
        return (counts / total - sky_rate).astype(np.float32)


@_kernel
def _spread(values, flux, exposure, sky_rate, variance):  # type: ignore[no-untyped-def]
    """Turn standard normal numbers into positive ones of mean m and variance m + `variance`."""
    for j in range(values.size):
        expected = exposure * (flux[j] + sky_rate)
        values[j] = max(0.0, expected + np.sqrt(expected + variance) * values[j])


def _check_not_negative(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < np.inf:
            raise BadPreset(f"noise: {name} must not be negative")


def _as_counts(counts: Num[np.ndarray, "h w"]) -> Num[np.ndarray, "h w"]:
    if counts.max(initial=0) > np.iinfo(np.uint16).max:
        raise BadPreset(
            f"a pixel holds {counts.max()} counts, more than 65535: lower the source's brightness"
        )
    return counts.astype(np.uint16)
