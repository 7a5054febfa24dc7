"""The preprocessing step `marginalised_residual`: residuals of a fit that marginalises nuisance.

The smooth lens of a preset is fitted under the preset's priors; multipoles of the mass, shapelets
of the source, errors of the PSF and light of the lens are marginalised, see
`darklens.modelling.marginalised_fit`. The maps are what remains: the residual in units of the
noise, matched filters for point masses and for lines of several lengths, the same beside the best
line, and beside the point masses that explain most. Counts may be unknown: gain, noise and sky are
then measured on the image itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from darklens.cutouts import central_cutout
from darklens.data import Panel
from darklens.errors import BadData, BadInput, BadModel
from darklens.modelling import (
    KINDS,
    PRIOR_DRAWS,
    LineFitter,
    MarginalFilters,
    MarginalisedFit,
    MarginalisedFitter,
    NuisancePriors,
    Parameter,
    PointPursuit,
    SignificanceMaps,
    any_counts,
    central_sky,
    marginalised_model,
    parts_of,
    pursue_points,
    with_line,
    with_line_of_mass,
    with_source_structure,
)
from darklens.residual.scaling import clipped, compressed, excess, is_positive
from darklens.simulation import Preset, load_preset, parse_preset

__all__ = ["MarginalisedResidual"]

Images = Float32[np.ndarray, "_ _ _ _"]
Map = Float32[np.ndarray, "i j"]
Residual = Float32[np.ndarray, "h w"]

_EVEN = 2  # the maps have an even number of pixels, for lines
_LARGEST_RADIUS = 2.0  # of the centre of a line [arcsec]
_LINE_STEPS = 3
_LINE_SEEN = 5.0  # significance of a line, above which all is fitted together
_STARTS, _STARTS_WITH_STRUCTURE = 2, 3  # of that fit
_GOOD = 2.0  # reduced chi-square of a fit that need not converge
_LARGEST = 5.0  # of any map, so that one image does not set the scale of a batch
_POINTS = 8  # that are added one after the other
_GAINS = (1, 2, 4, 8)  # of chi-square, by so many points
_DEPARTURES = dict(
    zip(("multipoles", "source_structure", "psf_error", "lens_light"), KINDS, strict=True)
)
_COLUMNS = (
    "fit",
    "chi_square",
    "einstein_radius",
    "signal_to_noise",
    "magnification",
    "source_share",
    *_DEPARTURES,
    "note",
)
_NOTE = (
    "the values do not give the photon counts back (8-bit grey levels, compressed, resampled?): "
    "gain, sky and noise were fitted"
)


@dataclass(frozen=True)
class _Found:
    """Fits and maps of one image."""

    smooth: MarginalisedFit
    maps: SignificanceMaps
    points: PointPursuit
    line: MarginalisedFit
    beside: SignificanceMaps
    estimated: bool
    blocks: Float[np.ndarray, "h w"]


class MarginalisedResidual:
    """A preprocessing step that marginalises over everything but substructure.

    Args:
        preset: Name of a shipped preset, or its whole content; its noise is that of photons.
        size: Side of the central square that is fitted and kept [pixel].
        binning: Side of the blocks of pixels that are added up before the fit [pixel].
        half_lengths: Half lengths of the lines that are looked for [arcsec].
        orientations: Directions in which each line is tried.
        largest_chi_square: Reduced chi-square above which an image is unlike the preset.
        source_structure: Whether lens and structure of the source are fitted together, and compact
            clumps of it looked for, where that explains more than substructure would.
        draws: Number of lenses drawn from the prior, from which fits start.

    Raises:
        BadModel: If the parameters are inconsistent.
    """

    def __init__(
        self,
        preset: Any,
        size: int,
        binning: int,
        half_lengths: Any = (0.5, 0.85, 1.4),
        orientations: int = 12,
        largest_chi_square: float = 10.0,
        source_structure: bool = False,
        *,
        draws: int = PRIOR_DRAWS,
    ) -> None:
        self._preset: Preset = (
            parse_preset(preset) if isinstance(preset, Mapping) else load_preset(str(preset))
        )
        side = min(self._preset.grid.shape)
        step = binning * _EVEN
        if binning < 1 or not 0 < size <= side or size % step:
            raise BadModel(
                f"marginalised_residual: a size of {size} must be at most {side} and a multiple of "
                f"{step}"
            )
        if not isinstance(half_lengths, Sequence) or isinstance(half_lengths, str):
            raise BadModel("marginalised_residual: half_lengths must be a list of numbers")
        if not half_lengths or not all(is_positive(length) for length in half_lengths):
            raise BadModel("marginalised_residual: half_lengths must be positive numbers")
        if not 1 <= orientations <= 360 or len(half_lengths) > 32:
            raise BadModel("marginalised_residual: at most 360 orientations and 32 half_lengths")
        self._size, self._binning = size, binning
        self._half_lengths, self._orientations = tuple(half_lengths), orientations
        self._largest, self._draws = largest_chi_square, draws
        self._source_structure = source_structure

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the maps, in order."""
        return (
            "residual",
            "sensitivity",
            "smooth image",
            "point mass",
            "depth",
            *(f"line of half length {length:g}" for length in self._half_lengths),
            "residual beside a line",
            "point mass beside a line",
            "masses of points",
            "residual beside points",
            "point mass beside points",
            "chi-square",
            "chi-square with a line",
            "gain of a line",
            "half length",
            "mass of the line",
            "freedom",
            *(f"width of the prior: {kind}" for kind in KINDS),
            *(f"gain of {count} point{'s'[: count - 1]}" for count in _GAINS),
        )

    def __call__(self, images: Images) -> Images:
        """The maps of each image, (n, channels, size / binning, size / binning).

        Raises:
            BadData: If an image cannot be fitted.
        """
        return np.stack([self._scaled(self._found(image)) for image in images])

    def explain(self, images: Images) -> tuple[Images, dict[str, list[Any]]]:
        """The maps, and for each image the verdict on the fit, its quality and a note.

        An image that cannot be fitted has maps of zeros, the verdict `failed`, and the reason as
        its note.
        """
        found = [self._found_or_reason(image) for image in images]
        return self._explained(found)

    def illustrate(self, images: Images) -> tuple[Images, dict[str, list[Any]], list[list[Panel]]]:
        """The same, with panels of each image, all from one fit."""
        found = [self._found_or_reason(image) for image in images]
        panels = [
            [Panel("image", image[0].astype(np.float64))]
            if isinstance(one, str)
            else _panels(one, central_cutout(image[0], self._size))
            for one, image in zip(found, images, strict=True)
        ]
        return *self._explained(found), panels

    def _explained(self, found: Sequence[_Found | str]) -> tuple[Images, dict[str, list[Any]]]:
        side = self._size // self._binning
        nothing = np.zeros((len(self.channels), side, side), dtype=np.float32)
        maps = [nothing if isinstance(one, str) else self._scaled(one) for one in found]
        reports = [self._report(one) for one in found]
        columns = {name: [report[name] for report in reports] for name in _COLUMNS}
        return np.stack(maps), columns

    def _report(self, found: _Found | str) -> dict[str, Any]:
        """What is said of one image beside its maps."""
        if isinstance(found, str):
            return {**dict.fromkeys(_COLUMNS, np.nan), "fit": "failed", "note": found}
        smooth = found.smooth
        return {
            "fit": self._verdict(found),
            "chi_square": smooth.fit.chi_square,
            "einstein_radius": float(smooth.fit.parameters[Parameter.EINSTEIN_RADIUS]),
            "signal_to_noise": smooth.signal_to_noise,
            "magnification": smooth.magnification,
            "source_share": smooth.source_share(found.blocks),
            **{name: smooth.departures[kind] for name, kind in _DEPARTURES.items()},
            "note": _NOTE if found.estimated else None,
        }

    def _verdict(self, found: _Found) -> str:
        least = min(found.smooth.fit.chi_square, found.line.fit.chi_square)
        converged = found.smooth.fit.converged or found.line.fit.converged
        if not converged and least > _GOOD:
            return "not converged"
        return "unlike the preset" if least > self._largest else "ok"

    def _found_or_reason(self, image: Float32[np.ndarray, "c h w"]) -> _Found | str:
        try:
            return self._found(image)
        except BadData as error:
            return str(error)

    def _found(self, image: Float32[np.ndarray, "c h w"]) -> _Found:
        """Fit one image without and with a line of mass."""
        if len(image) != 1:
            raise BadData(f"the fit of the smooth lens takes 1 channel, not {len(image)}")
        if image[0].shape != self._preset.grid.shape:
            raise BadData(f"the fit takes {self._preset.grid.shape} pixels, not {image[0].shape}")
        try:
            counts = any_counts(image[0], central_sky(self._preset))
            estimated = counts.source == "estimated"
            blocks = self._fitter.binned(counts.image)
            smooth = self._fitter.fit(blocks, known_gain=not estimated)
            maps = self._filters(*parts_of(smooth))
            if self._source_structure:
                smooth, maps = with_source_structure(
                    self._fitter, self._filters, blocks, smooth, maps
                )
            points = pursue_points(self._filters.points, *parts_of(smooth), maps, count=_POINTS)
            line = self._with_line(blocks, smooth, maps)
        except BadInput as error:
            raise BadData(str(error)) from None
        beside = self._filters(*parts_of(line), lines=False)
        return _Found(smooth, maps, points, line, beside, estimated, blocks)

    def _with_line(
        self, blocks: Float[np.ndarray, "h w"], smooth: MarginalisedFit, maps: SignificanceMaps
    ) -> MarginalisedFit:
        """The fit with a line of mass."""
        fitter = self._line_fitter.with_likelihood(smooth.model.likelihood, smooth.model.prior)
        structured = bool(smooth.source_light.any())
        starts = [with_line(smooth.fit.parameters, line) for line in maps.lines]
        ends = []
        if not structured:  # a fit of lens and line alone would leave the structure behind
            end = fitter.optimise(smooth.data, smooth.fit, maps.lines)
            ends = [self._fitter.linear(fitter.model, smooth.data, end, smooth.widths)]
            starts = [end.parameters, *starts]
        if structured or (self._source_structure and maps.lines[0].significance > _LINE_SEEN):
            starts = starts[: _STARTS_WITH_STRUCTURE if structured else _STARTS]
            ends.append(with_line_of_mass(self._fitter, fitter.model, blocks, smooth, starts))
        return min(ends, key=lambda end: end.cost)

    @cached_property
    def _fitter(self) -> MarginalisedFitter:
        return MarginalisedFitter(
            self._preset,
            NuisancePriors(),
            draws=self._draws,
            size=self._size,
            binning=self._binning,
        )

    @cached_property
    def _line_fitter(self) -> LineFitter:
        model = marginalised_model(self._preset, line=True, draws=self._draws)
        return LineFitter(self._fitter.binned_model(model), steps=_LINE_STEPS)

    @cached_property
    def _filters(self) -> MarginalFilters:
        side = self._size // self._binning
        return MarginalFilters(
            (side, side),
            self._preset.grid.pixel_scale * self._binning,
            half_lengths=self._half_lengths,
            orientations=self._orientations,
            largest_radius=_LARGEST_RADIUS,
        )

    def _scaled(self, found: _Found) -> Float32[np.ndarray, "d i j"]:
        """All channels of one image, each of order unity."""
        fit, line, points = found.smooth.fit, found.line.fit, found.points
        pixels = fit.residual.size
        radius2 = fit.parameters[Parameter.EINSTEIN_RADIUS] ** 2
        gain = (fit.chi_square - line.chi_square) * np.sqrt(pixels / 2)
        strength = line.parameters[Parameter.LINE_STRENGTH]
        mass = strength / line.parameters[Parameter.EINSTEIN_RADIUS] ** 2
        numbers = [
            excess(fit.chi_square, pixels),
            excess(line.chi_square, pixels),
            np.arcsinh(gain) / 3,
            line.parameters[Parameter.LINE_LOG_HALF_LENGTH],
            20 * mass,
            np.log1p(found.smooth.freedom) / 3,
            *(np.log10(found.smooth.widths[kind]) for kind in KINDS),
            *(np.arcsinh(points.gains[:count].sum() / np.sqrt(2 * pixels)) / 3 for count in _GAINS),
        ]
        maps = [
            clipped(fit.residual),
            np.sqrt(np.hypot(*fit.sensitivity)) / 10,
            np.sqrt(np.maximum(fit.model + found.smooth.source_light, 0)) / (10 * self._binning),
            compressed(found.maps.point),
            np.log(np.maximum(found.maps.depth, 1e-6)) - 5,
            *compressed(found.maps.line),
            clipped(line.residual),
            compressed(found.beside.point),
            np.cbrt(100 * points.strength_map / radius2),
            clipped(points.residual),
            compressed(points.significance),
            *(np.full(found.maps.point.shape, number) for number in np.clip(numbers, -3.0, 3.0)),
        ]
        return np.asarray(np.clip(np.stack(maps), -_LARGEST, _LARGEST), dtype=np.float32)


def _panels(found: _Found, image: Residual) -> list[Panel]:
    """Data, smooth model, residual and the significance map of a point mass.

    Args:
        found: Fits and maps.
        image: The pixels that were fitted.
    """
    fit = found.smooth.fit
    return [
        Panel("image", image.astype(np.float64)),
        Panel(f"smooth lens, chi-square {fit.chi_square:.3f}", fit.model),
        Panel("residual [noise]", fit.residual, limit=5.0),
        Panel("significance of a point mass", found.maps.point.astype(np.float64), limit=20.0),
    ]
