r"""Diffusion of codes over continuous noise levels, preconditioned so that few steps suffice.

A code is a vector of a few hundred numbers that stands for an image: its principal components
(`darklens.diffusion.components`), or the description of a lens
(`darklens.diffusion.description_space`). With a network :math:`F` the denoiser of a code `x` is

.. math:: D(x; \sigma) = c_{skip} x + c_{out} F(c_{in} x; c_{noise}), \qquad
    c_{skip} = \frac{\sigma_d^2}{\sigma^2 + \sigma_d^2}, \quad
    c_{out} = \frac{\sigma \sigma_d}{\sqrt{\sigma^2 + \sigma_d^2}}, \quad
    c_{in} = \frac{1}{\sqrt{\sigma^2 + \sigma_d^2}}, \quad c_{noise} = 4 \ln \sigma

where :math:`\sigma_d` is the root mean square of all numbers, so that inputs and targets of
:math:`F` have unit variance at every noise level. With one scale for all components, training
learns strong components before weak ones; one scale per component gave worse images.

References:
    Karras et al. 2022, arXiv:2206.00364, eq. 7, 8 and table 1.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor
from torch.nn.functional import mse_loss

from darklens.diffusion.base import CodeSpace, GeneratorNetwork, guided
from darklens.diffusion.noise import SeededNoise
from darklens.diffusion.perceptron import CodePerceptron
from darklens.diffusion.solvers import angular, equal_angles, heun, multistep, noise_levels
from darklens.errors import BadModel

__all__ = ["CodeConfig", "CodeDiffusion"]

_MOST_STEPS = 256


@dataclass(frozen=True)
class CodeConfig:
    r"""What the configurations of all denoisers of codes share.

    Attributes:
        size: Rows and columns of an image.
        width: Width of the network's layers.
        blocks: Number of residual blocks of two layers.
        embedding: Dimension of the vector that encodes noise level and class.
        conditional: Whether the network is conditioned on the class.
        class_dropout: Fraction of the training images whose class is hidden, for guidance.
        noise_mean: Mean of :math:`\ln \sigma` in training.
        noise_spread: Standard deviation of :math:`\ln \sigma` in training.
        smallest_noise: Last noise level at which the sampler evaluates the network.
        largest_noise: Noise level at which the sampler starts.
        rho: Exponent that sets how much more densely small noise levels are spaced; `angular`
            spaces them by itself.
        sampler: `multistep` or `angular` with one evaluation per step, or `heun` with two.
        steps: Default number of sampling steps.
    """

    size: Annotated[int, Field(ge=1, le=4096)] = 150
    width: Annotated[int, Field(ge=1, le=8192)] = 768
    blocks: Annotated[int, Field(ge=1, le=64)] = 4
    embedding: Annotated[int, Field(ge=1, le=4096)] = 128
    conditional: bool = True
    class_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    noise_mean: float = -0.5
    noise_spread: Annotated[float, Field(gt=0)] = 1.6
    smallest_noise: Annotated[float, Field(gt=0)] = 0.05
    largest_noise: float = 6.0
    rho: Annotated[float, Field(gt=0)] = 3.0
    sampler: Literal["multistep", "angular", "heun"] = "multistep"
    steps: Annotated[int, Field(ge=1, le=_MOST_STEPS)] = 10

    def __post_init__(self) -> None:
        """Check constraints between fields."""
        if not self.smallest_noise < self.largest_noise:
            raise BadModel("smallest_noise must be below largest_noise")


class CodeDiffusion(GeneratorNetwork):
    """A denoiser of codes based on a fully connected network, and its samplers.

    Args:
        config: Configuration.
        channels: Channels of the images.
        classes: Number of classes of the data.
        numbers: Dimension of a code.

    Attributes:
        space: The transformation to codes, found before training.
    """

    config: CodeConfig
    space: CodeSpace

    def __init__(self, config: CodeConfig, *, channels: int, classes: int, numbers: int) -> None:
        super().__init__()
        self.config = config
        self.shape = (channels, config.size, config.size)
        self.classes = classes if config.conditional else 0
        self.numbers = numbers
        self.core = CodePerceptron(
            numbers,
            width=config.width,
            blocks=config.blocks,
            embedding=config.embedding,
            classes=self.classes,
        )

    @abstractmethod
    def decoded(
        self, codes: Float[Tensor, "n k"], labels: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n c h w"]:
        """What codes stand for: the output of the network, before it is made an image.

        Args:
            codes: The codes.
            labels: Class of each; -1 for none.
        """

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (self.numbers,)

    @property
    def default_steps(self) -> int:
        return self.config.steps

    @property
    def most_steps(self) -> int:
        return _MOST_STEPS

    def loss(self, examples: Float[Tensor, "n *example"], labels: Int64[Tensor, " n"]) -> Tensor:
        """Mean square error of `F`, equal to that of the denoiser with the weight of eq. 8."""
        config = self.config
        codes = examples.flatten(1)
        rows = self.known_labels(labels, dropped=config.class_dropout if self.training else 0.0)
        spread = torch.randn(len(codes), device=codes.device) * config.noise_spread
        sigma = (config.noise_mean + spread).exp()
        noisy = codes + sigma[:, None] * torch.randn_like(codes)
        skip, out, _ = self._scales(sigma)
        target = (codes - skip * noisy) / out
        return mse_loss(self._network(noisy, sigma, rows).float(), target)

    def denoise(
        self, codes: Float[Tensor, "n k"], sigma: Float[Tensor, " n"], rows: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n k"]:
        """Estimate of the noise-free codes, eq. 7, for the given rows of the class embedding."""
        skip, out, _ = self._scales(sigma)
        return skip * codes + out * self._network(codes, sigma, rows)

    def sample(
        self, noise: SeededNoise, labels: Int64[Tensor, " n"], *, steps: int, guidance: float
    ) -> Iterator[Float[Tensor, "n c h w"]]:
        self.check_steps(steps)
        config = self.config
        ends = {"smallest": config.smallest_noise, "largest": config.largest_noise}
        rows = self.known_labels(labels)

        def denoise(codes: Tensor, sigma: float) -> Tensor:
            predict = partial(self._at_level, sigma)
            return guided(predict, codes, rows, guidance=guidance, no_class=self.classes)

        if config.sampler == "angular":
            spread = float(self.space.spread)
            levels = equal_angles(steps, **ends, spread=spread)
            seen = angular(denoise, spread * noise(), levels, spread=spread)
        else:
            levels = noise_levels(steps, **ends, rho=config.rho)
            solver = multistep if config.sampler == "multistep" else heun
            seen = solver(denoise, config.largest_noise * noise(), levels)
        for codes in seen:
            yield self.decoded(codes, labels)

    def _at_level(self, sigma: float, codes: Tensor, rows: Tensor) -> Tensor:
        return self.denoise(codes, torch.full((len(codes),), sigma, device=codes.device), rows)

    def _network(self, codes: Tensor, sigma: Tensor, rows: Tensor) -> Tensor:
        """Scaled `F`; the fastest sine of its embedding has a period of 1.6 in ln sigma."""
        result: Tensor = self.core(codes * self._scales(sigma)[2], 4 * sigma.log(), rows)
        return result

    def _scales(self, sigma: Float[Tensor, " n"]) -> tuple[Tensor, Tensor, Tensor]:
        """c_skip, c_out and c_in of table 1, to be multiplied with codes."""
        sigma = sigma[:, None]
        scale = self.space.spread
        total = (sigma**2 + scale**2).sqrt()
        return (scale / total) ** 2, sigma * scale / total, 1 / total
