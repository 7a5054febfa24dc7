r"""The residual of a linear model of smooth lenses, as a second image for the network.

Images of smooth lenses from one population lie close to a low-dimensional linear subspace. Its
basis `V` (components, pixels) consists of the leading singular vectors of many such images, found
before training. For an image `x` the smooth part is :math:`m = V^T V x`, and the residual in units
of the noise is

.. math:: z = \frac{x - m}{\sqrt{g \max(m, 0) + b}}

where `g` is the variance per unit of signal (1 for photon counts) and `b` the variance of the
background, measured from the residual where the smooth part is faintest. Substructure shifts the
arcs by less than a pixel: this is hidden in the image but stands out in `z`.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["SmoothSubspace"]

_FAINT = 0.3
_CLIP = 8.0
_SEED = 0


class SmoothSubspace(nn.Module):
    """A linear subspace of smooth images, and the residual of any image from it.

    Args:
        pixels: Number of pixels of an image, over all channels.
        components: Dimension of the subspace.
        gain: Variance per unit of signal.

    Attributes:
        basis: Orthonormal rows (components, pixels), stored with the weights; zero until `fit`.
    """

    basis: Tensor

    def __init__(self, pixels: int, components: int, gain: float) -> None:
        super().__init__()
        self.gain = gain
        self.register_buffer("basis", torch.zeros(components, pixels))

    def fit(self, images: Float[Tensor, "n c h w"]) -> None:
        """Find the subspace by randomised singular-value decomposition of smooth images."""
        components = len(self.basis)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            _, _, vectors = torch.svd_lowrank(images.flatten(1), q=components + 8, niter=3)
        self.basis.copy_(vectors[:, :components].T)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The residual in units of the noise, clipped at plus and minus 8."""
        flat = images.flatten(1)
        smooth = (flat @ self.basis.T) @ self.basis
        residual = flat - smooth
        signal = smooth.clamp(min=0.0)
        count = max(1, int(_FAINT * flat.shape[1]))
        faint_values = signal.topk(count, dim=1, largest=False, sorted=False).values
        faintest = faint_values.amax(dim=1, keepdim=True)  # kthvalue, missing in ONNX
        faint = (signal <= faintest).to(flat.dtype)
        background = (residual.square() * faint).sum(1, keepdim=True) / faint.sum(1, keepdim=True)
        noise = torch.sqrt(self.gain * signal + background + 1e-12)
        return (residual / noise).clamp(-_CLIP, _CLIP).view_as(images)
