r"""From the expected image to the observed one.

Every law takes the expected flux `m` of each pixel [counts/s] behind the PSF, the exposure `t` [s]
and an explicit generator.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Num
from numba import njit
from numpy.random import Generator

from darklens.errors import BadPreset

__all__ = ["CCDNoise", "DeepLenseSimNoise", "NoNoise", "NoiseLaw", "PhotonNoise", "poisson"]

Image = Float[np.ndarray, "h w"]


class NoiseLaw(ABC):
    """How an image is observed."""

    @abstractmethod
    def observe(
        self, flux: Image, exposure: float, sky_rate: float, rng: Generator
    ) -> Num[np.ndarray, "h w"]:
        """One observation.

        Args:
            flux: Expected flux of each pixel [counts/s].
            exposure: Exposure time of one exposure [s].
            sky_rate: Expected counts of the sky in each pixel in a second.
            rng: Source of randomness.

        Returns:
            uint16 counts, or float32 where the law does not count.
        """


@dataclass(frozen=True)
class NoNoise(NoiseLaw):
    """The expected counts themselves, float32."""

    def observe(
        self, flux: Image, exposure: float, sky_rate: float, rng: Generator
    ) -> Num[np.ndarray, "h w"]:
        return (exposure * (flux + sky_rate)).astype(np.float32)


@dataclass(frozen=True)
class PhotonNoise(NoiseLaw):
    r"""Photon counts, :math:`n \sim \mathrm{Poisson}(t (m + s) + b)`, as uint16.

    Args:
        background: Further background `b` in each pixel [counts].
        background_rms: Background given by its noise `r` [counts/s] instead: the photons of a
            flat background of :math:`b = (r t)^2` counts make just that noise.
    """

    background: float = 0.0
    background_rms: float = 0.0

    def observe(
        self, flux: Image, exposure: float, sky_rate: float, rng: Generator
    ) -> Num[np.ndarray, "h w"]:
        background = self.background + (self.background_rms * exposure) ** 2
        return _as_counts(poisson(exposure * (flux + sky_rate) + background, rng))


@dataclass(frozen=True)
class DeepLenseSimNoise(NoiseLaw):
    r"""The noise of DeepLenseSim Model I as published, where photon noise enters twice.

    It adds a "Poisson" realisation, which lenstronomy draws as a Gaussian of variance `m / t`, and
    a Gaussian background of `background_rms`, and then draws counts:
    :math:`n \sim \mathrm{Poisson}(\max(0, \mathcal{N}(t m, t m + r^2 t^2)))`.

    Args:
        background_rms: Rms of the Gaussian background, `r` [counts/s].
    """

    background_rms: float = 0.01

    def observe(
        self, flux: Image, exposure: float, sky_rate: float, rng: Generator
    ) -> Num[np.ndarray, "h w"]:
        expected = exposure * (flux + sky_rate)
        deviation = np.sqrt(expected + (self.background_rms * exposure) ** 2)
        noisy = expected + deviation * rng.standard_normal(expected.shape)
        return _as_counts(poisson(np.maximum(noisy, 0), rng))


@dataclass(frozen=True)
class CCDNoise(NoiseLaw):
    """Photon noise of source and sky and Gaussian read noise, the sky subtracted, in counts/s.

    Args:
        read_noise: Read noise of one exposure [counts].
        exposures: Number of exposures that are added up.
    """

    read_noise: float = 0.0
    exposures: int = 1

    def observe(
        self, flux: Image, exposure: float, sky_rate: float, rng: Generator
    ) -> Num[np.ndarray, "h w"]:
        total = exposure * self.exposures
        counts = poisson(total * (flux + sky_rate), rng).astype(np.float64)
        counts += self.read_noise * np.sqrt(self.exposures) * rng.standard_normal(flux.shape)
        return (counts / total - sky_rate).astype(np.float32)


def poisson(mean: Image, rng: Generator) -> Num[np.ndarray, "h w"]:
    """Independent Poisson counts with the given means, int64.

    Below a mean of 10 by inversion, above by the transformed rejection PTRS of Hormann 1993,
    doi:10.1016/0167-6687(93)90997-4, which is what NumPy uses; compiled here because a different
    mean in each pixel makes NumPy's set-up of the rejection the larger part of its time.
    """
    return np.asarray(_poisson(np.ascontiguousarray(mean), rng))


def _as_counts(counts: Num[np.ndarray, "h w"]) -> Num[np.ndarray, "h w"]:
    if counts.max(initial=0) > np.iinfo(np.uint16).max:
        raise BadPreset(
            f"a pixel holds {counts.max()} counts, more than 65535: lower the source's brightness"
        )
    return counts.astype(np.uint16)


_kernel: Any = njit(nogil=True, cache=True, error_model="numpy")


@_kernel
def _poisson(mean, rng):  # type: ignore[no-untyped-def]
    counts = np.empty(mean.shape, dtype=np.int64)
    flat_mean, flat = mean.ravel(), counts.ravel()
    for i in range(flat.size):
        flat[i] = _invert(flat_mean[i], rng) if flat_mean[i] < 10.0 else _ptrs(flat_mean[i], rng)
    return counts


@_kernel
def _invert(mean, rng):  # type: ignore[no-untyped-def]
    """Smallest k whose cumulative probability exceeds a uniform number."""
    u = rng.random()
    probability = np.exp(-mean)
    cumulative = probability
    k = 0
    while u > cumulative and k < 200:
        k += 1
        probability *= mean / k
        cumulative += probability
    return k


@_kernel
def _ptrs(mean, rng):  # type: ignore[no-untyped-def]
    root = np.sqrt(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = rng.random() - 0.5
        v = rng.random()
        us = 0.5 - abs(u)
        k = np.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= v_r:
            return int(k)
        if k < 0.0 or (us < 0.013 and v > us):
            continue
        inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
        left = np.log(v * inverse_alpha / (a / (us * us) + b))
        if left <= k * np.log(mean) - mean - math.lgamma(k + 1.0):
            return int(k)
