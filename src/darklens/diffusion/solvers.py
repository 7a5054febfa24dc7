r"""Solvers of the probability-flow equation: from noise to an image in few steps.

A noisy image is :math:`x = y + \sigma \epsilon`. As the noise level decreases it follows

.. math:: \frac{dx}{d\sigma} = \frac{x - D(x; \sigma)}{\sigma}

with the denoiser :math:`D`, an estimate of :math:`y`. Each solver yields :math:`D` after every
step; the last one is the image, at :math:`\sigma = 0`.

References:
    Karras et al. 2022, arXiv:2206.00364, eq. 1 and 3; Lu et al. 2022, arXiv:2211.01095;
    Lu & Song 2024, arXiv:2410.11081, for the angles.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Denoiser", "angular", "equal_angles", "heun", "multistep", "noise_levels"]

Denoiser = Callable[[Tensor, float], Tensor]
"""From noisy images and their noise level to an estimate of the noise-free images."""


def noise_levels(
    steps: int, *, smallest: float, largest: float, rho: float = 7.0
) -> Float[Tensor, " steps"]:
    r"""Noise levels from largest to smallest, more closely spaced at small values.

    .. math:: \sigma_i = \left( \sigma_{max}^{1/\rho} + \frac{i}{N - 1}
        \left( \sigma_{min}^{1/\rho} - \sigma_{max}^{1/\rho} \right) \right)^\rho

    >>> noise_levels(3, smallest=1.0, largest=100.0, rho=2.0).tolist()
    [100.0, 30.25, 1.0]

    References:
        Karras et al. 2022, arXiv:2206.00364, eq. 5.
    """
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    high, low = largest ** (1 / rho), smallest ** (1 / rho)
    levels: Tensor = (high + ramp * (low - high)) ** rho
    return levels


def multistep(
    denoise: Denoiser, images: Float[Tensor, "n *image"], levels: Float[Tensor, " steps"]
) -> Iterator[Float[Tensor, "n *image"]]:
    r"""Second-order solver with one evaluation per step, using the previous estimate.

    In :math:`\lambda = -\ln \sigma`, with the steps :math:`h_i = \lambda_{i+1} - \lambda_i` and
    :math:`r = h_{i-1} / h_i`,

    .. math:: \bar D_i = \left( 1 + \tfrac{1}{2r} \right) D_i - \tfrac{1}{2r} D_{i-1}, \qquad
        x_{i+1} = e^{-h_i} x_i + (1 - e^{-h_i}) \bar D_i

    Args:
        denoise: The denoiser.
        images: Images at the first noise level.
        levels: Decreasing noise levels; the estimate at the last one is the image.

    References:
        Lu et al. 2022, arXiv:2211.01095, algorithm 2, for variance-exploding noise.
    """
    sigmas = levels.tolist()
    before: Tensor | None = None
    for i, sigma in enumerate(sigmas):
        estimate = denoise(images, sigma)
        yield estimate
        if i + 1 == len(sigmas):
            return
        shrink = sigmas[i + 1] / sigma  # exp(-h)
        extrapolated = estimate
        if before is not None:
            log = torch.tensor(sigmas[i - 1 : i + 2]).log()
            r = float((log[0] - log[1]) / (log[1] - log[2]))
            extrapolated = estimate + (estimate - before) / (2 * r)
        images = shrink * images + (1 - shrink) * extrapolated
        before = estimate


def heun(
    denoise: Denoiser, images: Float[Tensor, "n *image"], levels: Float[Tensor, " steps"]
) -> Iterator[Float[Tensor, "n *image"]]:
    r"""Second-order solver with two evaluations in all steps but the last: slopes at both ends.

    Args:
        denoise: The denoiser.
        images: Images at the first noise level.
        levels: Decreasing noise levels.

    References:
        Karras et al. 2022, arXiv:2206.00364, algorithm 1.
    """
    sigmas = levels.tolist()
    for sigma, following in pairwise(sigmas):
        estimate = denoise(images, sigma)
        yield estimate
        slope = (images - estimate) / sigma
        guess = images + (following - sigma) * slope
        again = (guess - denoise(guess, following)) / following
        images = images + (following - sigma) * (slope + again) / 2
    yield denoise(images, sigmas[-1])


def equal_angles(
    steps: int, *, smallest: float, largest: float, spread: float = 1.0
) -> Float[Tensor, " steps"]:
    r"""Noise levels at equal steps of the angle :math:`\theta = \arctan(\sigma / \sigma_d)`.

    >>> equal_angles(2, smallest=0.5, largest=2.0).round(decimals=6).tolist()
    [2.0, 0.5]

    Args:
        steps: Number of levels.
        smallest: The last one.
        largest: The first one.
        spread: Root mean square :math:`\sigma_d` of the data.
    """
    first, last = math.atan(largest / spread), math.atan(smallest / spread)
    angles = torch.linspace(first, last, steps, dtype=torch.float64)
    levels: Tensor = spread * angles.tan()
    return levels


def angular(
    denoise: Denoiser,
    images: Float[Tensor, "n *image"],
    levels: Float[Tensor, " steps"],
    *,
    spread: float = 1.0,
) -> Iterator[Float[Tensor, "n *image"]]:
    r"""Second-order solver in the angle of the noise, with one evaluation per step.

    With :math:`\sigma = \sigma_d \tan\theta` and :math:`z = x \cos\theta` the flow is

    .. math:: \frac{dz}{d\theta} = -F, \qquad F = \frac{D - z \cos\theta}{\sin\theta}

    For normal data of the given spread `F` is zero, so that any number of steps is exact up to the
    last denoising. `F` is extrapolated linearly from the last two steps (Adams and Bashforth).

    Args:
        denoise: The denoiser.
        images: Normal numbers of the spread of the data, :math:`z` at the first level.
        levels: Decreasing noise levels; the estimate at the last one is the image.
        spread: Root mean square :math:`\sigma_d` of the data.
    """
    angles = [math.atan(sigma / spread) for sigma in levels.tolist()]
    before: tuple[Tensor, float] | None = None
    for i, angle in enumerate(angles):
        cos, sin = math.cos(angle), math.sin(angle)
        estimate = denoise(images / cos, spread * math.tan(angle))
        yield estimate
        if i + 1 == len(angles):
            return
        step = angle - angles[i + 1]
        slope = (estimate - cos * images) / sin
        extrapolated = slope
        if before is not None:
            extrapolated = slope + (slope - before[0]) * (step / (2 * before[1]))
        images = images + step * extrapolated
        before = slope, step
