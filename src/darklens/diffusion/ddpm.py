r"""Diffusion in discrete steps: cosine schedule, loss and samplers of the reference.

With :math:`\bar\alpha_t = \prod_{s \le t} (1 - \beta_s)` a noisy image is
:math:`x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon`, and the network
predicts :math:`\epsilon` from :math:`x_t` and :math:`t`. The betas come from

.. math:: \bar\alpha(u) = \cos^2 \left( \frac{u + s}{1 + s} \frac\pi2 \right), \quad s = 0.008,

.. math:: \beta_t = \min \left( 1 - \frac{\bar\alpha(t / T)}{\bar\alpha((t - 1) / T)},\
    0.999 \right)

Schedule and samplers are those of `diffusers`: the ancestral sampler with as many steps as in
training, DDIM with fewer. Both clip the predicted image to [-1, 1].

References:
    Ho et al. 2020, arXiv:2006.11239; Nichol & Dhariwal 2021, arXiv:2102.09672, eq. 17;
    Song et al. 2020, arXiv:2010.02502, eq. 12.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from darklens.diffusion.base import GeneratorNetwork, guided
from darklens.diffusion.noise import SeededNoise
from darklens.diffusion.reference import ReferenceUNet
from darklens.errors import BadModel

__all__ = ["DiffusersConfig", "DiscreteConfig", "DiscreteDiffusion", "ReferenceDiffusionConfig"]

Width = Annotated[int, Field(ge=4, le=2048)]


@dataclass(frozen=True)
class DiscreteConfig:
    """Configuration shared by all diffusion in discrete steps.

    Attributes:
        size: Rows and columns of an image; halved at each level but the first.
        widths: Channels of the levels, from the finest.
        conditional: Whether the network is conditioned on the class.
        class_dropout: Fraction of the training images whose class is hidden, for guidance.
        loss: `l1` for the mean absolute error of the noise, `l2` for the mean square error.
        train_steps: Number of steps from an image to noise.
        steps: Default number of sampling steps; with fewer than `train_steps` the sampler is DDIM.
    """

    size: int = 144
    widths: Annotated[tuple[Width, ...], Field(min_length=1, max_length=16)] = (16, 32, 32, 64)
    conditional: bool = False
    class_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    loss: Literal["l1", "l2"] = "l1"
    train_steps: Annotated[int, Field(ge=1, le=100_000)] = 1000
    steps: Annotated[int, Field(ge=1)] = 50

    def __post_init__(self) -> None:
        """Check constraints between fields."""
        factor = 2 ** (len(self.widths) - 1)
        if self.widths[0] % 2:
            raise BadModel("the first of the widths must be even")
        if self.size % factor or not 2 * factor <= self.size <= 4096:
            raise BadModel(f"size must be a multiple of {factor} pixels, from {2 * factor} to 4096")
        if self.steps > self.train_steps:
            raise BadModel("steps must be at most train_steps")


@dataclass(frozen=True)
class ReferenceDiffusionConfig(DiscreteConfig):
    """Configuration of the reference; see `DiscreteConfig` for the other attributes.

    Attributes:
        heads: Heads of the linear attention.
        head_width: Channels of a head.
    """

    heads: Annotated[int, Field(ge=1, le=64)] = 4
    head_width: Annotated[int, Field(ge=1, le=1024)] = 32


@dataclass(frozen=True)
class DiffusersConfig(DiscreteConfig):
    """Configuration of a plain UNet of diffusers; see `DiscreteConfig` for the other attributes.

    Attributes:
        norm_groups: Groups of the group normalisation; divides all widths.
        head_width: Channels per head of the attention in the middle; divides the last width.
    """

    norm_groups: Annotated[int, Field(ge=1)] = 16
    head_width: Annotated[int, Field(ge=1)] = 32

    def __post_init__(self) -> None:
        """Check what the fields' types cannot say."""
        super().__post_init__()
        if any(width % self.norm_groups for width in self.widths):
            raise BadModel("norm_groups must divide all widths")
        if self.widths[-1] % self.head_width:
            raise BadModel("head_width must divide the last width")


