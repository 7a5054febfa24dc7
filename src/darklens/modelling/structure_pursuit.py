r"""Structure of the source, fitted where it explains more than substructure would.

Where much is marginalised, lens and structure of the source are fitted together
(`darklens.modelling.joint_fit`). That fit is taken where it gains more than the best perturber
would. Then compact clumps, such as knots of star formation, are looked for, one after the other. A
clump is seen in each image of its place; a perturber changes one place of the image. What the
marginalised fit leaves of a clump looks like perturbers to the matched filters, but a clump
explains it better. With the marginalised residual `z`, the projection `M` and the image `d` of a
clump, adding it lowers chi-square by :math:`(d^T z)^2 / d^T M d`. The clump that lowers it most is
added to the directions that are marginalised, and all fitted again, as long as no point and no line
of mass does much better.
"""

from dataclasses import replace
from functools import cache

import numpy as np
from jaxtyping import Float, Float32

from darklens.modelling.joint_fit import with_structure
from darklens.modelling.marginal_filter import MarginalFilters
from darklens.modelling.marginalised_fit import MarginalisedFit, MarginalisedFitter
from darklens.modelling.matched_filter import SignificanceMaps
from darklens.modelling.nuisance import Clumps, NuisancePriors, clump_images

__all__ = ["parts_of", "with_source_structure"]

_MUCH = 100.0  # squared deviations of nuisance, above which the source may have structure
_LEAST = 30.0  # of chi-square, by which structure lowers it
_HOPE = 0.5  # of what the best perturber does, below which more steps are no use
_SHARE = 0.6  # of the same, that a clump explains
_FAINT = 16.0  # of chi-square, below which what is left needs no explanation
_MOST = 6
_REACH, _STEP, _WIDTHS = 1.3, 0.13, (0.07, 0.15)  # places and widths, over the source's radius
_FINE, _FACTORS = 0.05, (0.6, 0.8, 1.0, 1.3, 1.7)  # steps and widths about the best of them
_LEAST_LEFT = 0.02  # of the power of a clump, after the projection


def with_source_structure(
    fitter: MarginalisedFitter,
    filters: MarginalFilters,
    data: Float[np.ndarray, "h w"],
    found: MarginalisedFit,
    maps: SignificanceMaps,
) -> tuple[MarginalisedFit, SignificanceMaps]:
    """The fit with the structure of the source, and the filters of what is left.

    The fit is the same where the source has none.

    Args:
        fitter: Made the fit.
        filters: Filters for points and lines.
        data: The image that was fitted.
        found: The fit.
        maps: The filters of what it leaves.
    """
    rival = _of_substructure(maps)
    if found.freedom > _MUCH:
        joint = with_structure(fitter, data, found, found.structure, found.widths)
        if found.cost - joint.cost > _HOPE * rival:
            joint = with_structure(fitter, data, joint, joint.structure, None)
        if found.cost - joint.cost > max(_LEAST, rival):
            found, maps = joint, filters(*parts_of(joint))
    while len(found.structure.clumps) < _MOST:
        rival = _of_substructure(maps)
        if rival < _FAINT:
            break
        gain, clump = _best_clump(found, fitter.nuisance)
        if gain < max(_LEAST, _SHARE * rival):
            break
        structure = found.structure.with_clump(clump)
        found = with_structure(fitter, data, found, structure, found.widths)
        maps = filters(*parts_of(found))
    return found, maps


def _of_substructure(maps: SignificanceMaps) -> float:
    """What the best perturber lowers chi-square by."""
    lines = [line.significance for line in maps.lines[:1]]
    return max(float(maps.point.max()), *lines, 0.0) ** 2


def parts_of(
    found: MarginalisedFit,
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "2 h w"], Float32[np.ndarray, "k h w"]]:
    """Residual, sensitivity and root of the projection, as the filters take them."""
    residual, sensitivity = found.fit.residual, found.fit.sensitivity
    return residual.astype(np.float32), sensitivity.astype(np.float32), found.basis


def _best_clump(found: MarginalisedFit, priors: NuisancePriors) -> tuple[float, Clumps]:
    """What the best further clump lowers chi-square by, and that clump."""
    basis = found.basis.reshape(len(found.basis), -1)
    coarse = replace(found, model=replace(found.model, exact=None))
    trials = _trials()
    gains = _gains(coarse, basis, priors, trials)
    if gains.max() > 0:
        trials = _about(trials[int(gains.argmax())])
        gains = _gains(found, basis, priors, trials)
    best = int(gains.argmax())
    return float(gains[best]), trials[best : best + 1]


def _gains(
    found: MarginalisedFit,
    basis: Float32[np.ndarray, "k p"],
    priors: NuisancePriors,
    clumps: Clumps,
) -> Float32[np.ndarray, " c"]:
    """What each clump alone lowers chi-square by; 0 where its light would be negative."""
    images = _whitened(found, clump_images(found.model, found.fit.parameters, priors, clumps))
    pull = images @ found.fit.residual.ravel().astype(np.float32)
    power = np.square(images).sum(axis=1)
    gone = np.square(images @ basis.T).sum(axis=1)
    left = power - gone
    seen = (pull > 0) & (left > _LEAST_LEFT * power)
    return np.where(seen, np.square(pull) / np.maximum(left, np.float32(1e-9)), np.float32(0))


def _whitened(
    found: MarginalisedFit, images: Float32[np.ndarray, "n h w"]
) -> Float32[np.ndarray, "n p"]:
    """Images of flux in units of the noise, flat."""
    weight = (found.slope / found.fit.noise).astype(np.float32)
    return np.reshape(images * weight, (len(images), -1))


@cache
def _trials() -> Clumps:
    """Clumps all over the source."""
    side = np.arange(-_REACH, _REACH + 0.5 * _STEP, _STEP)
    x, y, width = (grid.ravel() for grid in np.meshgrid(side, side, _WIDTHS))
    return np.asarray(np.stack([x, y, width], axis=1)[np.hypot(x, y) <= _REACH])


def _about(clump: Float[np.ndarray, " 3"]) -> Clumps:
    """Clumps next to one, wider and narrower ones."""
    steps = _FINE * np.arange(-1, 2)
    x, y, factor = (grid.ravel() for grid in np.meshgrid(steps, steps, _FACTORS))
    return np.stack([clump[0] + x, clump[1] + y, clump[2] * factor], axis=1)
