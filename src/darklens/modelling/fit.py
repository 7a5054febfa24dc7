r"""Maximum-likelihood fit of the smooth lens to an image, with errors and residuals.

A fit starts from the best of a few thousand lenses drawn from the prior. It is first optimised on
binned pixels, with the noise estimated from the image, and then on all pixels with the noise of the
model, which is updated at each step. Models with lens light or a free background start from
`darklens.modelling.initial_guess` instead.
"""

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Float32, Num

from darklens.cutouts import block_sums
from darklens.errors import BadInput
from darklens.lensing.grid import border_pixels
from darklens.modelling.adaptation import robust_deviation
from darklens.modelling.initial_guess import initial_guesses
from darklens.modelling.levenberg_marquardt import RoughNoise, Solution, optimise
from darklens.modelling.likelihood import GaussianLikelihood
from darklens.modelling.model_from_preset import PRIOR_DRAWS, smooth_model
from darklens.modelling.parameters import PARAMETERS, Parameter
from darklens.modelling.precomputed import precomputed
from darklens.modelling.smooth_model import SmoothModel
from darklens.naming import sides
from darklens.simulation.presets import Preset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SmoothFit", "SmoothFitter", "fit_result"]

Image = Float[np.ndarray, "h w"]
Parameters = Float[np.ndarray, " p"]

_COARSE_SIDE, _WIDE_COARSE_SIDE = 50, 70
_SEARCH_BLOCK = 2
_STARTS = 4
_COARSE_STEPS = 12
_GOOD = 2.0
_STEPS, _WIDE_TRIAL, _WIDE_STEPS = 30, 15, 100
_MARGIN = 8
_RESIDUAL = 5.0  # end of the colours of a residual [noise]


