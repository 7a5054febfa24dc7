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
from darklens.modelling.parameters import Parameter
from darklens.naming import visible

__all__ = ["arcs_chi_square", "arcs_chi_squares", "distrust"]

_SMALLEST_RADIUS = 2.0  # pixels
_LEAST_MAGNIFICATION = 1.8  # a singly imaged point source behind an isothermal lens has at most 2
_LEAST_MULTIPLE = 0.1  # share of the light of the source with more than one image
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
    radius = float(p[Parameter.EINSTEIN_RADIUS])
    scale = min(view.lens.model.grid.pixel_scale for view in fit.views)
    signal = float(np.sqrt(sum(view.signal**2 for view in fit.views)))
    brightest = max(fit.views, key=lambda view: view.signal)
    magnification, multiple = brightest.magnification, multiply_imaged(brightest)
    worst = int(np.argmax(chi_squares))
    chi_square = chi_squares[worst]
    where = f" of {visible(fit.views[worst].band.name)}" if len(fit.views) > 1 else ""
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
            all(_inside(view, radius) for view in fit.views),
            f"the Einstein ring, of radius {radius:.2f} arcsec, reaches beyond the image",
        ),
        (signal > _LEAST_SIGNAL, f"the arcs have a signal-to-noise ratio of {signal:.0f} only"),
        (
            magnification > _LEAST_MAGNIFICATION,
            f"the source is magnified {magnification:.1f} times only: it may be a companion "
            "in front of the lens or beside it",
        ),
        (
            multiple > _LEAST_MULTIPLE,
            f"only {100 * multiple:.0f} % of the light of the source has more than one image: it "
            "may be a companion in front of the lens or beside it",
        ),
        (
            _SLOPES[0] < p[Parameter.LENS_SLOPE] < _SLOPES[1],
            f"the slope of the mass, {p[Parameter.LENS_SLOPE]:.2f}, is not that of a galaxy",
        ),
        (
            chi_square < _LARGEST_CHI_SQUARE,
            f"the residual within the arcs{where} is {np.sqrt(chi_square):.1f} times the noise: "
            "the model does not describe them",
        ),
    ]
    return next((reason for holds, reason in checks if not holds), "")


def _inside(view: BandFit, radius: float) -> bool:
    """Whether the Einstein ring lies within the image of a band."""
    x, y = (float(view.state.parameters[k]) for k in (Parameter.LENS_X, Parameter.LENS_Y))
    grid = view.lens.model.grid
    rows, columns = (0.5 * side * grid.pixel_scale for side in grid.shape)
    return abs(x) + radius < columns and abs(y) + radius < rows
