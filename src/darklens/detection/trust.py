"""Whether the fit of a lens can be trusted: checks that a wrong source does not pass.

A fit whose source is a companion galaxy, or whose lens is a neighbour, can converge to a small
chi-square. Its source is then not magnified or not seen more than once, as that of a strong lens
is, or its Einstein ring does not lie within the image.
"""

import numpy as np
from jaxtyping import Float32

from darklens.detection.band_fit import BandFit
from darklens.detection.lens_fit import LensFit
from darklens.detection.source_plane import multiply_imaged
from darklens.modelling.credibility import first_doubt, ring_checks, source_checks
from darklens.modelling.parameters import Parameter
from darklens.naming import visible

__all__ = ["arcs_chi_square", "arcs_chi_squares", "distrust"]

_LEAST_SIGNAL = 15.0
_LARGEST_CHI_SQUARE = 1.6
_SLOPES = (1.3, 2.7)


def arcs_chi_square(fit: LensFit, basis: Float32[np.ndarray, "r n"]) -> float:
    """Reduced chi-square of the pixels of the arcs, for the freedom that the fit took there."""
    return _reduced([_spent(*one) for one in _by_band(fit, basis)])


def arcs_chi_squares(fit: LensFit, basis: Float32[np.ndarray, "r n"]) -> tuple[float, ...]:
    """The same for each band alone."""
    return tuple(_reduced([_spent(*one)]) for one in _by_band(fit, basis))


def _by_band(
    fit: LensFit, basis: Float32[np.ndarray, "r n"]
) -> list[tuple[BandFit, Float32[np.ndarray, "r _"]]]:
    """Each band with its columns of the basis."""
    ends = np.cumsum([view.weight.size for view in fit.views])[:-1]
    return list(zip(fit.views, np.split(basis, ends, axis=1), strict=True))


def _spent(view: BandFit, basis: Float32[np.ndarray, "r _"]) -> tuple[float, float, float]:
    """Squared residual on the arcs of a band, their pixels, and the freedom taken there."""
    arcs = view.arcs.ravel() & (view.weight.ravel() > 0)
    taken = float(np.square(basis[:, arcs], dtype=np.float64).sum())
    return float(np.square(view.residual.ravel()[arcs]).sum()), float(arcs.sum()), taken


def _reduced(parts: list[tuple[float, float, float]]) -> float:
    left, pixels, taken = map(sum, zip(*parts, strict=True))
    return left / max(pixels - taken, 1.0)


def distrust(fit: LensFit, *chi_squares: float) -> str:
    """Why a fit cannot be trusted, in words; empty if it can.

    Args:
        fit: The fit.
        chi_squares: Reduced chi-square of the arcs in each band.
    """
    p = fit.state.parameters
    signal = float(np.sqrt(sum(view.signal**2 for view in fit.views)))
    brightest = max(fit.views, key=lambda view: view.signal)
    worst = int(np.argmax(chi_squares))
    chi_square = chi_squares[worst]
    where = f" of {visible(fit.views[worst].band.name)}" if len(fit.views) > 1 else ""
    checks = [
        (
            bool(fit.here.converged),
            "the fit did not converge: mask what is neither lens nor arcs, or change the square",
        ),
        *ring_checks(p, [view.lens.model.grid for view in fit.views]),
        (
            bool(signal > _LEAST_SIGNAL),
            f"the arcs have a signal-to-noise ratio of {signal:.0f} only",
        ),
        *source_checks(brightest.magnification, multiply_imaged(brightest)),
        (
            bool(_SLOPES[0] < p[Parameter.LENS_SLOPE] < _SLOPES[1]),
            f"the slope of the mass, {p[Parameter.LENS_SLOPE]:.2f}, is not that of a galaxy",
        ),
        (
            bool(chi_square < _LARGEST_CHI_SQUARE),
            f"the residual within the arcs{where} is {np.sqrt(chi_square):.1f} times the noise: "
            "the model does not describe them",
        ),
    ]
    return first_doubt(checks)
