"""What a fit says about one band: residual, arcs, source, magnification."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from darklens.detection.bands import Band
from darklens.detection.flexible_lens import FlexibleLens
from darklens.detection.lens_state import LensState
from darklens.modelling.parameters import Parameter

__all__ = ["BandFit"]

Image = Float[np.ndarray, "h w"]

_ARCS = (1.5, 0.05)  # noise, and share of the brightest arc, above which a pixel is an arc
_NO_LENS = 1e-6


@dataclass(frozen=True)
class BandFit:
    """A flexible lens at its optimum, as one band shows it.

    Attributes:
        band: The image with its model.
        state: Values of everything that is free, in the coordinates of the band.
        image: Its image.
        gradient: Gradient of the lensed source before the PSF [flux / arcsec].
        residual: Data less model, in units of the noise; 0 for masked pixels.
        registration: Departure of its place on the sky from the given one, x, y [arcsec].
    """

    band: Band
    state: LensState
    image: Image
    gradient: Float[np.ndarray, "2 h w"]
    residual: Image
    registration: tuple[float, float] = (0.0, 0.0)

    @property
    def lens(self) -> FlexibleLens:
        """The model."""
        return self.band.lens

    @property
    def weight(self) -> Image:
        """Reciprocal of the noise; 0 for masked pixels."""
        return self.band.target.weight

    @property
    def source_image(self) -> Image:
        """Flux of the lensed source."""
        return self.lens.source_only(self.state)

    @property
    def no_lens_light(self) -> Image:
        """The image without the light of the lens."""
        return np.asarray(self.band.target.data - self.lens.lens_light_only(self.state))

    @property
    def arcs(self) -> Bool[np.ndarray, "h w"]:
        """Pixels in which the lensed source is bright."""
        source = self.source_image
        seen = source * self.weight
        level = max(_ARCS[0], _ARCS[1] * float(seen.max(initial=0.0)))
        return np.asarray(seen > level)

    @property
    def signal(self) -> float:
        """Signal-to-noise ratio of the arcs, summed over the pixels."""
        return float(np.sqrt(np.square(self.source_image * self.weight).sum()))

    @property
    def departure(self) -> float:
        """Root mean square of the source's light beyond its profile, over that of all of it."""
        profile = replace(self.state, source=np.zeros_like(self.state.source))
        source = self.source_image
        beyond = source - self.lens.source_only(profile)
        return float(np.sqrt(np.square(beyond).sum() / max(np.square(source).sum(), 1e-300)))

    @property
    def magnification(self) -> float:
        """Flux of the source with the lens over that without."""
        parameters = self.state.parameters.copy()
        parameters[Parameter.EINSTEIN_RADIUS] = _NO_LENS
        parameters[[Parameter.GAMMA1, Parameter.GAMMA2]] = 0.0
        none = np.zeros(0)
        bare = replace(self.state, parameters=parameters, perturber=none, satellites=none)
        unlensed = float(self.lens.source_only(bare).sum())
        return float(self.source_image.sum()) / max(unlensed, 1e-12)

    def pixels(
        self, x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Rows and columns of places that refer to the first band [pixel].

        Args:
            x: Places [arcsec].
            y: Places [arcsec].
        """
        scale = self.lens.model.grid.pixel_scale
        rows, columns = (0.5 * (side - 1) for side in self.lens.model.grid.shape)
        dx, dy = np.subtract(self.registration, self.band.offset)
        return (y + dy) / scale + rows, (x + dx) / scale + columns

    def arcs_at(
        self, x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """Whether places that refer to the first band are on an arc here.

        Args:
            x: Places [arcsec].
            y: Places [arcsec].
        """
        rows, columns = (np.rint(place).astype(int) for place in self.pixels(x, y))
        height, width = self.weight.shape
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        found = np.zeros(len(x), dtype=bool)
        found[inside] = self.arcs[rows[inside], columns[inside]]
        return found
