"""Whether the fit of a lens can be trusted: checks that a wrong source does not pass.

A fit whose source is a companion galaxy, or whose lens is a neighbour, can converge to a small
chi-square. Its source is then not magnified as that of a strong lens is, or its Einstein ring does
not lie within the image.
"""

import numpy as np
from jaxtyping import Float32

from darklens.detection.lens_fit import LensFit
from darklens.modelling.parameters import Parameter

__all__ = ["arcs_chi_square", "distrust"]

_SMALLEST_RADIUS = 2.0  # pixels
_LEAST_MAGNIFICATION = 1.8  # a singly imaged point source behind an isothermal lens has at most 2
_LEAST_SIGNAL = 15.0
_LARGEST_CHI_SQUARE = 1.6
_SLOPES = (1.3, 2.7)


def arcs_chi_square(fit: LensFit, basis: Float32[np.ndarray, "r n"]) -> float:
    """Reduced chi-square of the pixels of the arcs, for the freedom that the fit took there."""
    arcs = fit.arcs.ravel() & (fit.target.weight.ravel() > 0)
    taken = float(np.square(basis[:, arcs], dtype=np.float64).sum())
    left = float(np.square(fit.residual.ravel()[arcs]).sum())
    return left / max(float(arcs.sum()) - taken, 1.0)


def distrust(fit: LensFit, chi_square: float) -> str:
    """Why a fit cannot be trusted, in words; empty if it can.

    Args:
        fit: The fit.
        chi_square: Reduced chi-square of its arcs.
    """
    p, scale = fit.state.parameters, fit.lens.model.grid.pixel_scale
    radius = float(p[Parameter.EINSTEIN_RADIUS])
    x, y = float(p[Parameter.LENS_X]), float(p[Parameter.LENS_Y])
    rows, columns = (0.5 * side * scale for side in fit.target.data.shape)
    signal = float(np.sqrt(np.square(fit.source_image * fit.target.weight).sum()))
    checks = [
        (
            fit.here.converged,
            "the fit did not converge: mask what is neither lens nor arcs, or change the square",
        ),
        (
            radius > _SMALLEST_RADIUS * scale,
            f"the Einstein radius, {radius:.2f} arcsec, is not resolved",
        ),
        (
            abs(x) + radius < columns and abs(y) + radius < rows,
            f"the Einstein ring, of radius {radius:.2f} arcsec, reaches beyond the image",
        ),
        (signal > _LEAST_SIGNAL, f"the arcs have a signal-to-noise ratio of {signal:.0f} only"),
        (
            fit.magnification > _LEAST_MAGNIFICATION,
            f"the source is magnified {fit.magnification:.1f} times only: it may be a companion "
            "in front of the lens or beside it",
        ),
        (
            _SLOPES[0] < p[Parameter.LENS_SLOPE] < _SLOPES[1],
            f"the slope of the mass, {p[Parameter.LENS_SLOPE]:.2f}, is not that of a galaxy",
        ),
        (
            chi_square < _LARGEST_CHI_SQUARE,
            f"the residual within the arcs is {np.sqrt(chi_square):.1f} times the noise: the model "
            "does not describe them",
        ),
    ]
    return next((reason for holds, reason in checks if not holds), "")
