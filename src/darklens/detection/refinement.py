r"""The best candidates of a scan, fitted together with the lens, and what they gain.

The statistic is twice the difference of the log-evidences with and without the subhalo, the subhalo
held at its optimum and everything else marginalised: a likelihood ratio in which the strength of
the source's field is free in both. It is the decrease of chi-square where nothing else changes, and
costs three parameters in :math:`\Delta \mathrm{BIC} = \Delta\chi^2 - 3 \ln N`.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from darklens.detection.lens_fit import LensFit, LensFitter
from darklens.detection.linear_solution import FitDiverged
from darklens.detection.perturbers import PerturberFamily
from darklens.detection.scan import Candidate, Scan

__all__ = ["Subhalo", "refine"]

_STARTS, _APART = 2, 0.4
_TRIED = 3.0  # sigma of the scan below which nothing is refined
_BEHIND = 1.5  # sigma by which a candidate may be less significant than the best
_PREFERRED = 10.0  # gain by which a compact mass must be better than a halo
_AGAIN = 3.0


@dataclass(frozen=True)
class Subhalo:
    """One perturber, at its optimum.

    Attributes:
        family: What it is, `nfw` or `point`.
        x: Place [arcsec].
        y: Place [arcsec].
        log_mass: Logarithm (base 10) of its mass.
        errors: Standard errors of place and logarithm of the mass.
        gain: Decrease of chi-square, everything else marginalised.
        refined: Whether it was fitted together with the lens; otherwise it is the scan's.
    """

    family: str
    x: float
    y: float
    log_mass: float
    errors: tuple[float, float, float]
    gain: float
    refined: bool

    @property
    def significance(self) -> float:
        """Significance [sigma]."""
        return float(np.sqrt(max(self.gain, 0.0)))

    @property
    def mass_error(self) -> float:
        """Standard error of the logarithm of the mass."""
        return self.errors[2]


def refine(
    fitter: LensFitter, smooth: LensFit, scan: Scan, families: Sequence[PerturberFamily]
) -> tuple[LensFit, LensFit, Subhalo | None]:
    """Fit the best candidates together with the lens.

    Args:
        fitter: The fitter of the smooth lens.
        smooth: The fit without a subhalo.
        scan: The scan about it.
        families: The families of the scan.

    Returns:
        The fit without a subhalo, improved if one was found on the way; the best fit; and the
        subhalo, or None if nothing was scanned.
    """
    candidates = scan.candidates(_STARTS, apart=_APART)
    if not candidates:
        return smooth, smooth, None
    best = candidates[0]
    if best.significance < _TRIED:
        return smooth, smooth, _of_scan(best, families)
    ends, least = [], best.significance - _BEHIND
    for k, family in enumerate(families):
        own = [c for c in candidates if c.family == k and c.significance > least]
        for candidate in own[: _STARTS if k == 0 else 1]:
            bands = smooth.bands.with_perturbation(family)
            perturber = np.array([candidate.x, candidate.y, candidate.log_mass])
            states = bands.with_perturber(smooth.here.states, perturber)
            with suppress(FitDiverged):
                fit = fitter.refit(bands, states, smooth.starts, pull=smooth.pull)
                if fit.here.converged:
                    ends.append((k, fit))
    if not ends:
        return smooth, smooth, _of_scan(best, families)
    kind = min(k for k, _ in ends)
    first = max((fit for k, fit in ends if k == kind), key=lambda fit: fit.log_evidence)
    chosen = first
    for k, fit in ends:
        if 2 * (fit.log_evidence - first.log_evidence) > _PREFERRED and k > 0:
            kind, chosen = k, fit
    if 2 * (chosen.log_evidence - smooth.log_evidence) > _AGAIN**2:
        smooth = _again(fitter, smooth, chosen)
    gain = 2 * (chosen.log_evidence - smooth.log_evidence)
    return smooth, chosen, _subhalo(families[kind].name, chosen, gain)


def _of_scan(candidate: Candidate, families: Sequence[PerturberFamily]) -> Subhalo:
    """A candidate that was not fitted together with the lens."""
    unknown = (np.nan, np.nan, np.nan)
    place = (candidate.x, candidate.y, candidate.log_mass)
    gain = candidate.significance**2
    return Subhalo(families[candidate.family].name, *place, unknown, gain, False)


def _again(fitter: LensFitter, smooth: LensFit, other: LensFit) -> LensFit:
    """The better of the smooth fit and one that starts from a fit with a subhalo."""
    states = smooth.bands.with_perturber(other.here.states, np.zeros(0))
    again = fitter.refit(smooth.bands, states, smooth.starts, pull=smooth.pull)
    return max(smooth, again, key=lambda fit: fit.log_evidence)


def _subhalo(family: str, fit: LensFit, gain: float) -> Subhalo:
    x, y, log_mass = map(float, fit.state.perturber)
    dx, dy, dm = map(float, fit.errors()[-3:])
    return Subhalo(family, x, y, log_mass, (dx, dy, dm), gain, True)
