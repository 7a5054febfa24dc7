"""Noise of an image with light that is not in the model, or with unknown photon counts.

Where the counts are known, all light adds its photons to the variance. Where they are not, the
noise is measured: the variance is a line in the brightness of the model.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from darklens.modelling.likelihood import GaussianLikelihood, Likelihood, PhotonLikelihood

__all__ = ["measured_noise", "with_light"]

Image = Float[np.ndarray, "h w"]

_BINS, _FEWEST = 10, 100
_OUTLIER = 5.0


def with_light(likelihood: Likelihood, light: Image, data: Image, mean: Image) -> Likelihood:
    """The likelihood of an image with light that is not in the model.

    Args:
        likelihood: That of the model.
        light: Counts of the light.
        data: The image.
        mean: The model of the rest.
    """
    if isinstance(likelihood, PhotonLikelihood):
        return replace(likelihood, other_light=light)
    return GaussianLikelihood(measured_noise(data, mean + light))


def measured_noise(data: Image, mean: Image) -> Image:
    """Standard deviation of each pixel, from the differences of neighbours about the model.

    Their mean square in bins of the model's brightness gives the variance, which is then fitted by
    a straight line. Correlated noise has smaller differences than deviations: they are scaled by
    what the dark pixels have.
    """
    residual = data - mean
    padded = np.pad(residual, 1, mode="reflect")
    around = padded[1:-1, 2:] + padded[1:-1, :-2] + padded[2:, 1:-1] + padded[:-2, 1:-1]
    difference = (residual - 0.25 * around).ravel() / np.sqrt(1.25)
    level = (mean - float(mean.min())).ravel()
    order = np.argsort(level)
    dark = order[: order.size // 3]
    floor = _variance(residual.ravel()[dark])
    factor = floor / max(_variance(difference[dark]), 1e-12)
    edges = level[order[-1]] * np.linspace(0, 1, _BINS + 1)[1:-1] ** 2
    groups = np.split(order, np.searchsorted(level[order], edges))
    points = [
        (level[g].mean(), factor * _variance(difference[g]), g.size)
        for g in groups
        if g.size >= _FEWEST
    ]
    x, y, n = (np.array(column) for column in zip(*points, strict=True))
    weight = n / np.maximum(y, floor) ** 2
    gain = float(np.sum(weight * x * (y - floor))) / max(float(np.sum(weight * x * x)), 1e-300)
    return np.sqrt(np.maximum(floor + max(gain, 0.0) * level, 1e-12)).reshape(data.shape)


def _variance(deviations: Float[np.ndarray, " n"]) -> float:
    """Variance without the rarest outliers; where most pixels are flat, the others are none."""
    middle, spread = float(deviations.mean()), float(deviations.std())
    return float(np.var(deviations[np.abs(deviations - middle) <= _OUTLIER * spread]))
