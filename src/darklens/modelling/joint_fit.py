"""Lens and structure of the source, fitted together by Gauss-Newton steps.

`MarginalisedFitter` fits a Sersic source and then marginalises its structure; where there is much,
it subtracts what it found and fits the lens again. If most of the light is in the structure, that
ends at a wrong lens. Here each step solves for lens, source and all amplitudes at once, with
derivatives of all of the source's light (`darklens.modelling.source_structure`). It is made
shorter where it does not lower the cost. The noise has the photons of all light.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from darklens.errors import BadInput
from darklens.modelling.levenberg_marquardt import solution_at
from darklens.modelling.marginalised_fit import MarginalisedFit, MarginalisedFitter
from darklens.modelling.measured_noise import with_light
from darklens.modelling.smooth_model import SmoothModel
from darklens.modelling.source_structure import SourceStructure

__all__ = ["with_line_of_mass", "with_structure"]

Image = Float[np.ndarray, "h w"]
Parameters = Float[np.ndarray, " p"]

_STEPS = 15  # for each width of the priors
_SHARES = (1.0, 0.5, 0.2)  # of a step
_SETTLED = 2.0  # what a step lowers the cost by, below which it is the last


def with_structure(
    fitter: MarginalisedFitter,
    data: Image,
    found: MarginalisedFit,
    structure: SourceStructure,
    widths: Mapping[str, float] | None,
) -> MarginalisedFit:
    """The fit where the structure of the source moves with the lens.

    Args:
        fitter: Made the fit.
        data: The image that was fitted, in units of the likelihood.
        found: The fit to start from.
        structure: Structure of the source to start from.
        widths: Width of the prior of each kind of nuisance; chosen by the evidence if None.
    """
    likelihood = with_light(found.model.likelihood, found.nuisance, data, found.fit.model)
    model = replace(found.model, likelihood=likelihood)
    again = _at(fitter, model, data, found.fit.parameters, structure, widths)
    same = widths is None and again.widths == found.widths
    return again if same else _settled(fitter, data, again)


def with_line_of_mass(
    fitter: MarginalisedFitter,
    model: SmoothModel,
    data: Image,
    found: MarginalisedFit,
    starts: Sequence[Parameters],
) -> MarginalisedFit:
    """The best fit with a line of mass, where the structure of the source moves with the lens.

    Args:
        fitter: Made the fit.
        model: The model of the fit with a free line of mass.
        data: The image that was fitted, in units of the likelihood.
        found: The fit without a line.
        starts: Parameter vectors to start from.
    """
    structure, widths = found.structure, found.widths
    ends = [
        _settled(fitter, data, _at(fitter, model, data, start, structure, widths))
        for start in starts
    ]
    return min(ends, key=lambda end: end.cost)


def _settled(fitter: MarginalisedFitter, data: Image, found: MarginalisedFit) -> MarginalisedFit:
    """Steps until they gain little."""
    for _ in range(_STEPS):
        better = _step(fitter, data, found)
        if better is None:
            break
        gain, found = found.cost - better.cost, better
        if gain < _SETTLED:
            break
    return found


def _step(
    fitter: MarginalisedFitter, data: Image, found: MarginalisedFit
) -> MarginalisedFit | None:
    """A step that lowers the cost, if there is one."""
    free = list(found.model.free)
    for share in _SHARES:
        parameters = found.fit.parameters.copy()
        parameters[free] += share * found.shift
        inside = found.model.inside(parameters)
        try:
            trial = _at(fitter, found.model, data, inside, found.structure, found.widths)
        except BadInput:  # the step diverged
            continue
        if trial.cost < found.cost:
            return trial
    return None


def _at(
    fitter: MarginalisedFitter,
    model: SmoothModel,
    data: Image,
    parameters: Parameters,
    structure: SourceStructure,
    widths: Mapping[str, float] | None,
) -> MarginalisedFit:
    """All amplitudes for given parameters."""
    light = structure.derivatives(model, parameters, fitter.nuisance)
    end = solution_at(model, data, parameters, light)
    return fitter.linear(model, data, end, widths, structure)
