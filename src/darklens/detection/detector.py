"""Is there a subhalo in this lens, where, how heavy, and what could have been seen?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from darklens.detection.lens_fit import LensFit, LensFitter
from darklens.detection.perturbers import (
    CompactMass,
    Distances,
    PerturberFamily,
    TruncatedNFW,
    expected_subhalos,
)
from darklens.detection.priors import FlexibilityPriors
from darklens.detection.refinement import Subhalo, refine
from darklens.detection.scan import (
    LOG_MASSES,
    Scan,
    false_alarm,
    scan_positions,
    scan_subhalos,
)
from darklens.detection.trust import arcs_chi_square, arcs_chi_squares, distrust
from darklens.errors import BadInput
from darklens.observations.observation import Observation

__all__ = ["Detection", "SubhaloDetector", "Verdict"]

Image = Float[np.ndarray, "h w"]
Verdict = Literal["subhalo", "no subhalo seen", "cannot say"]

DRAWS = 200
_SEEN, _CHANCE = 5.0, 0.01
_LIMITS = (3.0, 5.0)


@dataclass(frozen=True)
class Detection:
    """The answer for one lens.

    Attributes:
        verdict: `subhalo`, `no subhalo seen`, or `cannot say` where the fit is not trusted.
        reason: Why, in words.
        significance: Significance of the best subhalo [sigma].
        p_value: Probability that such a lens without a subhalo has one as significant somewhere.
        subhalo: The best subhalo, seen or not; None if nothing could be scanned.
        smooth: The fit without a subhalo.
        best: The fit with it, or the smooth one.
        scan: The scan about the smooth fit; None if nothing could be scanned.
        chi_square: Reduced chi-square of the arcs with the best fit.
        distances: Redshifts and cosmology.
    """

    verdict: Verdict
    reason: str
    significance: float
    p_value: float
    subhalo: Subhalo | None
    smooth: LensFit
    best: LensFit
    scan: Scan | None
    chi_square: float
    distances: Distances

    @property
    def lens(self) -> LensFit:
        """The fit whose lens is the answer: that with a subhalo where one is seen."""
        return self.best if self.verdict == "subhalo" else self.smooth

    @property
    def delta_bic(self) -> float:
        """Decrease of the Bayesian information criterion by the subhalo."""
        if self.subhalo is None:
            return np.nan
        pixels = sum(int((view.weight > 0).sum()) for view in self.smooth.views)
        return float(self.significance**2 - 3 * np.log(pixels))

    def limit_mass(self, sigma: float = 5.0) -> float:
        """Median over the arcs of the smallest mass seen at `sigma` [M_sun]; NaN if unknown."""
        if self.scan is None:
            return np.nan
        arcs = self.smooth.arcs[self.scan.rows.astype(int), self.scan.columns.astype(int)]
        limits = self._limits(sigma)[arcs]
        return float(np.median(limits)) if limits.size else np.nan

    @property
    def is_blind(self) -> bool:
        """Whether half of the arcs show no mass of the scan at 5 sigma."""
        return not np.isfinite(self.limit_mass())

    def expected(self, sigma: float = 5.0) -> float:
        """Number of subhalos that cold dark matter puts where they would be seen at `sigma`."""
        if self.scan is None:
            return np.nan
        scale = self.smooth.lens.model.grid.pixel_scale
        area = (self.scan.step * scale) ** 2
        return expected_subhalos(self._limits(sigma), area, self.distances)

    def maps(self, band: int = 0) -> dict[str, Image]:
        """Images of a band by name.

        `model` and `residual` are of the smooth lens, `no_lens_light` is the image without it;
        `significance`, `limit_mass_3` and `limit_mass_5` [M_sun] are NaN where nothing was scanned.
        These are of all bands together, and come with the first.

        Args:
            band: Which of the images of the lens.
        """
        view = self.smooth.views[band]
        maps = {
            "model": view.image,
            "residual": view.residual,
            "no_lens_light": view.no_lens_light,
            "source": view.source_image,
        }
        if self.scan is not None and band == 0:
            shape = view.image.shape
            noise = np.sqrt(max(self.chi_square, 1.0))
            maps["significance"] = self.scan.map_of(self.scan.significance / noise, shape)
            for sigma in _LIMITS:
                limits = self.scan.map_of(self._limits(sigma), shape)
                maps[f"limit_mass_{sigma:.0f}"] = limits
        return maps

    def _limits(self, sigma: float) -> Float[np.ndarray, " n"]:
        assert self.scan is not None
        return self.scan.limits(sigma * float(np.sqrt(max(self.chi_square, 1.0))))


class SubhaloDetector:
    """Looks for a subhalo in images of lenses.

    Args:
        distances: Redshifts; where they are not known, 0.5 and 2 are assumed.
        priors: Priors of what is free beyond the parametric lens.
        draws: Number of residuals drawn without a subhalo, for the false alarms.
        seed: Of these draws.

    Raises:
        BadInput: If there are no draws.
    """

    def __init__(
        self,
        distances: Distances | None = None,
        *,
        priors: FlexibilityPriors | None = None,
        draws: int = DRAWS,
        seed: int = 0,
    ) -> None:
        if draws < 20:
            raise BadInput(f"{draws} draws are too few to know the false alarms: at least 20")
        self.distances = distances or Distances()
        self.families: tuple[PerturberFamily, ...] = (
            TruncatedNFW(self.distances),
            CompactMass(self.distances),
        )
        self._fitter = LensFitter(priors)
        self._draws, self._seed = draws, seed

    def detect(
        self, seen: Observation | Sequence[Observation], *, lens_light: bool = True
    ) -> Detection:
        """Look for a subhalo in one lens.

        Args:
            seen: The image with its noise, or one image of the lens in each of several bands, the
                first of which places and maps refer to; the PSF is that of the preset `galaxy` if
                unknown.
            lens_light: Whether the lens galaxy is visible.

        Raises:
            BadInput: If an image cannot be fitted, or they are not of one lens.
        """
        smooth = self._fitter.fit(seen, lens_light=lens_light)
        basis = smooth.basis()
        chi_square = arcs_chi_square(smooth, basis)
        scan = self._scan(smooth, basis)
        if scan is None:
            reason = distrust(smooth, *arcs_chi_squares(smooth, basis))
            reason = reason or "no pixel shows the source"
            return self._answer("cannot say", reason, smooth, smooth, None, None, chi_square)
        smooth, best, subhalo = refine(self._fitter, smooth, scan, self.families)
        basis = best.basis()
        chi_square = arcs_chi_square(best, basis)
        reason = distrust(best, *arcs_chi_squares(best, basis))
        if reason:
            return self._answer("cannot say", reason, smooth, best, subhalo, scan, chi_square)
        answer = self._answer("no subhalo seen", "", smooth, best, subhalo, scan, chi_square)
        chance = f"{answer.significance:.1f} sigma, {answer.p_value:.2g} by chance"
        significant = answer.significance >= _SEEN and answer.p_value < _CHANCE
        if significant and subhalo is not None and subhalo.refined:
            return replace(answer, verdict="subhalo", reason=chance)
        reason = f"the most significant has {chance}"
        if answer.is_blind:
            reason += f"; even 10^{LOG_MASSES[-1]:g} solar masses would not be seen"
        return replace(answer, reason=reason)

    def _scan(self, smooth: LensFit, basis: Float[np.ndarray, "r n"]) -> Scan | None:
        arcs = smooth.arcs
        if not arcs.any():
            return None
        return scan_subhalos(
            smooth.views,
            smooth.settled_residual(),
            basis,
            self.families,
            scan_positions(arcs, smooth.lens.model.grid.pixel_scale),
            draws=self._draws,
            rng=np.random.default_rng(self._seed),
        )

    def _answer(
        self,
        verdict: Verdict,
        reason: str,
        smooth: LensFit,
        best: LensFit,
        subhalo: Subhalo | None,
        scan: Scan | None,
        chi_square: float,
    ) -> Detection:
        """The significance in units of the noise that is there, and its probability."""
        significance, chance = np.nan, np.nan
        if subhalo is not None and scan is not None:
            significance = subhalo.significance / float(np.sqrt(max(chi_square, 1.0)))
            chance = false_alarm(significance, scan.peaks)
        return Detection(
            verdict,
            reason,
            significance,
            chance,
            subhalo,
            smooth,
            best,
            scan,
            chi_square,
            self.distances,
        )
