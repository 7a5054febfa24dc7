"""Structure of the source beyond its Sersic profile, and how its image changes with the lens.

The marginalised fit finds an amplitude for each shapelet and clump of the source. Where they are
small, how they move when the lens changes is of second order. Where a source has bright clumps they
are most of what tells the lens: a Sersic profile alone then fits a wrong one. Here the structure
is light behind the lens like any other, with derivatives by the parameters of lens and source.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32

from darklens.modelling.derivatives import LightRow, spread_light, trace_smooth
from darklens.modelling.nuisance import (
    Clumps,
    NuisancePriors,
    hermite_functions,
    shapelet_orders,
)
from darklens.modelling.parameters import Parameter
from darklens.modelling.smooth_model import SmoothModel

__all__ = ["SourceStructure"]

Parameters = Float[np.ndarray, " p"]


@dataclass(frozen=True)
class SourceStructure:
    """Shapelets and clumps of a source.

    Attributes:
        amplitudes: Of each shapelet, then of each clump, in standard deviations of their priors.
        clumps: Places and widths of the clumps.
    """

    amplitudes: Float[np.ndarray, " k"]
    clumps: Clumps

    def with_clump(self, clump: Clumps) -> "SourceStructure":
        """The same structure and one more clump, dark as yet."""
        amplitudes = np.append(self.amplitudes, np.zeros(len(clump)))
        return replace(self, amplitudes=amplitudes, clumps=np.vstack([self.clumps, clump]))

    def derivatives(
        self, model: SmoothModel, parameters: Parameters, priors: NuisancePriors
    ) -> Float[np.ndarray, "k i j"]:
        """Derivatives of its light by the free parameters of a model, before the PSF [flux].

        Args:
            model: The smooth model; if it is binned, the pixels are those of its exact one.
            parameters: Its parameters.
            priors: Standard deviations of the amplitudes.
        """
        exact = model.exact or model
        shape, scale = exact.grid.shape, exact.grid.pixel_scale
        row_of = np.full(len(Parameter), -1)
        row_of[list(model.free)] = np.arange(len(model.free))
        jacobian = np.empty((len(model.free), *shape))
        light = self._light(exact, parameters, priors)
        spread_light(jacobian, scale, parameters, row_of, light)
        return jacobian

    def _light(
        self, model: SmoothModel, p: Parameters, priors: NuisancePriors
    ) -> Float[np.ndarray, "h 7 w"]:
        """The light where each ray meets the source plane and its derivatives, as `LightRow`."""
        radius = np.exp(p[Parameter.SOURCE_LOG_RADIUS])
        flux = np.exp(p[Parameter.SOURCE_LOG_AMPLITUDE]) * model.grid.pixel_area
        beta_x, beta_y = trace_smooth(model.grid.shape, model.grid.pixel_scale, p, line=True)
        u = (beta_x - p[Parameter.SOURCE_X]) / radius
        v = (beta_y - p[Parameter.SOURCE_Y]) / radius
        light, by_u, by_v = self._shapelets(u, v, priors)
        amplitudes = priors.clump * self.amplitudes[len(self.amplitudes) - len(self.clumps) :]
        for (x, y, width), amplitude in zip(self.clumps, amplitudes, strict=True):
            clump = amplitude * np.exp(-0.5 * ((u - x) ** 2 + (v - y) ** 2) / width**2)
            light = light + clump
            by_u = by_u - clump * (u - x) / width**2
            by_v = by_v - clump * (v - y) / width**2
        found = np.zeros((len(light), len(LightRow), light.shape[1]))
        found[:, LightRow.BRIGHTNESS] = flux * light
        found[:, LightRow.BY_X] = flux / radius * by_u
        found[:, LightRow.BY_Y] = flux / radius * by_v
        found[:, LightRow.BY_LOG_RADIUS] = -flux * (u * by_u + v * by_v)
        return found

    def _shapelets(
        self, u: Float[np.ndarray, "h w"], v: Float[np.ndarray, "h w"], priors: NuisancePriors
    ) -> list[Float32[np.ndarray, "h w"]]:
        """Light of all shapelets in units of the source's, and its derivatives by u and v."""
        if not priors.shapelets:
            return [np.zeros(u.shape, np.float32)] * 3
        order, scale = priors.shapelet_order, priors.shapelet_scale
        orders = shapelet_orders(order)
        matrix = np.zeros((order + 1, order + 1), np.float32)
        amplitudes = self.amplitudes[: len(orders)]
        matrix[tuple(np.transpose(orders))] = priors.shapelets * amplitudes
        columns, rows = (hermite_functions(w / scale, order + 1) for w in (u, v))
        slopes = _slopes(columns) / np.float32(scale), _slopes(rows) / np.float32(scale)
        columns, rows = columns[:-1], rows[:-1]
        along = np.tensordot(matrix, rows, 1)
        return [
            (columns * along).sum(axis=0),
            (slopes[0] * along).sum(axis=0),
            (columns * np.tensordot(matrix, slopes[1], 1)).sum(axis=0),
        ]


def _slopes(functions: Float32[np.ndarray, "n h w"]) -> Float32[np.ndarray, "m h w"]:
    r"""Derivatives of all Hermite functions but the last.

    They are :math:`\sqrt{n / 2} h_{n - 1} - \sqrt{(n + 1) / 2} h_{n + 1}`.
    """
    order = np.sqrt(0.5 * np.arange(len(functions), dtype=np.float32))[:, np.newaxis, np.newaxis]
    slopes = -order[1:] * functions[1:]
    slopes[1:] += order[1:-1] * functions[:-2]
    return np.asarray(slopes)