@dataclass(frozen=True)
class SmoothFit:
    """The smooth model of one image.

    Attributes:
        parameters: Parameter vector, in the order of `PARAMETERS`.
        names: Names of the free parameters.
        covariance: Their covariance, from the curvature of the likelihood.
        chi_square: Reduced chi-square, sum((n - m)^2 / v) / (pixels - free parameters).
        model: Expected image, in the units of the image.
        noise: Standard deviation of each pixel, sqrt(v).
        residual: (n - m) / sqrt(v).
        sensitivity: Derivative of the image with respect to an extra deflection along x and y
            [noise / arcsec].
        whitened_jacobian: Derivatives of the image with respect to the free parameters, in units
            of the noise.
        converged: Whether the last step was below a hundredth of the errors, within bounds.
        steps: Number of steps on the full image.
    """

    parameters: Parameters
    names: tuple[str, ...]
    covariance: Float[np.ndarray, "k k"]
    chi_square: float
    model: Image
    noise: Image
    residual: Image
    sensitivity: Float[np.ndarray, "2 h w"]
    whitened_jacobian: Float[np.ndarray, "k h w"]
    converged: bool
    steps: int

    def __repr__(self) -> str:
        radius = self.parameters[Parameter.EINSTEIN_RADIUS]
        end = "converged" if self.converged else "not converged"
        return (
            f"SmoothFit({sides(self.model.shape)} pixels: Einstein radius {radius:.4f} arcsec, "
            f"reduced chi-square {self.chi_square:.3f}, {len(self.names)} free parameters, "
            f"{end} in {self.steps} steps)"
        )

    def _repr_html_(self) -> str:
        from darklens.display import (
            facts_html,
            lens_picture,
            pictures_html,
            signed_picture,
            table_html,
        )

        facts = {
            "reduced chi-square": f"{self.chi_square:.3f}",
            "end": "converged" if self.converged else "not converged",
        }
        values, errors = self.values, self.errors
        rows = [(name, f"{values[name]:.5g}", f"{errors[name]:.2g}") for name in self.names]
        pictures = [
            (lens_picture(self._image()[None]), "image"),
            (lens_picture(self.model[None]), "smooth model"),
            (signed_picture(self.residual, _RESIDUAL), f"residual, ±{_RESIDUAL:g}σ"),
        ]
        table = table_html(("parameter", "value", "error"), rows)
        return facts_html("Fit of a smooth lens", facts, table, pictures_html(pictures))

    def show(self) -> "Figure":
        """A Matplotlib figure of the image, the smooth model and the residual in noise units."""
        from darklens.display import panels_figure

        panels = [
            ("image", self._image(), None),
            ("smooth model", self.model, None),
            ("residual [noise]", self.residual, _RESIDUAL),
        ]
        end = "" if self.converged else ", not converged"
        return panels_figure(panels, title=f"reduced chi-square {self.chi_square:.3f}{end}")

    def _image(self) -> Image:
        """The fitted pixels; NaN where the noise is infinite."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.model + self.residual * self.noise)

    @property
    def values(self) -> dict[str, float]:
        """Free parameters by name."""
        return {name: float(self.parameters[PARAMETERS.index(name)]) for name in self.names}

    @property
    def errors(self) -> dict[str, float]:
        """Standard errors of the free parameters by name."""
        deviations = np.sqrt(np.diag(self.covariance))
        return dict(zip(self.names, map(float, deviations), strict=True))


class SmoothFitter:
    """Fits one smooth lens model to images.

    Args:
        model: The model, or a preset that declares it.
        draws: Number of lenses drawn from the prior of a preset.

    Example:
        >>> from darklens.simulation import Simulator, load_preset
        >>> lens = Simulator("model-1").lens(0)
        >>> fit = SmoothFitter(load_preset("model-1")).fit(lens.image[0])
        >>> bool(abs(fit.values["source_x"] - lens.parameters["source_x"]) < 0.01)
        True
    """

    def __init__(self, model: SmoothModel | Preset, *, draws: int = PRIOR_DRAWS) -> None:
        self.model = model if isinstance(model, SmoothModel) else smooth_model(model, draws=draws)
        free = self.model.names
        light = {"background", "lens_light_log_amplitude"} & set(free)
        unbounded = bool(light) and "source_log_amplitude" in free
        self._wide = unbounded and self.model.prior is None
        side = _WIDE_COARSE_SIDE if self._wide else _COARSE_SIDE
        self._factor = max(1, min(self.model.grid.shape) // side)
        self._coarse = self.model.coarse(self._factor, 2 if self._wide else 1)
        self._scaled = any(n in free for n in ("log_exposure", "source_log_amplitude"))

    def fit(self, image: Num[np.ndarray, "h w"], start: Parameters | None = None) -> SmoothFit:
        """Fit one image.

        Args:
            image: Pixels in the units of the likelihood, such as counts.
            start: Parameter vector to start from, such as the truth; found by a search if None.

        Raises:
            BadInput: If the image has another shape than the model, or pixels that are not finite
                where the noise is.
        """
        if image.shape != self.model.grid.shape:
            raise BadInput(f"the fit takes {self.model.grid.shape} pixels, not {image.shape}")
        data = self._filled(image.astype(np.float64))
        begins = self._starts(data) if start is None else [start]
        if len(begins) > 1:
            ends = [optimise(self.model, data, begin, _WIDE_TRIAL) for begin in begins]
            begins = [min(ends, key=lambda end: end.chi_square).parameters]
        steps = _WIDE_STEPS if self._wide else _STEPS
        return fit_result(self.model, data, optimise(self.model, data, begins[0], steps))

    def _filled(self, data: Image) -> Image:
        """The image with NaN pixels of infinite noise replaced by sky; they have no weight."""
        known = np.isfinite(data)
        if known.all():
            return data
        likelihood = self.model.likelihood
        used = np.ones(data.shape, dtype=bool)
        if isinstance(likelihood, GaussianLikelihood):
            used = np.isfinite(likelihood.noise_map)
        if not used.any() or not known[used].all():
            raise BadInput("the image has pixels that are not finite")
        width = max(1, data.shape[0] // _MARGIN)
        return np.where(known, data, np.median(data[border_pixels(known & used, width)]))

    def with_free_sky(self) -> "SmoothFitter":
        """A fitter that also fits the sky level; it shares the precomputed draws."""
        other = self.with_model(self.model.with_free_sky())
        other._coarse = self._coarse.with_free_sky()
        return other

    def with_model(self, model: SmoothModel) -> "SmoothFitter":
        """A fitter with other noise or another prior; it shares the precomputed draws."""
        _ = self._squares  # made once for both
        other = copy(self)
        other.model = model
        other._coarse = replace(self._coarse, likelihood=model.likelihood, prior=model.prior)
        return other

    def start(self, data: Image) -> Parameters:
        """Starting point: a search over the prior draws, then a fit to binned pixels."""
        return self._starts(data)[0]

    def _starts(self, data: Image) -> list[Parameters]:
        """Starting points, most promising first: several for a wide prior, otherwise one."""
        blocks = block_sums(data, self._factor)
        background, variance = self._rough_noise(blocks)
        free = "background" in self.model.names
        rough = RoughNoise(self.model.likelihood, 0.0 if free else background, variance)
        coarse = replace(self._coarse, likelihood=rough)
        if self._wide:
            return initial_guesses(coarse, blocks, background)[:_STARTS]
        best, least = None, np.inf
        for parameters in self._nearest(blocks - background, variance):
            if free:
                scale = self.model.likelihood.scale(self.model.exposure(parameters))
                parameters[Parameter.BACKGROUND] = background / (scale * self._coarse.blocks**2)
            found = optimise(coarse, blocks, parameters, _COARSE_STEPS, tolerance=0.3)
            if found.chi_square < least:
                best, least = found.parameters, found.chi_square
            if least < _GOOD * blocks.size:
                break
        assert best is not None  # there is one start at least
        return [best]

    def _rough_noise(self, blocks: Image) -> tuple[float, Image]:
        """Background and variance of binned pixels, estimated from the image.

        The border is assumed free of arcs; the median is robust where it is not.
        """
        width = max(1, blocks.shape[0] // _MARGIN)
        likelihood = self.model.likelihood
        if isinstance(likelihood, GaussianLikelihood):
            pixels = np.square(likelihood.noise_map, dtype=np.float64)
            variance = block_sums(pixels, self._factor)
            border = border_pixels(np.isfinite(variance), width)
            return float(np.median(blocks[border if border.any() else ...])), variance
        border = border_pixels(np.ones(blocks.shape, dtype=bool), width)
        background = float(np.median(blocks[border]))
        spread = robust_deviation(blocks[border])
        gain = likelihood.gain(
            float(np.exp(np.median(self.model.draws[:, Parameter.LOG_EXPOSURE])))
        )
        floor = max(spread**2, 1e-12 * float(np.abs(blocks).max()) ** 2, 1e-300)
        return background, floor + gain * np.maximum(blocks - background, 0)

    @cached_property
    def _templates(self) -> Float32[np.ndarray, "d c"]:
        """Images of the prior draws, binned for the search."""
        key = (self._coarse, self.model.likelihood, _SEARCH_BLOCK)
        return precomputed("templates", key, self._rendered)

    @cached_property
    def _squares(self) -> Float32[np.ndarray, "d c"]:
        return np.asarray(np.square(self._templates))

    def _rendered(self) -> Float32[np.ndarray, "d c"]:
        return np.array([self._template(n) for n in self.model.draws], dtype=np.float32)

    def _template(self, parameters: Parameters) -> Float[np.ndarray, " c"]:
        """Image of one lens, binned for the search, flattened."""
        scale = self.model.likelihood.scale(self.model.exposure(parameters))
        return block_sums(scale * self._coarse.image(parameters), _SEARCH_BLOCK).ravel()

    def _nearest(self, signal: Image, variance: Image) -> list[Parameters]:
        """The prior draws that match the signal best, best first."""
        weight = (1 / block_sums(variance, _SEARCH_BLOCK).ravel()).astype(np.float32)
        wanted = block_sums(signal, _SEARCH_BLOCK).ravel().astype(np.float32)
        cross = self._templates @ (weight * wanted)
        power = self._squares @ weight
        factor = np.maximum(cross, 0) / power if self._scaled else np.ones_like(cross)
        distance = factor * (factor * power - 2 * cross)
        starts = []
        for k in np.argsort(distance)[:_STARTS]:
            parameters = self.model.draws[k].copy()
            for name in ("log_exposure", "source_log_amplitude"):
                if name in self.model.names and factor[k] > 0:
                    parameters[PARAMETERS.index(name)] += np.log(factor[k])
                    break
            starts.append(self.model.inside(parameters))
        return starts


def fit_result(model: SmoothModel, data: Image, end: Solution) -> SmoothFit:
    """Parameters, errors, residuals and derivatives of a finished fit."""
    deviation = np.sqrt(end.moments.variance)
    if {"source_x", "source_y"} <= set(model.names):
        response = end.jacobian[[model.names.index(n) for n in ("source_x", "source_y")]]
    else:
        response = model.deflection_response(end.parameters) * end.moments.slope
    inside = np.all((end.parameters > model.lower) & (end.parameters < model.upper) | _fixed(model))
    used = int(np.isfinite(deviation).sum())
    return SmoothFit(
        parameters=end.parameters,
        names=model.names,
        covariance=_inverse(end.curvature),
        chi_square=end.chi_square / max(used - len(model.free), 1),
        model=end.moments.mean,
        noise=deviation,
        residual=(data - end.moments.mean) / deviation,
        sensitivity=response / deviation,
        whitened_jacobian=end.jacobian / deviation,
        converged=end.converged and bool(inside),
        steps=end.steps,
    )


def _inverse(curvature: Float[np.ndarray, "k k"]) -> Float[np.ndarray, "k k"]:
    """Covariance by pseudo-inverse; parameters are rescaled first, since units differ widely."""
    root = np.sqrt(np.diag(curvature))
    scale = np.where(root > 0, 1 / np.where(root > 0, root, 1), 0.0)
    scales = np.outer(scale, scale)
    return np.asarray(np.linalg.pinv(curvature * scales, hermitian=True) * scales)


def _fixed(model: SmoothModel) -> Any:
    """Mask of the fixed parameters."""
    fixed = np.ones(len(PARAMETERS), dtype=bool)
    fixed[list(model.free)] = False
    return fixed
