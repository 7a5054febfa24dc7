r"""Structure of the source beyond its Sersic profile: a Gaussian random field on a box.

The surface brightness of the source is its Sersic profile plus

.. math:: w(\beta) \sum_{jk} c_{jk} \, \sin(j \pi u) \, \sin(k \pi v)

where `u`, `v` run from 0 to 1 across the box and `w` is an envelope that follows the profile. The
coefficients have independent Gaussian priors, of variance

.. math:: S_{jk} \propto \sigma^2 \, \big(1 + (l \kappa_{jk})^2\big)^{-5/2}, \quad
          \kappa_{jk} = \pi \sqrt{j^2 + k^2} / L

which is a Matern covariance of smoothness 3/2 with the scale `l`, in the basis of Solin & Särkkä
2020, arXiv:1401.5508. With the box `L` several times larger than the source, its walls do not
matter.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int
from numba import njit

from darklens.lensing.profiles import sersic_b
from darklens.lensing.special_functions import FASTMATH
from darklens.modelling.derivatives import LightRow, sersic_rays
from darklens.modelling.parameters import LightParameter, Parameter

__all__ = ["SourceModes", "source_modes"]

Parameters = Float[np.ndarray, " p"]
Rays = Float[np.ndarray, " n"]

_HALF_WIDTH = 2.6  # of the box, in Sersic radii along the major axis
_FEWEST, _MOST = 12, 36
_CAP = 10.0  # brightness over that at the Sersic radius, above which the envelope is flat
_FAINTEST = 1e-3  # of the envelope: nothing is evaluated beyond
_SMOOTHNESS = 2.5


@dataclass(frozen=True)
class SourceModes:
    """The basis of the field, fixed while the lens is fitted.

    Args:
        parameters: Parameter vector whose source gives the envelope.
        half_width: Half the side of the box [arcsec].
        order: Largest number of half waves across the box.
    """

    parameters: Parameters
    half_width: float
    order: int

    def __len__(self) -> int:
        return len(self.pairs)

    @cached_property
    def pairs(self) -> Int[np.ndarray, "m 2"]:
        """Half waves of each mode along x and y."""
        j, k = np.meshgrid(*2 * [np.arange(1, self.order + 1)], indexing="ij")
        inside = j * j + k * k <= (self.order + 0.5) ** 2
        return np.stack([j[inside], k[inside]], axis=1)

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the box [arcsec]."""
        x, y = self.parameters[[Parameter.SOURCE_X, Parameter.SOURCE_Y]]
        return float(x), float(y)

    def deviations(self, strength: float, scale: float) -> Float[np.ndarray, " m"]:
        """Prior standard deviation of each coefficient.

        Args:
            strength: Root mean square of the field over the envelope.
            scale: Scale `l` of the covariance [arcsec].
        """
        wave = np.pi * np.hypot(*self.pairs.T) / (2 * self.half_width)
        shape = (1 + (scale * wave) ** 2) ** (-0.5 * _SMOOTHNESS)
        return np.asarray(strength * shape / np.sqrt(0.25 * np.square(shape).sum()))

    def envelope(self, x: Rays, y: Rays) -> tuple[Rays, Rays, Rays]:
        """The envelope at places in the source plane, and its gradient; 0 outside the box."""
        p = self.parameters
        index = p[Parameter.SOURCE_SERSIC_INDEX]
        light = sersic_rays(x, y, p, Parameter.SOURCE_X, sersic_b(float(index)), 0.0)
        unit = np.exp(p[Parameter.SOURCE_X + LightParameter.LOG_AMPLITUDE])
        level = light[LightRow.BRIGHTNESS] / unit
        value = np.sqrt(level / (1 + level / _CAP))
        slope = 0.5 * value / np.maximum(level, 1e-30) / (1 + level / _CAP)
        x0, y0 = self.centre
        outside = np.maximum(np.abs(x - x0), np.abs(y - y0)) >= self.half_width
        off = outside | (value < _FAINTEST)
        value[off], slope[off] = 0.0, 0.0
        return (
            unit * value,
            slope * light[LightRow.BY_X],
            slope * light[LightRow.BY_Y],
        )

    def field(
        self, coefficients: Float[np.ndarray, " m"], x: Rays, y: Rays
    ) -> tuple[Rays, Rays, Rays]:
        """Surface brightness of the field at places in the source plane, and its gradient."""
        table = np.zeros((self.order, self.order))
        table[self.pairs[:, 0] - 1, self.pairs[:, 1] - 1] = coefficients
        out = np.zeros((3, x.size))
        _field(x, y, np.stack(self.envelope(x, y)), table, *self.centre, self.half_width, out)
        return out[0], out[1], out[2]

    def images(
        self, x: Float[np.ndarray, "s n"], y: Float[np.ndarray, "s n"]
    ) -> Float32[np.ndarray, "m n"]:
        """Each mode, averaged over the rays of each pixel.

        Args:
            x: Where the rays `s` of the pixels `n` meet the source plane [arcsec].
            y: The same along y.
        """
        envelope = np.reshape(self.envelope(x.ravel(), y.ravel())[0], x.shape)
        out = np.zeros((x.shape[1], len(self)), dtype=np.float32)
        _images(x, y, envelope, self.pairs, self.order, *self.centre, self.half_width, out)
        return np.ascontiguousarray(out.T)