class DiscreteDiffusion(GeneratorNetwork):
    """A UNet that predicts noise, with the cosine schedule and diffusers' samplers.

    Args:
        config: Configuration; its type determines the UNet.
        channels: Channels of the images.
        classes: Number of classes of the data.
    """

    def __init__(
        self, config: ReferenceDiffusionConfig | DiffusersConfig, *, channels: int, classes: int
    ) -> None:
        super().__init__()
        self.config = config
        self.shape = (channels, config.size, config.size)
        self.classes = classes if config.conditional else 0
        if isinstance(config, ReferenceDiffusionConfig):
            self.core = ReferenceUNet(
                channels,
                config.widths,
                heads=config.heads,
                head_width=config.head_width,
                classes=self.classes,
            )
        else:
            self.core = _plain_unet(config, channels, self.classes)
        self.scheduler = _ancestral(config.train_steps)

    @property
    def default_steps(self) -> int:
        steps: int = self.config.steps
        return steps

    @property
    def most_steps(self) -> int:
        steps: int = self.config.train_steps
        return steps

    @property
    def betas(self) -> Float[Tensor, " t"]:
        """The noise schedule."""
        betas: Tensor = self.scheduler.betas
        return betas

    def together(self, device: str) -> int:
        """Few on a CPU, where larger batches are not faster."""
        return 4 if device == "cpu" else super().together(device)

    def loss(self, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"]) -> Tensor:
        dropped = self.config.class_dropout if self.training else 0.0
        rows = self.known_labels(labels, dropped=dropped)
        noise = torch.randn_like(images)
        times = torch.randint(self.most_steps, (len(images),), device=images.device)
        noisy = self.scheduler.add_noise(images, noise, times)
        predicted = self._noise(noisy, times, rows)
        return (l1_loss if self.config.loss == "l1" else mse_loss)(predicted, noise)

    def sample(
        self, noise: SeededNoise, labels: Int64[Tensor, " n"], *, steps: int, guidance: float
    ) -> Iterator[Float[Tensor, "n c h w"]]:
        self.check_steps(steps)
        few = steps < self.most_steps
        scheduler = _deterministic(self.most_steps) if few else _ancestral(self.most_steps)
        options: dict[str, Any] = {"generator": noise.generators}
        if few:  # the noise in DDIM must be consistent with the clipped image
            options = {"use_clipped_model_output": True}
        scheduler.set_timesteps(steps)
        rows = self.known_labels(labels)
        images = noise()

        def predict(noisy: Tensor, known: Tensor) -> Tensor:
            return self._noise(noisy, time.expand(len(noisy)), known)

        for time in scheduler.timesteps.to(images.device):
            predicted = guided(predict, images, rows, guidance=guidance, no_class=self.classes)
            step = scheduler.step(predicted, int(time), images, **options)
            images = step.prev_sample
            yield step.pred_original_sample

    def save_diffusers(self, folder: Path) -> None:
        """Write the folders of a pipeline that can be loaded with plain diffusers.

        Raises:
            BadModel: If the UNet is not one of diffusers.
        """
        from diffusers import DDPMPipeline

        if not isinstance(self.config, DiffusersConfig):
            raise BadModel("the reference network is not a network of diffusers")
        DDPMPipeline(self.core, self.scheduler).save_pretrained(folder)

    def _noise(self, images: Tensor, times: Tensor, rows: Tensor) -> Tensor:
        if isinstance(self.config, ReferenceDiffusionConfig):
            noise: Tensor = self.core(images, times, rows)
        else:
            known = rows if self.classes else None
            noise = self.core(images, times, class_labels=known, return_dict=False)[0]
        return noise


def _ancestral(steps: int) -> Any:
    """The sampler that takes every step and adds noise in each."""
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler  # slow to import

    return DDPMScheduler(num_train_timesteps=steps, beta_schedule="squaredcos_cap_v2")


def _deterministic(steps: int) -> Any:
    """The sampler that takes few steps and adds no noise."""
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    return DDIMScheduler(num_train_timesteps=steps, beta_schedule="squaredcos_cap_v2")


def _plain_unet(config: DiffusersConfig, channels: int, classes: int) -> nn.Module:
    """A UNet of diffusers with two blocks per level and attention in the middle."""
    from diffusers import UNet2DModel

    levels = len(config.widths)
    unet: nn.Module = UNet2DModel(
        sample_size=config.size,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=config.widths,
        down_block_types=("DownBlock2D",) * levels,
        up_block_types=("UpBlock2D",) * levels,
        layers_per_block=2,
        norm_num_groups=config.norm_groups,
        attention_head_dim=config.head_width,
        num_class_embeds=classes + 1 if classes else None,
    )
    return unet
