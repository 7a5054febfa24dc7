"""The preprocessing step `smooth_residual`: fit the smooth lens and keep the residual.

The step turns an image into small maps: the residual of the fit in units of noise, the sensitivity
of the image to a deflection at each pixel, the smooth image, and the matched filters of
`darklens.modelling.matched_filter`. It is the one place where a model and the physics meet: cards
and recipes name a preset and parameters, and nothing else.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from darklens.data import Panel
from darklens.errors import BadData, BadInput, BadModel
from darklens.modelling import (
    PARAMETERS,
    PRIOR_DRAWS,
    ImageFit,
    ImageFitter,
    LineFitter,
    MatchedFilters,
    SignificanceMaps,
    SmoothFit,
    central,
    orthonormal,
)
from darklens.residual.scaling import clipped, compressed, excess, is_positive
from darklens.simulation import Preset, load_preset, parse_preset

__all__ = ["SmoothResidual"]

Images = Float32[np.ndarray, "_ _ _ _"]
_MOST_LENGTHS = 32
_MOST_ORIENTATIONS = 360
_VISIBLE = 4.5  # significance below which no line is fitted


class SmoothResidual:
    """A preprocessing step that fits the smooth lens of a preset to each image.

    Args:
        preset: Name of a shipped preset, or its whole content.
        size: Side of the central square that is kept [pixel].
        binning: Side of the blocks of pixels that are added up.
        half_lengths: Half lengths of the lines that are looked for [arcsec]; where there are any,
            the lens is fitted again with the best line of mass.
        orientations: Directions in which each line is tried.
        largest_chi_square: Reduced chi-square above which an image is reported as unlike the
            preset.
        draws: Number of lenses drawn from the prior, from which fits start.

    Raises:
        BadModel: If the parameters are inconsistent.
    """

    def __init__(
        self,
        preset: Any,
        size: int,
        binning: int,
        half_lengths: Any = (),
        orientations: int = 12,
        largest_chi_square: float = 5.0,
        *,
        draws: int = PRIOR_DRAWS,
    ) -> None:
        self._preset: Preset = (
            parse_preset(preset) if isinstance(preset, Mapping) else load_preset(str(preset))
        )
        side = min(self._preset.grid.shape)
        if binning < 1 or not 0 < size <= side or size % binning:
            raise BadModel(
                f"smooth_residual: a size of {size} must be at most {side} and a multiple of "
                f"binning ({binning})"
            )
        if not isinstance(half_lengths, Sequence) or isinstance(half_lengths, str):
            raise BadModel("smooth_residual: half_lengths must be a list of numbers")
        if orientations < 1 or not all(is_positive(length) for length in half_lengths):
            raise BadModel("smooth_residual: orientations and half_lengths must be positive")
        if orientations > _MOST_ORIENTATIONS or len(half_lengths) > _MOST_LENGTHS:
            raise BadModel(
                f"smooth_residual: at most {_MOST_ORIENTATIONS} orientations and {_MOST_LENGTHS} "
                "half_lengths"
            )
        self._size, self._binning = size, binning
        self._half_lengths, self._orientations = tuple(half_lengths), orientations
        self._largest, self._draws = largest_chi_square, draws

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the maps, in order."""
        first = ("residual", "sensitivity", "smooth image", "point mass", "depth", "chi-square")
        if not self._half_lengths:
            return first
        lines = (f"line of half length {length:g}" for length in self._half_lengths)
        again = ("residual beside a line", "point mass beside a line", "chi-square with a line")
        return (*first, *lines, *again)

    def __call__(self, images: Images) -> Images:
        """The maps of each image, (n, channels, size / binning, size / binning)."""
        return np.stack([self._maps(self.fit(image)) for image in images])

    def explain(self, images: Images) -> tuple[Images, dict[str, list[Any]]]:
        """The maps, and for each image the verdict on the fit, its chi-square and a note."""
        return self._explained([self.fit(image) for image in images])

    def illustrate(self, images: Images) -> tuple[Images, dict[str, list[Any]], list[list[Panel]]]:
        """The same, with panels of each image, all from one fit.

        They show the data, the smooth model, the residual, and the significance map of a point
        mass.
        """
        fits = [self.fit(image) for image in images]
        return *self._explained(fits), [self._panels(found) for found in fits]

    def _explained(self, fits: Sequence[ImageFit]) -> tuple[Images, dict[str, list[Any]]]:
        columns: dict[str, list[Any]] = {
            "fit": [found.verdict(self._largest) for found in fits],
            "chi_square": [found.fit.chi_square for found in fits],
            "note": [found.note or None for found in fits],
        }
        return np.stack([self._maps(found) for found in fits]), columns

    def _panels(self, found: ImageFit) -> list[Panel]:
        fit = found.fit
        point = self._detect(fit, lines=False).point
        return [
            Panel("image", found.image),
            Panel(f"smooth lens, chi-square {fit.chi_square:.3f}", fit.model),
            Panel("residual [noise]", fit.residual, limit=5.0),
            Panel("significance of a point mass", point.astype(np.float64), limit=20.0),
        ]

    def fit(self, image: Float32[np.ndarray, "c h w"]) -> ImageFit:
        """The fit of one image, with the pixels that were fitted and a diagnosis.

        Raises:
            BadData: If the image is not one that the preset could have made.
        """
        if len(image) != 1:
            raise BadData(f"the fit of the smooth lens takes 1 channel, not {len(image)}")
        try:
            return self._fitter.fit(image[0])
        except BadInput as error:
            raise BadData(str(error)) from None

    @cached_property
    def _fitter(self) -> ImageFitter:
        return ImageFitter(self._preset, draws=self._draws)

    @cached_property
    def _line_fitter(self) -> LineFitter:
        return LineFitter(self._preset, draws=self._draws)

    @cached_property
    def _line_fitter_of_sky(self) -> LineFitter:
        return self._line_fitter.with_free_sky()

    @cached_property
    def _filters(self) -> MatchedFilters:
        radius = 0.0
        if self._half_lengths:
            draws = self._line_fitter.model.draws
            x, y = (draws[:, PARAMETERS.index(name)] for name in ("line_x", "line_y"))
            radius = float(np.hypot(x, y).max())
        side = self._size // self._binning
        return MatchedFilters(
            (side, side),
            self._preset.grid.pixel_scale * self._binning,
            half_lengths=self._half_lengths,
            orientations=self._orientations,
            largest_radius=radius,
        )

    def _maps(self, image_fit: ImageFit) -> Float32[np.ndarray, "d i j"]:
        """All channels of one image, each of order unity."""
        fit = image_fit.fit
        found = self._detect(fit)
        smooth = np.sqrt(np.maximum(self._central(fit.model) / self._binning, 0))
        maps = [
            self._residual(fit),
            np.sqrt(np.hypot(*self._central(fit.sensitivity))) / 10,
            smooth / 10,
            compressed(found.point),
            np.log(np.maximum(found.depth, 1e-6)) - 5,
            _excess(fit, found.point),
        ]
        if self._half_lengths:
            again, left = fit, found
            if found.lines[0].significance > _VISIBLE:
                free = image_fit.free_sky
                fitter = self._line_fitter_of_sky if free else self._line_fitter
                again = fitter.fit(image_fit.image, fit, found.lines)
                left = self._detect(again, lines=False)
            maps += [*compressed(found.line), self._residual(again), compressed(left.point)]
            maps.append(_excess(again, found.point))
        return np.stack(maps).astype(np.float32)

    def _detect(self, fit: SmoothFit, *, lines: bool = True) -> SignificanceMaps:
        residual, sensitivity, jacobian = (
            self._central(part) for part in (fit.residual, fit.sensitivity, fit.whitened_jacobian)
        )
        return self._filters(residual, sensitivity, orthonormal(jacobian), lines=lines)

    def _central(self, image: Float[np.ndarray, "*n h w"]) -> Float32[np.ndarray, "*n i j"]:
        return central(image, self._size, self._binning)

    def _residual(self, fit: SmoothFit) -> Float32[np.ndarray, "i j"]:
        return clipped(self._central(fit.residual))


def _excess(fit: SmoothFit, like: np.ndarray) -> np.ndarray:
    """Excess of chi-square over its expectation, constant over the map."""
    return np.full(like.shape, excess(fit.chi_square, fit.residual.size))
