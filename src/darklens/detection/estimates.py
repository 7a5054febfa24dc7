"""The parameters of a flexible lens by name, with errors that include all else that is free.

The errors are marginal: slope, multipoles, satellites, the structure of the source, departures of
the lens light and of the PSF, and the places of further bands are free under their priors.
"""

import numpy as np
from jaxtyping import Float

from darklens.detection.flexible_lens import MULTIPOLES
from darklens.detection.lens_fit import LensFit
from darklens.detection.satellites import SATELLITE_SIZE
from darklens.modelling.parameter_table import Estimate, named_estimates
from darklens.modelling.parameters import PARAMETERS, Parameter

__all__ = ["lens_covariance", "lens_estimates"]

_OF_SATELLITE = ("x", "y", "einstein_radius")


def lens_estimates(fit: LensFit, *, light: bool = True) -> dict[str, Estimate]:
    """Parameters, multipoles and satellites by name, each with its marginal standard error.

    Parameters have the names and units of `darklens.modelling.fit_estimates`. Multipoles, such as
    `multipole3_cos`, are amplitudes over the Einstein radius; satellites have a place and an
    Einstein radius [arcsec], such as `satellite1_x`.

    Args:
        fit: The fit.
        light: Whether source, lens light and background of the first band are wanted; the source
            and the lens light are then their Sersic profiles, without what departs from them.
    """
    covariance = _covariance(fit)
    free = fit.lens.free
    wanted = [i for i, k in enumerate(free) if light or k < Parameter.SOURCE_X]
    found = named_estimates(
        [PARAMETERS[free[i]] for i in wanted],
        fit.state.parameters,
        covariance[np.ix_(wanted, wanted)],
    )
    values = np.concatenate([fit.state.multipoles, fit.state.satellites])
    errors = np.sqrt(np.diag(covariance))[len(free) :]
    for name, value, error in zip(_names_beyond(fit), values, errors, strict=True):
        found[name] = Estimate(float(value), float(error))
    return found


def lens_covariance(fit: LensFit) -> tuple[tuple[str, ...], Float[np.ndarray, "c c"]]:
    """Names of the mass parameters, multipoles and satellites, and their covariance."""
    free = fit.lens.free
    masses = [i for i, k in enumerate(free) if k < Parameter.SOURCE_X]
    others = _names_beyond(fit)
    kept = [*masses, *range(len(free), len(free) + len(others))]
    names = (*(PARAMETERS[free[i]] for i in masses), *others)
    return names, _covariance(fit)[np.ix_(kept, kept)]


def _covariance(fit: LensFit) -> Float[np.ndarray, "c c"]:
    """Covariance of parameters, multipoles and satellites; everything else is marginalised."""
    count = len(fit.lens.free) + len(fit.state.multipoles) + len(fit.state.satellites)
    return fit.here.problem.covariance(fit.deviations, count)


def _names_beyond(fit: LensFit) -> list[str]:
    """Names of multipoles and satellites, in their order."""
    names = [f"multipole{order}_{'sin' if phase else 'cos'}" for order, phase in MULTIPOLES]
    return names + [
        f"satellite{i // SATELLITE_SIZE + 1}_{_OF_SATELLITE[i % SATELLITE_SIZE]}"
        for i in range(len(fit.state.satellites))
    ]
