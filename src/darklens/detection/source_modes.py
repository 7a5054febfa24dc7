r"""Structure of the source beyond its Sersic profile: a Gaussian random field on a box.

The surface brightness of the source is its Sersic profile plus

.. math:: w(\beta) \sum_{jk} c_{jk} \, \sin(j \pi u) \, \sin(k \pi v)

where `u`, `v` run from 0 to 1 across the box and `w` is an envelope: the root of the profile or, in
a second fit, the brightness that the first one found (priors that adapt to the brightness were
introduced by Nightingale et al. 2018, arXiv:1708.07377). The coefficients have independent Gaussian
priors, of variance

.. math:: S_{jk} \propto \sigma^2 \, \big(1 + (l \kappa_{jk})^2\big)^{-5/2}, \quad
          \kappa_{jk} = \pi \sqrt{j^2 + k^2} / L

which is a Matern covariance of smoothness 3/2 with the scale `l`, in the basis of Solin & Särkkä
2020, arXiv:1401.5508. The box, of side `L`, holds what is seen of the source with a margin.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int
from numba import njit
from scipy.ndimage import gaussian_filter

from darklens.detection.cubic_spline import CubicSpline
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
_NODES = 3  # for each half wave, of an envelope that follows what was found
_SMOOTHED = 0.5  # half waves, standard deviation
_LEAST = 0.1  # of the profile, that such an envelope follows at least
_RIDGE = 1e-6
_SMOOTHNESS = 2.5


@dataclass(frozen=True)
class SourceModes:
    """The basis of the field, fixed while the lens is fitted.

    Args:
        parameters: Parameter vector whose source gives the envelope.
        half_width: Half the side of the box [arcsec].
        order: Largest number of half waves across the box.
        envelope_map: The envelope on evenly spaced nodes from edge to edge of the box, rows along
            y; None if it follows the profile.
        kept: Which of the modes the basis has, by their numbers; all of them if None.
    """

    parameters: Parameters
    half_width: float
    order: int
    envelope_map: Float[np.ndarray, "g g"] | None = None
    kept: Int[np.ndarray, " _"] | None = None

    def __len__(self) -> int:
        return len(self.pairs)

    @cached_property
    def pairs(self) -> Int[np.ndarray, "m 2"]:
        """Half waves of each mode along x and y."""
        j, k = np.meshgrid(*2 * [np.arange(1, self.order + 1)], indexing="ij")
        inside = j * j + k * k <= (self.order + 0.5) ** 2
        pairs = np.stack([j[inside], k[inside]], axis=1)
        return pairs if self.kept is None else pairs[self.kept]

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the box [arcsec]."""
        x, y = self.parameters[[Parameter.SOURCE_X, Parameter.SOURCE_Y]]
        return float(x), float(y)

    def of_some(self, kept: Int[np.ndarray, " _"]) -> "SourceModes":
        """The basis with some of its modes only."""
        return replace(self, kept=kept)

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
        if self._spline is None:
            light = _profile(self.parameters, x, y)
            level = light[LightRow.BRIGHTNESS] / self._unit
            value = _root(level)
            slope = 0.5 * value / np.maximum(level, 1e-30) / (1 + level / _CAP)
            by_x, by_y = slope * light[LightRow.BY_X], slope * light[LightRow.BY_Y]
        else:
            value, by_x, by_y = self._spline.at(x, y)
            by_x, by_y = self._unit * by_x, self._unit * by_y
        x0, y0 = self.centre
        outside = np.maximum(np.abs(x - x0), np.abs(y - y0)) >= self.half_width
        off = outside | (value < _FAINTEST)
        for part in (value, by_x, by_y):
            part[off] = 0.0
        return self._unit * value, by_x, by_y

    def adapted(
        self, parameters: Parameters, coefficients: Float[np.ndarray, " m"]
    ) -> tuple["SourceModes", Float[np.ndarray, " m"]]:
        """The basis with an envelope that follows a source that was found.

        Args:
            parameters: Parameter vector of the fit that found it.
            coefficients: Those of its field.

        Returns:
            The basis, and the coefficients of nearly the same field in it.
        """
        half_width = self.half_width / self.growth(parameters)
        basis = replace(self, parameters=parameters.copy(), half_width=half_width)
        nodes = np.linspace(-half_width, half_width, _NODES * self.order + 1)
        x0, y0 = basis.centre
        x, y = (rays.ravel() for rays in np.meshgrid(x0 + nodes, y0 + nodes))
        field = self.field(coefficients, *self.frame(parameters, x, y))[0]
        profile = _profile(parameters, x, y)[LightRow.BRIGHTNESS]
        side = len(nodes)
        found = gaussian_filter((profile + field).reshape(side, side), _SMOOTHED * _NODES)
        level = np.maximum(found, _LEAST * profile.reshape(side, side))
        basis = replace(basis, envelope_map=level / basis._unit)
        images = basis.images(x[np.newaxis], y[np.newaxis]).astype(np.float64)
        products = images @ images.T
        products[np.diag_indices_from(products)] += _RIDGE * float(np.trace(products)) / len(self)
        return basis, np.linalg.solve(products, images @ field)

    def growth(self, parameters: Parameters) -> float:
        """Size of the source's image over its size, over that when the basis was made.

        Near an Einstein ring of an elliptical power law of slope s the source plane is stretched
        by s - 1. The size of the box and of its envelope is thus that of the image, which is
        seen, whatever the slope is: else the prior of the field would prefer some slopes.
        """
        k = Parameter.LENS_SLOPE
        return float((self.parameters[k] - 1) / (parameters[k] - 1))

    def frame(self, parameters: Parameters, x: Rays, y: Rays) -> tuple[Rays, Rays]:
        """Places in the source plane, in the coordinates of the basis.

        The field moves with the profile of the source, and grows as its image does.

        Args:
            parameters: Parameter vector of the source.
            x: Places [arcsec].
            y: Places [arcsec].
        """
        (x0, y0), growth = self.centre, self.growth(parameters)
        return (
            x0 + growth * (x - parameters[Parameter.SOURCE_X]),
            y0 + growth * (y - parameters[Parameter.SOURCE_Y]),
        )

    @cached_property
    def _highest(self) -> int:
        """Largest number of half waves of the modes of the basis."""
        return int(self.pairs.max(initial=1))

    @property
    def _unit(self) -> float:
        """Brightness of the profile at its Sersic radius."""
        return float(np.exp(self.parameters[Parameter.SOURCE_X + LightParameter.LOG_AMPLITUDE]))

    @cached_property
    def _spline(self) -> CubicSpline | None:
        if self.envelope_map is None:
            return None
        return CubicSpline.through(self.envelope_map, self.centre, self.half_width)

    def field(
        self, coefficients: Float[np.ndarray, " m"], x: Rays, y: Rays
    ) -> tuple[Rays, Rays, Rays]:
        """Surface brightness of the field at places in the source plane, and its gradient."""
        table = np.zeros((self._highest, self._highest))
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
        lit = np.flatnonzero(envelope.any(axis=0))
        out = np.zeros((len(lit), len(self)), dtype=np.float32)
        rays = x[:, lit], y[:, lit], envelope[:, lit]
        _images(*rays, self.pairs, self._highest, *self.centre, self.half_width, out)
        images = np.zeros((len(self), x.shape[1]), dtype=np.float32)
        images[:, lit] = out.T
        return images


