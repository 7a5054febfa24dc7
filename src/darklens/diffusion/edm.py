r"""Diffusion over continuous noise levels, preconditioned so that few steps suffice.

Images have zero mean and unit scale :math:`\sigma_d`. Around a network :math:`F` the denoiser is

.. math:: D(x; \sigma) = c_{skip} x + c_{out} F(c_{in} x; c_{noise}), \qquad
    c_{skip} = \frac{\sigma_d^2}{\sigma^2 + \sigma_d^2}, \quad
    c_{out} = \frac{\sigma \sigma_d}{\sqrt{\sigma^2 + \sigma_d^2}}, \quad
    c_{in} = \frac{1}{\sqrt{\sigma^2 + \sigma_d^2}}, \quad c_{noise} = \tfrac14 \ln \sigma

so that input and target of :math:`F` have unit variance at every noise level.

Lenses are smooth: neighbouring pixels say the same, so the brightness of the whole image shows
through noise a hundred times larger than itself. The largest noise level and those of the training
are therefore higher than for photographs.

References:
    Karras et al. 2022, arXiv:2206.00364, eq. 7, 8 and table 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import mse_loss

from darklens.diffusion.base import GeneratorNetwork, guided
from darklens.diffusion.noise import SeededNoise
from darklens.diffusion.patches import PatchUNet
from darklens.diffusion.solvers import heun, multistep, noise_levels
from darklens.errors import BadModel

__all__ = ["PatchConfig", "PatchDiffusion"]

_MOST_STEPS = 256


@dataclass(frozen=True)
class PatchConfig:
    r"""Configuration of the preconditioned denoiser on patches.

    Attributes:
        size: Rows and columns of an image.
        patch: Side of a patch [pixel].
        widths: Channels of the levels, from the finest; multiples of 16.
        blocks: Residual blocks of a level.
        heads: Heads of the attention at the deepest level; divides the last width.
        conditional: Whether the network is told the class.
        class_dropout: Share of the training images whose class is kept back, for guidance.
        data_scale: Standard deviation of the data, :math:`\sigma_d`.
        noise_mean: Mean of :math:`\ln \sigma` in training.
        noise_spread: Standard deviation of :math:`\ln \sigma` in training.
        smallest_noise: Noise level of the sampler's last evaluation.
        largest_noise: Noise level at which the sampler begins.
        rho: How much closer together small noise levels are.
        sampler: One evaluation a step with memory, or two without.
        steps: Steps of the sampler unless told otherwise.
    """

    size: int = 150
    patch: int = 5
    widths: tuple[int, ...] = (64, 128)
    blocks: int = 2
    heads: int = 4
    conditional: bool = True
    class_dropout: float = 0.1
    data_scale: float = 1.0
    noise_mean: float = 0.5
    noise_spread: float = 1.6
    smallest_noise: float = 0.01
    largest_noise: float = 300.0
    rho: float = 7.0
    sampler: Literal["multistep", "heun"] = "multistep"
    steps: int = 10

    def __post_init__(self) -> None:
        """Refuse numbers that cannot work: configurations come from files."""
        if any(width % 16 or not 16 <= width <= 2048 for width in self.widths):
            raise BadModel("widths must be multiples of 16, up to 2048")
        if not (1 <= self.patch <= self.size <= 4096 and 1 <= self.blocks <= 16):
            raise BadModel("size, patch or blocks are out of range")
        if self.heads < 1 or self.widths[-1] % self.heads:
            raise BadModel("heads must divide the last width")
        if -self.size % (self.patch * 2 ** (len(self.widths) - 1)) > self.size:
            raise BadModel("patches and halvings are too large for the size")
        if not (0 < self.smallest_noise < self.largest_noise and self.data_scale > 0):
            raise BadModel("noise levels and data_scale must be positive, the smallest one first")
        if not (0 <= self.class_dropout < 1 and self.noise_spread > 0 and self.rho > 0):
            raise BadModel("class_dropout, noise_spread or rho is out of range")
        if not 1 <= self.steps <= _MOST_STEPS:
            raise BadModel(f"the sampler takes 1 to {_MOST_STEPS} steps")


class PatchDiffusion(GeneratorNetwork):
    """A denoiser around a UNet on patches, and its samplers.

    Args:
        config: Configuration.
        channels: Channels of the images.
        classes: Number of classes of the data.
    """

    config: PatchConfig

    def __init__(self, config: PatchConfig, *, channels: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.shape = (channels, config.size, config.size)
        self.classes = classes if config.conditional else 0
        self.unet = PatchUNet(
            channels,
            patch=config.patch,
            widths=config.widths,
            blocks=config.blocks,
            heads=config.heads,
            classes=self.classes,
        )

    @property
    def default_steps(self) -> int:
        return self.config.steps

    @property
    def most_steps(self) -> int:
        return _MOST_STEPS

    def loss(self, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"]) -> Tensor:
        """Mean square error of `F`: with the weight of eq. 8 it is that of the denoiser."""
        config = self.config
        rows = self.known_labels(labels, dropped=config.class_dropout if self.training else 0.0)
        spread = torch.randn(len(images), device=images.device) * config.noise_spread
        sigma = (config.noise_mean + spread).exp()
        noisy = images + sigma[:, None, None, None] * torch.randn_like(images)
        skip, out, _ = self._scales(sigma)
        target = (images - skip * noisy) / out
        return mse_loss(self._network(noisy, sigma, rows), target)

    def denoise(
        self,
        images: Float[Tensor, "n c h w"],
        sigma: Float[Tensor, " n"],
        rows: Int64[Tensor, " n"],
    ) -> Float[Tensor, "n c h w"]:
        """Estimate of the clean images, eq. 7; `rows` are those of the class embedding."""
        skip, out, _ = self._scales(sigma)
        return skip * images + out * self._network(images, sigma, rows)

    def sample(
        self, noise: SeededNoise, labels: Int64[Tensor, " n"], *, steps: int, guidance: float
    ) -> Iterator[Float[Tensor, "n c h w"]]:
        self.check_steps(steps)
        config = self.config
        levels = noise_levels(
            steps, smallest=config.smallest_noise, largest=config.largest_noise, rho=config.rho
        )
        rows = self.known_labels(labels)

        def denoise(images: Tensor, sigma: float) -> Tensor:
            predict = partial(self._at_level, sigma)
            return guided(predict, images, rows, guidance=guidance, no_class=self.classes)

        solver = multistep if config.sampler == "multistep" else heun
        yield from solver(denoise, config.largest_noise * noise(), levels)

    def _at_level(self, sigma: float, images: Tensor, rows: Tensor) -> Tensor:
        return self.denoise(images, torch.full((len(images),), sigma, device=images.device), rows)

    def _network(self, images: Tensor, sigma: Tensor, rows: Tensor) -> Tensor:
        """`F` behind its scaling; the fastest sine of its embedding turns in 1.6 of ln sigma."""
        scaled = images * self._scales(sigma)[2]
        result: Tensor = self.unet(scaled, 4 * sigma.log(), rows)
        return result

    def _scales(self, sigma: Float[Tensor, " n"]) -> tuple[Tensor, Tensor, Tensor]:
        """c_skip, c_out and c_in of table 1, to be multiplied with images."""
        sigma = sigma[:, None, None, None]
        scale = self.config.data_scale
        total = (sigma**2 + scale**2).sqrt()
        return (scale / total) ** 2, sigma * scale / total, 1 / total
