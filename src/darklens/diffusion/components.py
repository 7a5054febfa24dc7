r"""Images as a few hundred coefficients of principal components, and the inverse.

Images of lenses are smooth: the point spread function removes all detail finer than a few pixels.
An image is therefore well described by its lowest spatial frequencies, and these by the leading
principal components of many such images. For `common-test-1`, 384 components leave out less than a
twentieth of the photon noise. A network that works on components needs no convolutions, and an
evaluation costs a hundredth of one at full resolution.

An image `x` is cosine transformed and cropped to its lowest frequencies, :math:`f = C x`. With the
mean :math:`\bar f` and the orthonormal rows of the basis `V`, its code is

.. math:: z_k = \frac{(V (f - \bar f))_k}{\kappa_k}, \qquad
    \kappa_k = \lambda_1 \left( \frac{\lambda_k}{\lambda_1} \right)^a

where :math:`\lambda_k` is the standard deviation of component `k`. With `a` between 0 and 1 weak
components stay weaker than strong ones, but less so: coarse structure emerges from the noise first,
and fine structure is not lost in it.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from darklens.errors import BadConfig

__all__ = ["ComponentSpace"]


class ComponentSpace(nn.Module):
    """The principal components of a set of images.

    Args:
        shape: Channels, rows and columns of an image.
        grid: Number of spatial frequencies kept along each axis.
        components: Number of components.
        whitening: The exponent `a`: 0 keeps the amplitudes of the components, 1 makes them equal.

    Attributes:
        mean: Mean of the frequencies, zero until `fit`.
        basis: Orthonormal rows (components, frequencies), zero until `fit`.
        scales: Divisor of each component, one until `fit`.
        spread: Root mean square of the codes, one until `fit`.
    """

    mean: Tensor
    basis: Tensor
    scales: Tensor
    spread: Tensor
    rows: Tensor
    columns: Tensor

    def __init__(
        self, shape: tuple[int, int, int], *, grid: int, components: int, whitening: float
    ) -> None:
        super().__init__()
        channels, height, width = shape
        self.channels, self.grid, self.whitening = channels, grid, whitening
        frequencies = channels * grid**2
        self.register_buffer("mean", torch.zeros(frequencies))
        self.register_buffer("basis", torch.zeros(components, frequencies))
        self.register_buffer("scales", torch.ones(components))
        self.register_buffer("spread", torch.ones(()))
        self.register_buffer("rows", _cosines(height, grid), persistent=False)
        self.register_buffer("columns", _cosines(width, grid), persistent=False)

    def frequencies(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """The lowest spatial frequencies of images."""
        return (self.rows @ images @ self.columns.T).flatten(1)

    def flipped(self, frequencies: Float[Tensor, "n f"]) -> Iterable[Float[Tensor, "n f"]]:
        """The images flipped vertically, horizontally, and both: odd cosines change sign."""
        odd = 1 - 2 * (torch.arange(self.grid) % 2)
        for vertical, horizontal in ((True, False), (False, True), (True, True)):
            signs = torch.ones(self.grid, self.grid)
            signs = signs * odd[:, None] if vertical else signs
            signs = signs * odd if horizontal else signs
            yield frequencies * signs.flatten().repeat(self.channels)

    def fit(self, frequencies: Float[Tensor, "n f"]) -> None:
        """Find the components of a set of images, given their lowest frequencies.

        Raises:
            BadConfig: If there are too few distinct images for the number of components.
        """
        components = len(self.basis)
        if len(frequencies) <= components:
            raise BadConfig(
                f"{components} components need more than {len(frequencies)} training images"
            )
        values = frequencies.double()
        mean = values.mean(0)
        centred = values - mean
        variances, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
        basis = vectors.flip(1)[:, :components].T
        spread = variances.flip(0)[:components].clamp(min=0.0).sqrt()
        if not float(spread[-1]) > 1e-6 * float(spread[0]):
            raise BadConfig(f"the training images have fewer than {components} components")
        largest = basis.gather(1, basis.abs().argmax(1, keepdim=True))
        self.mean.copy_(mean)
        self.basis.copy_(basis * largest.sign())  # the sign of eigenvectors is arbitrary
        self.scales.copy_(spread[0] * (spread / spread[0]) ** self.whitening)
        self.spread.copy_((spread / self.scales).square().mean().sqrt())

    def encode(self, frequencies: Float[Tensor, "n f"]) -> Float[Tensor, "n k"]:
        """Codes of images, given their lowest frequencies."""
        return (frequencies - self.mean) @ self.basis.T / self.scales

    def decode(self, codes: Float[Tensor, "n k"]) -> Float[Tensor, "n c h w"]:
        """Images of codes."""
        frequencies = codes * self.scales @ self.basis + self.mean
        maps = frequencies.view(len(codes), self.channels, self.grid, self.grid)
        images: Tensor = self.rows.T @ maps @ self.columns
        return images


def _cosines(size: int, count: int) -> Float[Tensor, "count size"]:
    """Orthonormal rows of the cosine transform, from the constant up."""
    places = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    waves = torch.arange(count, dtype=torch.float64)[:, None]
    rows = torch.cos(torch.pi * waves * places) * (2 / size) ** 0.5
    rows[0] /= 2**0.5
    cosines: Tensor = rows.float()
    return cosines