def source_modes(parameters: Parameters, *, resolution: float) -> SourceModes:
    """The basis about a fitted Sersic profile.

    Args:
        parameters: Parameter vector of the fit.
        resolution: Half a wave that the image can still resolve in the source plane [arcsec].
    """
    radius = float(np.exp(parameters[Parameter.SOURCE_LOG_RADIUS]))
    size = np.hypot(parameters[Parameter.SOURCE_E1], parameters[Parameter.SOURCE_E2])
    axis_ratio = max((1 - size) / (1 + size), 0.2)
    half_width = _HALF_WIDTH * radius / np.sqrt(axis_ratio)
    order = int(np.clip(np.ceil(2 * half_width / resolution), _FEWEST, _MOST))
    return SourceModes(parameters.copy(), float(half_width), order)


_kernel: Any = njit(fastmath=FASTMATH, error_model="numpy", nogil=True, cache=True)


@_kernel
def _waves(phase, sin, cos):  # type: ignore[no-untyped-def]
    """Sine and cosine of the multiples 1, 2, ... of a phase."""
    s, c = np.sin(phase), np.cos(phase)
    sin[0], cos[0] = s, c
    for k in range(1, sin.size):
        sin[k] = sin[k - 1] * c + cos[k - 1] * s
        cos[k] = cos[k - 1] * c - sin[k - 1] * s


@_kernel
def _field(x, y, envelope, table, x0, y0, half, out):  # type: ignore[no-untyped-def]
    order = table.shape[0]
    sx, cx, sy, cy = np.empty(order), np.empty(order), np.empty(order), np.empty(order)
    wave = 0.5 * np.pi / half
    for i in range(x.size):
        if envelope[0, i] == 0.0:
            continue
        _waves(wave * (x[i] - x0 + half), sx, cx)
        _waves(wave * (y[i] - y0 + half), sy, cy)
        value, by_x, by_y = 0.0, 0.0, 0.0
        for j in range(order):
            along, slope = 0.0, 0.0
            for k in range(order):
                along += table[j, k] * sy[k]
                slope += table[j, k] * cy[k] * (k + 1)
            value += sx[j] * along
            by_x += (j + 1) * cx[j] * along
            by_y += sx[j] * slope
        out[0, i] = envelope[0, i] * value
        out[1, i] = envelope[1, i] * value + envelope[0, i] * wave * by_x
        out[2, i] = envelope[2, i] * value + envelope[0, i] * wave * by_y


@_kernel
def _images(x, y, envelope, pairs, order, x0, y0, half, out):  # type: ignore[no-untyped-def]
    sx, cx, sy, cy = np.empty(order), np.empty(order), np.empty(order), np.empty(order)
    wave = 0.5 * np.pi / half
    rays, pixels = x.shape
    for i in range(pixels):
        for s in range(rays):
            weight = envelope[s, i] / rays
            if weight == 0.0:
                continue
            _waves(wave * (x[s, i] - x0 + half), sx, cx)
            _waves(wave * (y[s, i] - y0 + half), sy, cy)
            for m in range(pairs.shape[0]):
                out[i, m] += weight * sx[pairs[m, 0] - 1] * sy[pairs[m, 1] - 1]
