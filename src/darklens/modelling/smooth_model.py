r"""The smooth lens as a model to fit: which parameters it has, which of them are free.

A model may also hold one line of mass, to be fitted as the explanation of a vortex. A preset
decides: a number with a distribution is free, a constant is fixed, and bounds lie half a range
beyond what the preset draws. Inside the fit ellipticities and shear are Cartesian and radius,
amplitude and exposure logarithmic; see `PARAMETERS`.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy.random import Generator, Philox

from darklens.errors import BadInput, BadPreset
from darklens.lensing.grid import PixelGrid
from darklens.lensing.instrument import FWHM_PER_SIGMA, GaussianPSF, Instrument, PixelPSF
from darklens.lensing.noise import PhotonNoise
from darklens.lensing.profiles import Sersic, sersic_b
from darklens.lensing.render import Scene
from darklens.modelling.derivatives import render_smooth
from darklens.modelling.likelihood import Likelihood, PhotonLikelihood, likelihood_of
from darklens.simulation.distributions import Constant, Distribution
from darklens.simulation.population import draw_scene
from darklens.simulation.presets import LightPrior, LinePrior, Preset

__all__ = ["PARAMETERS", "PRIOR_DRAWS", "SmoothModel", "scene_parameters", "smooth_model"]

Parameters = Float[np.ndarray, " p"]
Image = Float[np.ndarray, "h w"]

PRIOR_DRAWS = 4000
"""Lenses drawn from the prior, unless told otherwise."""

_LIGHT = ("x", "y", "e1", "e2", "log_radius", "sersic_index", "log_amplitude")
PARAMETERS: tuple[str, ...] = (
    "einstein_radius",
    "lens_e1",
    "lens_e2",
    "lens_x",
    "lens_y",
    "gamma1",
    "gamma2",
    *(f"source_{name}" for name in _LIGHT),
    *(f"lens_light_{name}" for name in _LIGHT),
    "background",
    "log_exposure",
    "line_x",
    "line_y",
    "line_angle",
    "line_log_half_length",
    "line_strength",
)
"""Parameters of a lens [arcsec; flux / arcsec^2 for amplitudes; flux / pixel; log s; rad].

