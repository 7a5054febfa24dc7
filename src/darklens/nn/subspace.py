r"""What a linear model of smooth lenses cannot explain, as a second image for the network.

Images of smooth lenses of one population lie close to a low-dimensional linear space: its basis
`V` (components, pixels) are the leading singular vectors of many such images, found before the
training. For an image `x` the smooth part is :math:`m = V^T V x`, and the residual in units of its
noise is

.. math:: z = \frac{x - m}{\sqrt{g \max(m, 0) + b}}

with the variance `g` that a unit of signal brings (1 for photon counts) and the variance `b` of
the background, read off the residual where the smooth part is faintest. Substructure moves light
by less than a pixel: in the image it is hidden under the arcs, in `z` it stands out.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["SmoothSubspace"]

_FAINT = 0.3
_CLIP = 8.0
_SEED = 0


class SmoothSubspace(nn.Module):
    """A linear space of smooth images, and the residual of any image against it.

    Args:
        pixels: Number of pixels of an image, over all channels.
        components: Dimensions of the space.
        gain: Variance that a unit of signal brings.

    Attributes:
        basis: Orthonormal rows (components, pixels), part of the weights; zero until `fit`.
    """

    basis: Tensor

    def __init__(self, pixels: int, components: int, gain: float) -> None:
        super().__init__()
        self.gain = gain
        self.register_buffer("basis", torch.zeros(components, pixels))

    def fit(self, images: Float[Tensor, "n c h w"]) -> None:
        """Find the space from images of smooth lenses, by a randomised singular-value search."""
        components = len(self.basis)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            _, _, vectors = torch.svd_lowrank(images.flatten(1), q=components + 8, niter=3)
        self.basis.copy_(vectors[:, :components].T)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The residual in units of noise, limited to plus and minus 8."""
        flat = images.flatten(1)
        smooth = (flat @ self.basis.T) @ self.basis
        residual = flat - smooth
        signal = smooth.clamp(min=0.0)
        count = max(1, int(_FAINT * flat.shape[1]))
        faint_values = signal.topk(count, dim=1, largest=False, sorted=False).values
        faintest = faint_values.amax(dim=1, keepdim=True)  # kthvalue, which ONNX does not have
        faint = (signal <= faintest).to(flat.dtype)
        background = (residual.square() * faint).sum(1, keepdim=True) / faint.sum(1, keepdim=True)
        noise = torch.sqrt(self.gain * signal + background + 1e-12)
        return (residual / noise).clamp(-_CLIP, _CLIP).view_as(images)
