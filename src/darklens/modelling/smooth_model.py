"""The smooth lens as a model to fit: its image, and the derivatives with respect to its parameters.

A model may also hold one line of mass, fitted as the explanation of a vortex. Its parameters are
those of `darklens.modelling.parameters`; `darklens.modelling.model_from_preset` builds it.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from darklens.cutouts import block_sums, central_cutout
from darklens.errors import BadInput
from darklens.lensing.grid import PixelGrid
from darklens.lensing.instrument import FWHM_PER_SIGMA, GaussianPSF, Instrument, PixelPSF
from darklens.lensing.noise import PhotonNoise
from darklens.lensing.profiles import sersic_b
from darklens.modelling.derivatives import render_light, render_smooth
from darklens.modelling.likelihood import Likelihood, PhotonLikelihood
from darklens.modelling.parameters import (
    PARAMETERS,
    GaussianPrior,
    Parameter,
    inside_bounds,
)

__all__ = ["SmoothModel"]

Parameters = Float[np.ndarray, " p"]
Image = Float[np.ndarray, "h w"]

_INDEX_STEP = 1e-5
_NO_LENS = 1e-6  # arcsec
_NO_LIGHT = 1e-12
_SPREAD = 3  # standard deviations of the PSF, from beyond which no light comes


@dataclass(frozen=True)
class SmoothModel:
    """A parametrised smooth lens, observed with a telescope.

    Args:
        grid: Pixel grid of the image.
        instrument: PSF and supersampling.
        likelihood: Noise model as the fit sees it.
        free: The free parameters, as indices (`Parameter`).
        lower: Lower bound of each parameter.
        upper: Upper bound of each parameter.
        draws: Parameter vectors drawn from the prior, from which fits start.
        b_n: Formulae of the Sersic constant of the source and of the lens light.
        lens_light: Whether the lens galaxy emits light.
        blocks: Binning: side of the block of image pixels that one model pixel covers.
        prior: Gaussian prior of the parameters; None leaves the likelihood alone.
        exact: The model of the image pixels, if this one covers blocks of them and its image is to
            be their exact sum; None otherwise.
    """

    grid: PixelGrid
    instrument: Instrument
    likelihood: Likelihood
    free: tuple[int, ...]
    lower: Parameters
    upper: Parameters
    draws: Float[np.ndarray, "d p"]
    b_n: tuple[str, str] = ("exact", "exact")
    lens_light: bool = False
    blocks: int = 1
    prior: GaussianPrior | None = None
    exact: "SmoothModel | None" = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the free parameters."""
        return tuple(PARAMETERS[k] for k in self.free)

    def image(self, parameters: Parameters) -> Image:
        """Expected flux, convolved with the PSF [counts/s]."""
        if self.exact is not None:
            return self.on_blocks(self.exact.image(parameters))
        flux = np.empty(self.grid.shape)
        scale, samples = self.grid.pixel_scale, self.instrument.supersampling
        source_b, _, light_b, _ = self._sersic_constants(parameters)
        render_light(flux, scale, samples, parameters, source_b, light_b, self.lens_light)
        return self._observe(flux) + self.blocks**2 * float(parameters[Parameter.BACKGROUND])

    def source_image(self, parameters: Parameters) -> Image:
        """The lensed source alone, convolved with the PSF [counts/s]."""
        model = self
        if self.lens_light:
            exact = None if self.exact is None else replace(self.exact, lens_light=False)
            model = replace(self, lens_light=False, exact=exact)
        dark = parameters.copy()
        dark[Parameter.BACKGROUND] = 0
        return model.image(dark)

    def magnification(self, parameters: Parameters) -> float:
        """Light of the source with the lens over its light without the lens."""
        unlensed = parameters.copy()
        unlensed[Parameter.EINSTEIN_RADIUS] = _NO_LENS
        unlensed[[Parameter.GAMMA1, Parameter.GAMMA2]] = 0
        bare = float(self.source_image(unlensed).sum())
        return float(self.source_image(parameters).sum()) / max(bare, _NO_LIGHT)

    def derivatives(
        self, parameters: Parameters, more: Float[np.ndarray, "k h w"] | None = None
    ) -> Float[np.ndarray, "k h w"]:
        """Derivatives of the expected flux with respect to the free parameters.

        They are exact for the PSF of this model, which for blocks of pixels is broadened by their
        size. The derivative with respect to the exposure is zero here: the likelihood supplies it.

        Args:
            parameters: Parameter vector.
            more: Derivatives of light that is not in the model, before the PSF.
        """
        flux = self._render(parameters, self.free)
        jacobian = self._observe(flux if more is None else flux + more)
        if Parameter.BACKGROUND in self.free:
            jacobian[self.free.index(Parameter.BACKGROUND)] = self.blocks**2
        return jacobian

    def deflection_response(self, parameters: Parameters) -> Float[np.ndarray, "2 h w"]:
        """Derivative of the flux with respect to an extra deflection in x and y [counts/s/arcsec].

        Deflecting a ray further is equivalent to moving the source by the same amount.
        """
        return self._observe(self._render(parameters, (Parameter.SOURCE_X, Parameter.SOURCE_Y)))

    @property
    def psf_width(self) -> float:
        """Standard deviation of the PSF along one axis [arcsec]; the mean of both if pixelised."""
        return _width(self.instrument.psf, self.grid.pixel_scale)

    def with_free_sky(self) -> "SmoothModel":
        """The same model with a free sky level instead of the preset's.

        Raises:
            BadInput: If the noise model is not photon noise.
        """
        if not isinstance(self.likelihood, PhotonLikelihood):
            raise BadInput("the sky can be fitted only where the noise is photon noise")
        likelihood = PhotonLikelihood(PhotonNoise())
        return replace(
            self, free=tuple(sorted({*self.free, Parameter.BACKGROUND})), likelihood=likelihood
        )

    def exposure(self, parameters: Parameters) -> float:
        """Exposure time [s]."""
        return float(np.exp(parameters[Parameter.LOG_EXPOSURE]))

    def inside(self, parameters: Parameters) -> Parameters:
        """The parameters, clipped to their bounds."""
        return inside_bounds(parameters, self.lower, self.upper)

    def coarse(self, factor: int, samples: int = 1) -> "SmoothModel":
        """The same model for binned images.

        Each coarse pixel is sampled by `samples` squared rays; the PSF is broadened by the binning.
        """
        rows, columns = (side // factor for side in self.grid.shape)
        scale = self.grid.pixel_scale * factor
        fine = self.grid.pixel_scale / self.instrument.supersampling
        width2 = max((scale / samples) ** 2 - fine**2, 0.0) / 12
        width2 += self.psf_width**2
        psf = GaussianPSF(float(FWHM_PER_SIGMA * np.sqrt(width2))) if width2 > 0 else None
        instrument = replace(self.instrument, psf=psf, supersampling=samples)
        grid = PixelGrid((rows, columns), scale)
        return replace(
            self, grid=grid, instrument=instrument, blocks=factor * self.blocks, exact=None
        )

    def binned(self, size: int, factor: int) -> "SmoothModel":
        """The same model for blocks of the central pixels.

        Its image is the sum over the blocks of what this model has in each pixel. Its derivatives
        are those of `coarse`: good enough for the steps of a fit, but wrong where the source is
        sharp; see `exact_derivatives`.

        Args:
            size: Side of the central square [pixel], a multiple of the factor.
            factor: Side of the blocks [pixel].
        """
        scale = self.grid.pixel_scale
        window = replace(self, grid=PixelGrid((size, size), scale))
        if factor == 1:
            return window
        spread = int(np.ceil(_SPREAD * self.psf_width / scale))
        rows, columns = (min(size + 2 * spread, side) for side in self.grid.shape)
        exact = replace(self, grid=PixelGrid((rows, columns), scale))
        return replace(window.coarse(factor), exact=exact)

    def exact_derivatives(
        self, parameters: Parameters, more: Float[np.ndarray, "k i j"] | None = None
    ) -> Float[np.ndarray, "k h w"]:
        """Derivatives as by `derivatives`, but where the model is binned, sums over its blocks.

        Args:
            parameters: Parameter vector.
            more: Derivatives of light that is not in the model, on the pixels, before the PSF.
        """
        if self.exact is None:
            return self.derivatives(parameters, more)
        return self.on_blocks(replace(self.exact, free=self.free).derivatives(parameters, more))

    def on_blocks(self, pixels: Float[np.ndarray, "*n i j"]) -> Float[np.ndarray, "*n h w"]:
        """Sums over the blocks that this model covers."""
        rows, columns = (side * self.blocks for side in self.grid.shape)
        return block_sums(central_cutout(pixels, rows, columns), self.blocks)

    def _render(
        self, parameters: Parameters, wanted: tuple[int, ...]
    ) -> Float[np.ndarray, "k h w"]:
        """Derivatives of the flux before the PSF."""
        jacobian = np.empty((len(wanted), *self.grid.shape))
        row_of = np.full(len(Parameter), -1)
        row_of[list(wanted)] = np.arange(len(wanted))
        render_smooth(
            jacobian,
            self.grid.pixel_scale,
            self.instrument.supersampling,
            parameters,
            row_of,
            *self._sersic_constants(parameters),
            self.lens_light,
        )
        return jacobian

    def _sersic_constants(self, parameters: Parameters) -> tuple[float, float, float, float]:
        """B and db/dn of the source, then of the lens light."""
        source, light = self.b_n
        return (
            *_sersic_constant(parameters[Parameter.SOURCE_SERSIC_INDEX], source),
            *_sersic_constant(parameters[Parameter.LENS_LIGHT_SERSIC_INDEX], light),
        )

    def _observe(self, flux: Float[np.ndarray, "*n h w"]) -> Float[np.ndarray, "*n h w"]:
        return self.instrument.observe(flux, self.grid.pixel_scale)


def _sersic_constant(sersic_index: float, formula: str) -> tuple[float, float]:
    """The Sersic constant b and its derivative with respect to the index."""
    b = sersic_b(sersic_index, formula)
    return b, (sersic_b(sersic_index + _INDEX_STEP, formula) - b) / _INDEX_STEP


def _width(psf: GaussianPSF | PixelPSF | None, pixel_scale: float) -> float:
    """Standard deviation of a PSF along one axis [arcsec]; the mean of both if pixelised."""
    if psf is None:
        return 0.0
    if isinstance(psf, GaussianPSF):
        return float(psf.fwhm / FWHM_PER_SIGMA)
    weights = np.maximum(psf.pixels, 0) / np.maximum(psf.pixels, 0).sum()
    place = np.indices(weights.shape) - (np.array(weights.shape)[:, None, None] - 1) / 2
    return float(pixel_scale * np.sqrt(0.5 * (weights * (place**2).sum(axis=0)).sum()))
