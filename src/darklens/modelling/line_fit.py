"""Fit of a smooth lens with one line of mass, the model of an axion vortex.

The likelihood of a line has many local maxima. The most significant candidates of the matched
filters are therefore all optimised on binned pixels of the image centre, where a step is cheap;
half are dropped on the way, and the best is finished on the full image. The binning error is
calibrated on the smooth fit, for which both images are known.
"""

from copy import copy
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Num

from darklens.cutouts import block_sums, central_cutout
from darklens.lensing.grid import PixelGrid
from darklens.modelling.fit import SmoothFit, fit_result
from darklens.modelling.levenberg_marquardt import RoughNoise, Solution, optimise
from darklens.modelling.likelihood import Likelihood
from darklens.modelling.matched_filter import LineCandidate
from darklens.modelling.model_from_preset import PRIOR_DRAWS, smooth_model
from darklens.modelling.parameters import GaussianPrior, Parameter
from darklens.modelling.smooth_model import SmoothModel
from darklens.simulation.presets import Preset

__all__ = ["LineFitter", "with_line"]

Image = Float[np.ndarray, "h w"]
Parameters = Float[np.ndarray, " p"]
Blocks = Float[np.ndarray, "i j"]

_FACTOR = 2
_CENTRE = 0.8
_ROUNDS = ((4, 4), (2, 6))  # how many starts go on, and the steps of each
_STEPS, _TOLERANCE = 10, 0.05  # the surface has kinks where rays cross the line
_WEAKEST = 1e-4


class LineFitter:
    """Fits smooth lenses with one line of mass.

    Args:
        preset: Declares the smooth lens, and the line by its first class with one; or the model.
        hold_smooth: Whether to keep the smooth lens fixed and fit the line alone.
        draws: Number of lenses drawn from the prior.
        steps: Steps on the full image at the end.

    Raises:
        BadPreset: If no class of the preset has a line.
    """

    def __init__(
        self,
        preset: Preset | SmoothModel,
        *,
        hold_smooth: bool = False,
        draws: int = PRIOR_DRAWS,
        steps: int = _STEPS,
    ) -> None:
        self._steps = steps
        model = preset
        if isinstance(model, Preset):
            model = smooth_model(model, line=True, draws=draws)
        line = tuple(k for k in model.free if k >= Parameter.LINE_X)
        self.model = replace(model, free=line) if hold_smooth else model
        coarse = self.model.coarse(_FACTOR)
        rows, columns = (2 * int(_CENTRE * side / 2) for side in coarse.grid.shape)
        self._coarse = replace(coarse, grid=PixelGrid((rows, columns), coarse.grid.pixel_scale))

    def with_free_sky(self) -> "LineFitter":
        """A fitter that also fits the sky level."""
        other = copy(self)
        other.model, other._coarse = self.model.with_free_sky(), self._coarse.with_free_sky()
        return other

    def with_likelihood(self, likelihood: Likelihood, prior: GaussianPrior | None) -> "LineFitter":
        """A fitter for other noise, and another prior."""
        other = copy(self)
        other.model = replace(self.model, likelihood=likelihood, prior=prior)
        other._coarse = replace(self._coarse, likelihood=likelihood, prior=prior)
        return other

    def fit(
        self, image: Num[np.ndarray, "h w"], smooth: SmoothFit, lines: tuple[LineCandidate, ...]
    ) -> SmoothFit:
        """Fit the smooth lens with the best line; the arguments are those of `optimise`."""
        data = image.astype(np.float64)
        return fit_result(self.model, data, self.optimise(data, smooth, lines))

    def optimise(
        self, data: Image, smooth: SmoothFit, lines: tuple[LineCandidate, ...]
    ) -> Solution:
        """Optimise the smooth lens with the best line.

        Args:
            data: Pixels in the units of the likelihood.
            smooth: The fit without a line.
            lines: Candidates to start from, most promising first.
        """
        model, target = self._on_blocks(data, smooth)
        starts = [with_line(smooth.parameters, line) for line in lines]
        for kept, steps in _ROUNDS:
            ends = [optimise(model, target, start, steps, tolerance=0.1) for start in starts[:kept]]
            starts = [end.parameters for end in sorted(ends, key=lambda end: end.chi_square)]
        return optimise(self.model, data, starts[0], self._steps, _TOLERANCE)

    def _on_blocks(self, data: Image, smooth: SmoothFit) -> tuple[SmoothModel, Blocks]:
        """The binned model with the noise of the smooth fit, and the data for it."""
        difference = self._central_blocks(data - smooth.model)
        variance = self._central_blocks(smooth.noise**2)
        noise = RoughNoise(self.model.likelihood, 0.0, variance)
        flux = self._coarse.image(smooth.parameters)
        smooth_blocks = noise.moments(flux, self.model.exposure(smooth.parameters)).mean
        return replace(self._coarse, likelihood=noise), smooth_blocks + difference

    def _central_blocks(self, image: Image) -> Blocks:
        """Binned pixels of the area that the coarse model covers."""
        rows, columns = (side * _FACTOR for side in self._coarse.grid.shape)
        return block_sums(central_cutout(image, rows, columns), _FACTOR)


def with_line(parameters: Parameters, line: LineCandidate) -> Parameters:
    """The parameters of a smooth lens with a line added."""
    new = parameters.copy()
    strength = max(line.strength, _WEAKEST)
    new[Parameter.LINE_X :] = [
        line.x,
        line.y,
        line.position_angle,
        np.log(line.half_length),
        strength,
    ]
    return new
