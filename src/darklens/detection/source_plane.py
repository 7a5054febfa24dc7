"""The source of a fitted lens in its own plane."""

import numpy as np
from jaxtyping import Float

from darklens.detection.band_fit import BandFit
from darklens.lensing.profiles import sersic_b
from darklens.modelling.derivatives import LightRow, sersic_rays
from darklens.modelling.parameters import Parameter

__all__ = ["source_brightness"]

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
