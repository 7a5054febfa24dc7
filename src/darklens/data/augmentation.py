"""Random transformations of training images that preserve the physics.

A lens that is mirrored, rotated by a right angle or shifted by a fraction of a pixel is as likely
as the original. Other rotation angles, zooms and added noise are not offered: they would smooth
the noise or change the pixel scale.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from darklens.errors import BadData

__all__ = ["Augmentation"]


@dataclass(frozen=True)
class Augmentation:
    """The transformations to apply, drawn independently for each image of a batch.

    Attributes:
        flips: Mirror left to right with probability 1/2.
        rotations: Rotate by 0, 90, 180 or 270 degrees; needs square images.
        shifts: Shift by up to half a pixel along each axis, by bicubic interpolation.
    """

    flips: bool = True
    rotations: bool = True
    shifts: bool = False

    def __call__(
        self, images: Float[Tensor, "n c h w"], generator: torch.Generator
    ) -> Float[Tensor, "n c h w"]:
        """Transform each image at random.

        Args:
            images: A batch on the processor.
            generator: The random number generator.

        Returns:
            The transformed batch; the input is left unchanged.

        Raises:
            BadData: If rotations are on and the images are not square.
        """
        n = len(images)
        mirrored = torch.rand(n, generator=generator) < 0.5
        turns = torch.randint(4, (n,), generator=generator)
        offsets = torch.rand(n, 2, generator=generator) - 0.5
        if self.flips:
            images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        if self.rotations:
            images = _turn(images, turns)
        if self.shifts:
            images = _shift(images, offsets)
        return images


def _turn(images: Float[Tensor, "n c h w"], turns: torch.Tensor) -> Float[Tensor, "n c h w"]:
    if images.shape[2] != images.shape[3]:
        raise BadData(
            f"images of {images.shape[2]} x {images.shape[3]} pixels cannot be rotated by 90"
            " degrees; crop them to squares or switch rotations off"
        )
    turned = images.clone()
    for k in range(1, 4):
        chosen = turns == k
        turned[chosen] = images[chosen].rot90(k, (2, 3))
    return turned


def _shift(
    images: Float[Tensor, "n c h w"], offsets: Float[Tensor, "n 2"]
) -> Float[Tensor, "n c h w"]:
    """Shift by `offsets` (x, y) [pixel], with reflection at the edges."""
    size = torch.tensor([images.shape[3], images.shape[2]])
    theta = torch.eye(2, 3).repeat(len(images), 1, 1)
    theta[:, :, 2] = -2 * offsets / size  # grid_sample counts from -1 to 1 across the image
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