The strength of a line is the square of the Einstein radius of its whole mass; 0 is no line.
"""

_BACKGROUND, _EXPOSURE = PARAMETERS.index("background"), PARAMETERS.index("log_exposure")
_SOURCE, _LENS_LIGHT = PARAMETERS.index("source_x"), PARAMETERS.index("lens_light_x")
_ELLIPTICITIES = tuple(PARAMETERS.index(f"{part}_e1") for part in ("lens", "source", "lens_light"))
_AMPLITUDES = tuple(PARAMETERS.index(f"{part}_log_amplitude") for part in ("source", "lens_light"))
_LARGEST_ELLIPTICITY = 0.85
_INDEX_STEP = 1e-5
_SEED = 20_260_101


@dataclass(frozen=True)
class SmoothModel:
    """A family of smooth lenses in front of a telescope.

    Args:
        grid: Pixels of the image.
        instrument: PSF and rays in a pixel.
        likelihood: Noise.
        free: Indices into `PARAMETERS` of the parameters to fit.
        lower: Lower bounds of all parameters.
        upper: Upper bounds of all parameters.
        draws: Parameters of lenses drawn from the prior, from which fits start.
        b_n: Formula of the source's Sersic constant, and of the lens light's.
        lens_light: Whether the lens shines.
        blocks: Side of the blocks of image pixels that a pixel of this model stands for.
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

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the free parameters."""
        return tuple(PARAMETERS[k] for k in self.free)

    def image(self, parameters: Parameters) -> Image:
        """Expected flux behind the PSF [counts/s]."""
        flux, _ = self._render(parameters, ())
        return self._observe(flux) + self.blocks**2 * float(parameters[_BACKGROUND])

    def derivatives(self, parameters: Parameters) -> tuple[Image, Float[np.ndarray, "k h w"]]:
        """Expected flux and its exact derivatives by the free parameters.

        The derivative by the exposure is left at zero: it belongs to the likelihood.
        """
        flux, jacobian = self._render(parameters, self.free)
        for k, row in zip(self.free, jacobian, strict=True):
            if k == _BACKGROUND:
                row[:] = self.blocks**2
            elif k != _EXPOSURE:
                row[:] = self._observe(row)
        return self._observe(flux) + self.blocks**2 * float(parameters[_BACKGROUND]), jacobian

    def deflection_response(self, parameters: Parameters) -> Float[np.ndarray, "2 h w"]:
        """Change of the flux for a small further deflection along x and y [counts/s/arcsec].

        Deflecting a ray by more moves its place in the source plane back, which is the same as
        moving the source forward.
        """
        _, jacobian = self._render(parameters, (_SOURCE, _SOURCE + 1))
        return np.stack([self._observe(row) for row in jacobian])

    def with_free_sky(self) -> "SmoothModel":
        """The same model with the sky as a number to fit, in place of the preset's level.

        Raises:
            BadInput: If the noise is not that of photons.
        """
        if not isinstance(self.likelihood, PhotonLikelihood):
            raise BadInput("the sky can be fitted where the noise is that of photons")
        likelihood = PhotonLikelihood(PhotonNoise())
        return replace(self, free=tuple(sorted({*self.free, _BACKGROUND})), likelihood=likelihood)

    def exposure(self, parameters: Parameters) -> float:
        """Exposure time [s]."""
        return float(np.exp(parameters[_EXPOSURE]))

    def inside(self, parameters: Parameters) -> Parameters:
        """The parameters, moved into their bounds where they are outside."""
        moved: Parameters = np.clip(parameters, self.lower, self.upper)
        for k in _ELLIPTICITIES:
            size = np.hypot(moved[k], moved[k + 1])
            if size > _LARGEST_ELLIPTICITY:
                moved[k : k + 2] *= _LARGEST_ELLIPTICITY / size
        return moved

    def coarse(self, factor: int, samples: int = 1) -> "SmoothModel":
        """The same model for images of which blocks of pixels are averaged.

        `samples` squared rays stand for a coarse pixel, and the PSF is widened by the averaging.
        """
        rows, columns = (side // factor for side in self.grid.shape)
        scale = self.grid.pixel_scale * factor
        fine = self.grid.pixel_scale / self.instrument.supersampling
        width2 = max((scale / samples) ** 2 - fine**2, 0.0) / 12
        width2 += _width(self.instrument.psf, self.grid.pixel_scale) ** 2
        psf = GaussianPSF(float(FWHM_PER_SIGMA * np.sqrt(width2))) if width2 > 0 else None
        instrument = replace(self.instrument, psf=psf, supersampling=samples)
        grid = PixelGrid((rows, columns), scale)
        return replace(self, grid=grid, instrument=instrument, blocks=factor)

    def _render(
        self, parameters: Parameters, wanted: tuple[int, ...]
    ) -> tuple[Image, Float[np.ndarray, "k h w"]]:
        """Flux before the PSF and its derivatives."""
        image = np.empty(self.grid.shape)
        jacobian = np.empty((len(wanted), *self.grid.shape))
        slot = np.full(len(PARAMETERS), -1)
        slot[list(wanted)] = np.arange(len(wanted))
        scale, samples = self.grid.pixel_scale, self.instrument.supersampling
        constants = self._constants(parameters)
        render_smooth(image, jacobian, scale, samples, parameters, slot, constants, self.lens_light)
        return image, jacobian

    def _constants(self, parameters: Parameters) -> Float[np.ndarray, "4"]:
        """The Sersic constants b and their derivatives by the index."""
        values = []
        for first, formula in zip((_SOURCE, _LENS_LIGHT), self.b_n, strict=True):
            n = parameters[first + 5]
            b = sersic_b(n, formula)
            values += [b, (sersic_b(n + _INDEX_STEP, formula) - b) / _INDEX_STEP]
        return np.array(values)

    def _observe(self, flux: Image) -> Image:
        return self.instrument.observe(flux, self.grid.pixel_scale)


def smooth_model(
    preset: Preset,
    likelihood: Likelihood | None = None,
    *,
    background: bool = False,
    line: bool = False,
    draws: int = PRIOR_DRAWS,
) -> SmoothModel:
    """The smooth lenses of a preset.

    Args:
        preset: What is free and what is fixed; its substructure is left out.
        likelihood: Noise; the preset's own if None.
        background: Whether a flat background is free, too; it is for a general preset.
        line: Whether the model has the line of mass of the preset's first class with one.
        draws: Number of lenses drawn from the prior; they set the bounds, and fits start from them.

    Raises:
        BadPreset: If the preset has no noise and no likelihood is given, or no line.
        BadInput: If the preset leaves nothing to fit.
    """
    free = _free(preset)
    if not free:
        raise BadInput(f"the preset {preset.name} draws no number of the smooth lens: no fit")
    label = next((name for name, parts in preset.classes.items() if not parts), None)
    label = label or next(iter(preset.classes))
    if background or preset.general:
        free = (*free, _BACKGROUND)
    if line:
        label, prior = _line_class(preset)
        free = (*free, *_line_free(prior))
    table = _draws(preset, label, line, draws)
    low, high = table.min(axis=0), table.max(axis=0)
    margin = 0.5 * (high - low)
    lower, upper = low - margin, high + margin
    for name in ("background", "line_angle"):
        lower[PARAMETERS.index(name)], upper[PARAMETERS.index(name)] = -np.inf, np.inf
    for name in ("einstein_radius", "line_strength"):
        k = PARAMETERS.index(name)
        lower[k] = max(lower[k], 0.05 * low[k])
    for name in ("source_sersic_index", "lens_light_sersic_index"):
        k = PARAMETERS.index(name)
        lower[k] = max(lower[k], 0.6 * low[k])
    for k in _AMPLITUDES if preset.general else ():  # the units of the image are not known
        lower[k], upper[k] = -np.inf, np.inf
    if likelihood is None:
        sky = preset.instrument.sky_rate(preset.grid.pixel_area)
        likelihood = likelihood_of(preset.noise, sky)
    light = preset.lens_light
    return SmoothModel(
        grid=preset.grid,
        instrument=preset.instrument,
        likelihood=likelihood,
        free=tuple(sorted(free)),
        lower=lower,
        upper=upper,
        draws=table,
        b_n=(preset.source.b_n, preset.source.b_n if light is None else light.b_n),
        lens_light=light is not None,
    )


def scene_parameters(scene: Scene, exposure: float = 1.0, *, line: bool = False) -> Parameters:
    """The parameters of a scene, in the order of `PARAMETERS`.

    Args:
        scene: The scene; its substructure is left out.
        exposure: Exposure time [s].
        line: Whether the scene's first line of mass, if it has one, is kept.
    """
    lens, shear = scene.lens, scene.shear
    parameters = [lens.einstein_radius, *_ellipticity(lens.axis_ratio, lens.position_angle)]
    parameters += [lens.x, lens.y, shear.gamma1, shear.gamma2]
    parameters += _light_parameters(scene.sources[0])
    dark = Sersic(1e-300, 1.0)
    parameters += _light_parameters(scene.lens_light[0] if scene.lens_light else dark)
    vortex = [0.0, 0.0, 0.0, 0.0, 0.0]
    if line and len(scene.perturbers.lines):
        x, y, angle, half_length, theta, _ = scene.perturbers.lines[0]
        vortex = [x, y, angle, float(np.log(half_length)), theta**2]
    return np.array([*parameters, 0.0, np.log(exposure), *vortex])


def _draws(preset: Preset, label: str, line: bool, count: int) -> Float[np.ndarray, "d p"]:
    """Parameters of lenses from the prior, always the same ones."""
    rows = []
    for index in range(count):
        rng = Generator(Philox(key=np.array([_SEED, index], dtype=np.uint64)))
        scene, record = draw_scene(preset, label, rng)
        rows.append(scene_parameters(scene, record["exposure"], line=line))
    return np.array(rows)


def _line_class(preset: Preset) -> tuple[str, LinePrior]:
    """The first class with a line of mass."""
    for label, parts in preset.classes.items():
        for part in parts:
            if isinstance(part, LinePrior):
                return label, part
    raise BadPreset(f"the preset {preset.name} has no class with a line of mass")


def _line_free(prior: LinePrior) -> list[int]:
    """Indices of the parameters of the line that the preset draws."""
    moved = prior.radius != Constant(0.0)
    drawn = {
        "line_x": moved and _varies(prior.radius, prior.angle),
        "line_y": moved and _varies(prior.radius, prior.angle),
        "line_angle": _varies(prior.position_angle),
        "line_log_half_length": _varies(prior.half_length, prior.axion_mass),
        "line_strength": _varies(prior.mass),
    }
    return [PARAMETERS.index(name) for name, varies in drawn.items() if varies]


def _light_parameters(light: Sersic) -> list[float]:
    shape = _ellipticity(light.axis_ratio, light.position_angle)
    scale = [float(np.log(light.radius)), light.sersic_index, float(np.log(light.amplitude))]
    return [light.x, light.y, *shape, *scale]


def _width(psf: GaussianPSF | PixelPSF | None, pixel_scale: float) -> float:
    """Standard deviation of a PSF along an axis [arcsec], for one of pixels the mean of both."""
    if psf is None:
        return 0.0
    if isinstance(psf, GaussianPSF):
        return float(psf.fwhm / FWHM_PER_SIGMA)
    weights = np.maximum(psf.pixels, 0) / np.maximum(psf.pixels, 0).sum()
    place = np.indices(weights.shape) - (np.array(weights.shape)[:, None, None] - 1) / 2
    return float(pixel_scale * np.sqrt(0.5 * (weights * (place**2).sum(axis=0)).sum()))


def _ellipticity(axis_ratio: float, angle: float) -> list[float]:
    size = (1 - axis_ratio) / (1 + axis_ratio)
    return [float(size * np.cos(2 * angle)), float(size * np.sin(2 * angle))]


def _free(preset: Preset) -> tuple[int, ...]:
    """Indices of the parameters that the preset draws."""
    lens, source = preset.lens, preset.source
    theta = [lens.einstein_radius]
    if lens.mass is not None:
        theta = [lens.mass, lens.redshift, source.redshift]
    drawn = {
        "einstein_radius": _varies(*theta),
        "lens_e": _varies(lens.axis_ratio)
        or (_varies(lens.position_angle) and lens.axis_ratio != Constant(1.0)),
        "lens_x": _varies(lens.x),
        "lens_y": _varies(lens.y),
        "gamma": _varies(lens.shear) or (_varies(lens.shear_angle) and lens.shear != Constant(0.0)),
        **_light_freedom("source", source),
        "log_exposure": _varies(preset.exposure),
    }
    if preset.lens_light is not None:
        drawn |= _light_freedom("lens_light", preset.lens_light)
    names = {name for name, varies in drawn.items() if varies}
    return tuple(k for k, name in enumerate(PARAMETERS) if name in names or name[:-1] in names)


def _light_freedom(part: str, prior: LightPrior) -> dict[str, bool]:
    offset = prior.offset != Constant(0.0) and _varies(prior.offset, prior.offset_angle)
    brightness: tuple[Distribution | None, ...] = (prior.amplitude,)
    if prior.magnitude is not None:
        brightness = (prior.magnitude, prior.radius, prior.sersic_index)
    return {
        f"{part}_x": _varies(prior.x) or offset,
        f"{part}_y": _varies(prior.y) or offset,
        f"{part}_e": _varies(prior.axis_ratio)
        or (_varies(prior.position_angle) and prior.axis_ratio != Constant(1.0)),
        f"{part}_log_radius": _varies(prior.radius),
        f"{part}_sersic_index": _varies(prior.sersic_index),
        f"{part}_log_amplitude": _varies(*brightness),
    }


def _varies(*values: Distribution | None) -> bool:
    return any(value is not None and not isinstance(value, Constant) for value in values)
