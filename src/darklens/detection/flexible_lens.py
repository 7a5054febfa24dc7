r"""A lens with the freedom that real galaxies have, and its linearised image.

To the smooth lens of `darklens.modelling` (elliptical power law, shear, Sersic source and lens
light) come multipoles m = 1, 3, 4 of the mass, satellites of the lens where they are given, a
Gaussian random field in the source, smooth departures of the lens light, the width and the
ellipticity of the PSF, and, for the test of a subhalo, one perturber. Every change of the
deflection by :math:`d\alpha` changes the image by

.. math:: dI = - P \, \big(\nabla S(\beta) \cdot d\alpha\big)

with the whole source `S`, its field included, and the PSF `P`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from darklens.detection.convolution import convolve_many, kernel_image
from darklens.detection.lens_state import LensState
from darklens.detection.satellites import satellite_deflection, satellite_fields
from darklens.detection.source_modes import SourceModes
from darklens.lensing.profiles import MassProfile, Multipole, sersic_b
from darklens.modelling.deflections import PARAMETER_OF, Deflection
from darklens.modelling.derivatives import LightRow, power_law_rays, sersic_rays
from darklens.modelling.parameters import LightParameter, Parameter
from darklens.modelling.smooth_model import SmoothModel

__all__ = ["MULTIPOLES", "FlexibleLens", "Perturbation"]

Image = Float[np.ndarray, "h w"]
Rays = Float[np.ndarray, " n"]
Images = Float32[np.ndarray, "k h w"]

MULTIPOLES = tuple((order, phase) for order in (1, 3, 4) for phase in (0.0, 0.5 * np.pi))
"""Order and phase of each multipole: its cosine, then its sine."""

_INDEX_STEP = 1e-5
_PLACE_STEP, _MASS_STEP = 2e-3, 0.02  # of numerical derivatives: arcsec, dex

Perturbation = Callable[[float, float, float], MassProfile]
"""A perturber with its place x, y [arcsec] and the logarithm (base 10) of its mass."""


@dataclass(frozen=True)
class FlexibleLens:
    """The model of the image, linear about any state.

    Args:
        model: The smooth lens: pixels, PSF, free parameters and their bounds.
        source: Basis of the field in the source.
        light: Factors of the departures of the lens light.
        perturbation: The perturber; None for a lens without one.
        satellites: Start of the satellites, as in `LensState`.
    """

    model: SmoothModel
    source: SourceModes
    light: Float[np.ndarray, "l h w"]
    perturbation: Perturbation | None = None
    satellites: Float[np.ndarray, " v"] = field(default_factory=lambda: np.zeros(0))

    @property
    def free(self) -> tuple[int, ...]:
        """Free parameters of the smooth lens."""
        return self.model.free

    def state(self, parameters: Float[np.ndarray, " p"]) -> LensState:
        """The smooth lens alone, with its satellites."""
        sizes = (len(MULTIPOLES), len(self.source), len(self.light), 3, 0)
        multipoles, source, light, psf, perturber = map(np.zeros, sizes)
        satellites = self.satellites.copy()
        return LensState(parameters, multipoles, source, light, psf, perturber, satellites)

    def image(self, state: LensState) -> Image:
        """Expected flux of each pixel."""
        x, y = self._source_plane(state)
        brightness = self._source(state, x, y)[0]
        galaxy = self._lens_light(state)[0] * self._light_factor(state)
        flux = self._binned(brightness) + galaxy
        base = self.model.instrument.observe(flux, self._scale)
        changes = zip(state.psf, self._blurred(base), strict=True)
        base = base + sum(amplitude * change for amplitude, change in changes)
        return np.asarray(base + state.parameters[Parameter.BACKGROUND])

    def directions(self, state: LensState) -> tuple[Image, Images, Float[np.ndarray, "2 h w"]]:
        """Derivatives of the image.

        Returns:
            The image, its derivative by each value of `LensState.vector`, and the gradient of the
            lensed source along x and y before the PSF [flux / arcsec].
        """
        x, y = self._source_plane(state)
        source = self._source(state, x, y)
        light, light_rows = self._lens_light(state)
        galaxy = light * self._light_factor(state)
        base = self._observed(self._binned(source[0]) + galaxy)
        rows = {**self._mass_rows(state, source), **self._light_rows(state, source, light_rows)}
        one = np.ones(self._shape)
        smooth = [one if k == Parameter.BACKGROUND else self._observed(rows[k]) for k in self.free]
        masses = [self._pulled(a, source) for a in self._multipole_fields(state)]
        masses = [state.parameters[Parameter.EINSTEIN_RADIUS] * image for image in masses]
        others = satellite_fields(state.satellites, *self._rays) + self._perturber_fields(state)
        masses += [self._pulled(a, source) for a in others]
        blurred = self._blurred(base)
        fields = [
            self.observe_many((self.light * light).astype(np.float32)),
            self.observe_many(self._mode_images(state, x, y)),
        ]
        few = np.array([*smooth, *masses, *blurred], dtype=np.float32)
        gradient = np.stack([self._binned(source[1]), self._binned(source[2])])
        total = base + sum(a * change for a, change in zip(state.psf, blurred, strict=True))
        total = np.asarray(total + state.parameters[Parameter.BACKGROUND])
        return total, np.concatenate([few, *fields]), gradient

    def traced_pixels(
        self, state: LensState
    ) -> tuple[Float[np.ndarray, "2 h w"], Float[np.ndarray, "2 h w"]]:
        """One ray of each pixel: where it is in the image, and in the source plane [arcsec]."""
        every = self._rays, self._source_plane(state)
        there, back = (np.stack([ray.reshape(-1, *self._shape)[0] for ray in xy]) for xy in every)
        return there, back

    def source_only(self, state: LensState) -> Image:
        """Flux of the lensed source alone."""
        x, y = self._source_plane(state)
        return self._observed(self._binned(self._source(state, x, y)[0]))

    def lens_light_only(self, state: LensState) -> Image:
        """Flux of the lens galaxy alone."""
        return self._observed(self._lens_light(state)[0] * self._light_factor(state))

    def with_perturbation(self, perturbation: Perturbation | None) -> "FlexibleLens":
        """The same lens with another perturber."""
        return replace(self, perturbation=perturbation)

    @property
    def _shape(self) -> tuple[int, int]:
        return self.model.grid.shape

    @property
    def _scale(self) -> float:
        return self.model.grid.pixel_scale

    @cached_property
    def _rays(self) -> tuple[Rays, Rays]:
        """Coordinates of all rays, those of one place in the pixels after another [arcsec]."""
        n = self.model.instrument.supersampling
        x, y = self.model.grid.coordinates()
        offsets = [((k + 0.5) / n - 0.5) * self._scale for k in range(n)]
        rays = [(x + u, y + v) for v in offsets for u in offsets]
        return (
            np.concatenate([ray[0].ravel() for ray in rays]),
            np.concatenate([ray[1].ravel() for ray in rays]),
        )

    def _source_plane(self, state: LensState) -> tuple[Rays, Rays]:
        x, y = self._rays
        p = state.parameters
        alpha = power_law_rays(x, y, p)[Deflection.LENS]
        g1, g2 = p[Parameter.GAMMA1], p[Parameter.GAMMA2]
        ax, ay = alpha[0] + g1 * x + g2 * y, alpha[1] + g2 * x - g1 * y
        if len(state.satellites):
            along, across = satellite_deflection(state.satellites, x, y)
            ax, ay = ax + along, ay + across
        masses = zip(state.multipoles, self._multipoles(state), strict=True)
        parts: list[tuple[float, MassProfile]] = [
            (p[Parameter.EINSTEIN_RADIUS] * amplitude, mass)
            for amplitude, mass in masses
            if amplitude
        ]
        if self.perturbation is not None and len(state.perturber):
            parts.append((1.0, self.perturbation(*map(float, state.perturber))))
        for factor, mass in parts:
            along, across = mass.deflection(x, y)
            ax, ay = ax + factor * along, ay + factor * across
        return x - ax, y - ay

    def _multipoles(self, state: LensState) -> list[Multipole]:
        p = state.parameters
        theta, x0, y0 = (
            float(p[k]) for k in (Parameter.EINSTEIN_RADIUS, Parameter.LENS_X, Parameter.LENS_Y)
        )
        return [Multipole(m, 1.0, phase / m, theta, x0, y0) for m, phase in MULTIPOLES]

    def _multipole_fields(self, state: LensState) -> list[tuple[Rays, Rays]]:
        return [mass.deflection(*self._rays) for mass in self._multipoles(state)]

    def _perturber_fields(self, state: LensState) -> list[tuple[Rays, Rays]]:
        """Numerical derivatives of the deflection by place and mass."""
        if self.perturbation is None or not len(state.perturber):
            return []
        fields = []
        for k, step in enumerate((_PLACE_STEP, _PLACE_STEP, _MASS_STEP)):
            ends = []
            for sign in (1, -1):
                moved = state.perturber.copy()
                moved[k] += sign * step
                ends.append(self.perturbation(*map(float, moved)).deflection(*self._rays))
            (ax, ay), (bx, by) = ends
            fields.append(((ax - bx) / (2 * step), (ay - by) / (2 * step)))
        return fields

    def _source(self, state: LensState, x: Rays, y: Rays) -> tuple[Rays, Rays, Rays, Any, Rays]:
        """Brightness of the source and its gradient, then the rows of its Sersic profile.

        The field moves with the profile, so that the rows by its place have both. The last is the
        change of the field as it grows.
        """
        p = state.parameters
        rows = sersic_rays(x, y, p, Parameter.SOURCE_X, *self._constants(state, 0))
        brightness = rows[LightRow.BRIGHTNESS]
        if not state.source.any():
            return brightness, rows[LightRow.BY_X], rows[LightRow.BY_Y], rows, np.zeros(x.size)
        field, by_x, by_y = self.source.field(state.source, *self.source.frame(p, x, y))
        growth = self.source.growth(p)
        by_x, by_y = growth * by_x, growth * by_y
        rows[LightRow.BY_X] += by_x
        rows[LightRow.BY_Y] += by_y
        grown = by_x * (x - p[Parameter.SOURCE_X]) + by_y * (y - p[Parameter.SOURCE_Y])
        return brightness + field, rows[LightRow.BY_X], rows[LightRow.BY_Y], rows, grown

    def _lens_light(self, state: LensState) -> tuple[Image, Any]:
        """Flux of the profile of the lens before the PSF, and the rows of the profile."""
        if not self.model.lens_light:
            return np.zeros(self._shape), None
        first = Parameter.LENS_LIGHT_X
        rows = sersic_rays(*self._rays, state.parameters, first, *self._constants(state, 1))
        return self._binned(rows[LightRow.BRIGHTNESS]), rows

    def _light_factor(self, state: LensState) -> Image:
        """The lens light over its profile."""
        return np.asarray(1.0 + np.tensordot(state.light, self.light, 1))

    def _mass_rows(self, state: LensState, source: tuple[Any, ...]) -> dict[int, Image]:
        """Derivatives by the parameters of the lens, before the PSF."""
        x, y = self._rays
        p = state.parameters
        alpha = power_law_rays(x, y, p)
        theta = p[Parameter.EINSTEIN_RADIUS] / (p[Parameter.LENS_SLOPE] - 1.0)
        own = alpha[Deflection.LENS] / theta
        for amplitude, bent in zip(state.multipoles, self._multipole_fields(state), strict=True):
            own = own + amplitude * np.stack(bent)
        fields = {
            int(PARAMETER_OF[k]): alpha[k]
            for k in range(Deflection.LENS_E1, Deflection.LENS_SLOPE + 1)
        }
        fields |= {Parameter.EINSTEIN_RADIUS: own}
        fields |= {Parameter.GAMMA1: np.stack([x, -y]), Parameter.GAMMA2: np.stack([y, x])}
        rows = {
            k: self._binned(-(source[1] * bent[0] + source[2] * bent[1]))
            for k, bent in fields.items()
            if k in self.free
        }
        if Parameter.LENS_SLOPE in rows:
            rows[Parameter.LENS_SLOPE] -= self._binned(source[4]) / (p[Parameter.LENS_SLOPE] - 1.0)
        return rows

    def _light_rows(
        self, state: LensState, source: tuple[Any, ...], light: Any
    ) -> dict[int, Image]:
        """Derivatives by the parameters of both Sersic profiles, before the PSF."""
        profiles = [(int(Parameter.SOURCE_X), source[3])]
        if light is not None:
            profiles.append((int(Parameter.LENS_LIGHT_X), light))
        rows = {}
        for first, table in profiles:
            lens = first == Parameter.LENS_LIGHT_X
            factor = self._light_factor(state) if lens else 1.0
            for k, row in _PROFILE_ROWS.items():
                sign = -1.0 if row in (LightRow.BY_X, LightRow.BY_Y) else 1.0
                rows[first + k] = sign * factor * self._binned(table[row])
        return rows

    def _constants(self, state: LensState, which: int) -> tuple[float, float]:
        """The Sersic constant b of the source (0) or the lens light (1), and its derivative."""
        place = (Parameter.SOURCE_SERSIC_INDEX, Parameter.LENS_LIGHT_SERSIC_INDEX)[which]
        index, formula = float(state.parameters[place]), self.model.b_n[which]
        b = sersic_b(index, formula)
        return b, (sersic_b(index + _INDEX_STEP, formula) - b) / _INDEX_STEP

    def _pulled(self, bent: tuple[Rays, Rays], source: tuple[Any, ...]) -> Image:
        """Change of the image by an extra deflection."""
        return self._observed(self._binned(-(source[1] * bent[0] + source[2] * bent[1])))

    def _binned(self, rays: Rays) -> Image:
        """Mean of the rays of each pixel, times its area."""
        samples = self.model.instrument.supersampling**2
        area = self._scale**2
        return np.asarray(area * rays.reshape(samples, *self._shape).mean(axis=0))

    def _mode_images(self, state: LensState, x: Rays, y: Rays) -> Images:
        samples = self.model.instrument.supersampling**2
        x, y = self.source.frame(state.parameters, x, y)
        images = self.source.images(x.reshape(samples, -1), y.reshape(samples, -1))
        return np.asarray(np.float32(self._scale**2) * images).reshape(-1, *self._shape)

    def _observed(self, flux: Image) -> Image:
        return np.asarray(self.model.instrument.observe(flux, self._scale))

    def _blurred(self, image: Image) -> list[Image]:
        """Change of an image if the PSF were wider by its width, or elliptical."""
        padded = np.pad(image, 1, mode="edge")
        middle = 2 * image
        xx = padded[1:-1, 2:] + padded[1:-1, :-2] - middle
        yy = padded[2:, 1:-1] + padded[:-2, 1:-1] - middle
        xy = 0.25 * (padded[2:, 2:] + padded[:-2, :-2] - padded[2:, :-2] - padded[:-2, 2:])
        variance = (self.model.psf_width / self._scale) ** 2
        return [variance * (xx + yy), variance * (xx - yy), variance * 2 * xy]

    def observe_many(self, images: Images) -> Images:
        """Many images behind the PSF; dark beyond the edge."""
        return convolve_many(images, self._kernel_image)

    @cached_property
    def _kernel_image(self) -> Image | None:
        return kernel_image(self.model.instrument.psf, self._scale)


_PROFILE_ROWS = {
    LightParameter.X: LightRow.BY_X,
    LightParameter.Y: LightRow.BY_Y,
    LightParameter.E1: LightRow.BY_E1,
    LightParameter.E2: LightRow.BY_E2,
    LightParameter.LOG_RADIUS: LightRow.BY_LOG_RADIUS,
    LightParameter.SERSIC_INDEX: LightRow.BY_SERSIC_INDEX,
    LightParameter.LOG_AMPLITUDE: LightRow.BRIGHTNESS,
}