def source_modes(
    parameters: Parameters, *, resolution: float, extent: float = np.inf
) -> SourceModes:
    """The basis about a fitted Sersic profile.

    Args:
        parameters: Parameter vector of the fit.
        resolution: Half a wave that the image can still resolve in the source plane [arcsec].
        extent: Largest half width of the box [arcsec].
    """
    radius = float(np.exp(parameters[Parameter.SOURCE_LOG_RADIUS]))
    size = np.hypot(parameters[Parameter.SOURCE_E1], parameters[Parameter.SOURCE_E2])
    axis_ratio = max((1 - size) / (1 + size), 0.2)
    half_width = min(_HALF_WIDTH * radius / np.sqrt(axis_ratio), extent)
    order = int(np.clip(np.ceil(2 * half_width / resolution), _FEWEST, _MOST))
    return SourceModes(parameters.copy(), float(half_width), order)


def _profile(parameters: Parameters, x: Rays, y: Rays) -> Float[np.ndarray, "r n"]:
    """Rows of the Sersic profile of the source."""
    b = sersic_b(float(parameters[Parameter.SOURCE_SERSIC_INDEX]))
    return np.asarray(sersic_rays(x, y, parameters, Parameter.SOURCE_X, b, 0.0))


def _root(level: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """The envelope of a brightness over that at the Sersic radius."""
    return np.asarray(np.sqrt(level / (1 + level / _CAP)))


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
