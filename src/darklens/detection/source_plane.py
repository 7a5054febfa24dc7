"""The source of a fitted lens in its own plane: its brightness, and how often it is seen."""

import numpy as np
from jaxtyping import Float

from darklens.detection.band_fit import BandFit
from darklens.detection.satellites import SATELLITE_SIZE
from darklens.lensing.profiles import sersic_b
from darklens.modelling.derivatives import LightRow, sersic_rays
from darklens.modelling.multiple_images import number_of_images, source_grid
from darklens.modelling.parameters import Parameter

__all__ = ["multiply_imaged", "source_brightness"]

Rays = Float[np.ndarray, " n"]


def source_brightness(view: BandFit, x: Rays, y: Rays) -> Rays:
    """Brightness of the source of a band, structure beyond its profile included.

    Args:
        view: The fit of the band.
        x: Places in the source plane [arcsec].
        y: Places in the source plane [arcsec].

    Returns:
        The brightness [flux / arcsec^2].
    """
    p, source = view.state.parameters, view.lens.source
    b = sersic_b(float(p[Parameter.SOURCE_SERSIC_INDEX]), view.lens.model.b_n[0])
    profile = sersic_rays(x, y, p, Parameter.SOURCE_X, b, 0.0)[LightRow.BRIGHTNESS]
    if not view.state.source.any():
        return np.asarray(profile)
    return np.asarray(profile + source.field(view.state.source, *source.frame(p, x, y))[0])


def multiply_imaged(view: BandFit) -> float:
    """Share of the light of the source that has more than one image.

    It is all of it, or most, behind a strong lens, and hardly any of the light of a companion
    galaxy that is taken for the source.
    """
    p = view.state.parameters
    x, y = source_grid(p)
    light = np.maximum(source_brightness(view, x, y), 0)
    satellites = view.state.satellites.reshape(-1, SATELLITE_SIZE)
    masses = [p[[Parameter.LENS_X, Parameter.LENS_Y]], *satellites[:, :2]]
    there, back = view.lens.traced_pixels(view.state)
    often = number_of_images((x, y), there, back, masses) > 1
    return float(light[often].sum() / max(light.sum(), 1e-300))
