r"""The posterior of a smooth lens, sampled by emcee.

The errors of a fit are those of a Gaussian about the optimum. Samples show what that hides: bent
degeneracies, bounds, several optima. The posterior is the prior (flat within the bounds of the
model, Gaussian where the model has one) times

.. math:: \ln L = -\tfrac12 \sum \left( \frac{(n - \mu)^2}{v} + \ln v \right)

over the pixels, with the mean :math:`\mu` and variance `v` of the likelihood. Walkers start around
the optimum and move by differential evolution (ter Braak & Vrugt 2008). The first half of each
chain is dropped.

Needs the extra `posterior`.

References:
    Foreman-Mackey et al. 2013, arXiv:1202.3665 (emcee).
    ter Braak & Vrugt 2008, doi:10.1007/s11222-008-9104-9.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from darklens.errors import BadInput
from darklens.modelling.fit import SmoothFit
from darklens.modelling.parameters import FLAT, PARAMETERS, GaussianPrior, Parameter
from darklens.modelling.smooth_model import SmoothModel

__all__ = ["Posterior", "sample_posterior", "with_free_slope"]

Image = Float[np.ndarray, "h w"]
Parameters = Float[np.ndarray, " p"]

_SLOPE, _SLOPES = 0.2, (1.2, 2.8)
_WALKERS = 3  # for each parameter
_STEPS, _MOST = 500, 4000
_LONG = 50  # autocorrelation times of a chain that is long enough, as emcee's authors say
_START = 0.5  # of the standard errors


@dataclass(frozen=True)
class Posterior:
    """Samples of the parameters of one smooth lens.

    Attributes:
        names: Names of the parameters.
        samples: One row a sample, in this order.
        log_probability: Logarithm of the posterior of each, to a constant.
        autocorrelation_time: The longest of any parameter [steps].
        steps: Steps of each walker, before the first half was dropped.
        acceptance: Share of the proposed steps that were accepted.
    """

    names: tuple[str, ...]
    samples: Float[np.ndarray, "n k"]
    log_probability: Float[np.ndarray, " n"]
    autocorrelation_time: float
    steps: int
    acceptance: float

    @property
    def long_enough(self) -> bool:
        """Whether the chains are fifty autocorrelation times long."""
        return self.steps >= _LONG * self.autocorrelation_time


def with_free_slope(model: SmoothModel) -> SmoothModel:
    """The model with a free density slope, with the prior 2.0 +- 0.2 of galaxies.

    Auger et al. 2010, arXiv:1007.2880, find 2.08 with an intrinsic scatter of 0.16.
    """
    if Parameter.LENS_SLOPE in model.free:
        return model
    lower, upper = model.lower.copy(), model.upper.copy()
    lower[Parameter.LENS_SLOPE], upper[Parameter.LENS_SLOPE] = _SLOPES
    prior = model.prior or FLAT
    mean = np.broadcast_to(prior.mean, len(PARAMETERS)).astype(np.float64)
    precision = np.broadcast_to(prior.precision, len(PARAMETERS)).astype(np.float64)
    mean[Parameter.LENS_SLOPE], precision[Parameter.LENS_SLOPE] = 2.0, 1 / _SLOPE**2
    free = tuple(sorted({*model.free, Parameter.LENS_SLOPE}))
    return replace(model, free=free, lower=lower, upper=upper, prior=GaussianPrior(mean, precision))


def sample_posterior(
    model: SmoothModel,
    data: Image,
    fit: SmoothFit,
    *,
    seed: int = 0,
    steps: int = _MOST,
) -> Posterior:
    """Sample the posterior of a smooth lens.

    Sampling goes on until the chains are fifty autocorrelation times long, or for `steps`.

    Args:
        model: The model, with its likelihood and bounds. What is free in it is sampled.
        data: Pixels in the units of the likelihood; pixels that are not finite are left out.
        fit: The fit, whose optimum and errors set where the walkers start.
        seed: Of the walkers.
        steps: Largest number of steps of each walker.

    Raises:
        BadInput: If emcee is not installed, or the arguments are out of range.
    """
    try:
        import emcee
    except ImportError:
        raise BadInput("the posterior needs emcee: pip install 'darklens[posterior]'") from None
    if steps < 2 or not 0 <= seed < 2**32:
        raise BadInput("the posterior needs two steps at least, and a seed from 0 to 2^32 - 1")
    free = list(model.free)
    used = np.isfinite(data)
    random = np.random.RandomState(seed)

    def log_posterior(values: Float[np.ndarray, " k"]) -> float:
        if not ((values > model.lower[free]) & (values < model.upper[free])).all():
            return -np.inf
        parameters = fit.parameters.copy()
        parameters[free] = values
        if not np.array_equal(model.inside(parameters), parameters):
            return -np.inf
        moments = model.likelihood.moments(model.image(parameters), model.exposure(parameters))
        seen = used & np.isfinite(moments.variance)
        variance = moments.variance[seen]
        deviation = (data - moments.mean)[seen]
        chi_square = float(np.sum(deviation**2 / variance + np.log(variance)))
        value = -0.5 * (chi_square + (model.prior or FLAT).chi_square(parameters))
        return value if np.isfinite(value) else -np.inf

    walkers = 2 * (_WALKERS * len(free) // 2 + 1)
    start = _walkers(model, fit, walkers, random)
    moves = [(emcee.moves.DEMove(), 0.8), (emcee.moves.DESnookerMove(), 0.2)]
    sampler = emcee.EnsembleSampler(walkers, len(free), log_posterior, moves=moves)
    state = emcee.State(start, random_state=random.get_state())
    time = np.inf
    while sampler.iteration < steps:
        state = sampler.run_mcmc(state, min(_STEPS, steps - sampler.iteration))
        found = sampler.get_autocorr_time(tol=0)
        time = float(np.max(found)) if np.isfinite(found).all() else np.inf
        if sampler.iteration >= _LONG * time:
            break
    half = sampler.iteration // 2
    return Posterior(
        model.names,
        sampler.get_chain(discard=half, flat=True),
        sampler.get_log_prob(discard=half, flat=True),
        time,
        sampler.iteration,
        float(sampler.acceptance_fraction.mean()),
    )


def _walkers(
    model: SmoothModel, fit: SmoothFit, count: int, random: np.random.RandomState
) -> Float[np.ndarray, "w k"]:
    """Places of the walkers about the optimum, all within the bounds."""
    free = list(model.free)
    lower, upper = model.lower[free], model.upper[free]
    errors = {**fit.errors, "lens_slope": fit.errors.get("lens_slope", 0.25 * _SLOPE)}
    width = np.array([errors[name] for name in model.names])
    width = _START * np.minimum(np.maximum(width, 1e-9 * (upper - lower)), 0.1 * (upper - lower))
    margin = 1e-6 * (upper - lower)
    middle = np.clip(fit.parameters[free], lower + width, upper - width)
    places = middle + width * random.normal(size=(count, len(free)))
    return np.asarray(np.clip(places, lower + margin, upper - margin))
