r"""The community's protocols for the Inception FID, by name, so that figures can be compared.

An FID depends on more than the images: on their number, on how they are resized and rounded, and on
how a grey image becomes a coloured one. A protocol fixes all of it:

1. the first `images` images of each side, generated and real;
2. values from 0 to 1; brighter and darker ones are clipped;
3. resized to `side` x `side` pixels, if the protocol states a size, with antialiasing;
4. rounded to 8 bits, as in the picture files from which an FID is usually computed;
5. copied into three equal channels;
6. resized to 299 x 299 pixels: *inside* the network, bilinearly as TensorFlow 1 does, without
   antialiasing, as `torch-fidelity` and the original FID do; or *clean*, bicubically with
   antialiasing and without rounding to 8 bits again, as `clean-fid` does;
7. :math:`(x - 128) / 128`, and the 2,048 features of Inception in front of the last layer;
8. the Fréchet distance, with unbiased covariances.

The network and its weights are those of torch-fidelity throughout. clean-fid takes the same
TensorFlow network in another conversion (TorchScript), which is not used here.

References:
    Heusel et al. 2017, arXiv:1706.08500; Parmar, Zhang & Zhu 2022, arXiv:2104.11222; Obukhov et al.
    2020, torch-fidelity, doi:10.5281/zenodo.4957738.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Real, UInt8
from PIL import Image

from darklens.errors import BadData, BadInput
from darklens.evaluate.generator.features import Features
from darklens.evaluate.generator.inception import INCEPTION_PIXELS, Inception, eight_bits

__all__ = ["INCEPTION_PROTOCOLS", "InceptionProtocol", "check_counts", "named_protocols"]

Resizing = Literal["inside", "clean"]
Filter = Literal["bilinear", "bicubic"]

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class InceptionProtocol:
    """How an Inception FID is measured.

    Attributes:
        name: Name of the protocol.
        images: Number of images on each side.
        side: Side to which images are resized first [pixel]; None to keep their size.
        filter: Filter of this first resizing.
        resizing: How images are resized to 299 x 299 pixels: `inside` the network or `clean`.
        published: The published figure to compare with; None if there is none.
        source: What the published figure is of.
    """

    name: str
    images: int
    side: int | None = None
    filter: Filter = "bilinear"
    resizing: Resizing = "inside"
    published: float | None = None
    source: str = ""

    def steps(self) -> str:
        """The protocol in words.

        >>> INCEPTION_PROTOCOLS["fid-10000"].steps()
        '10,000 images on each side, 8 bits, three equal channels, resized as TensorFlow 1 does'
        """
        first = (
            [] if self.side is None else [f"resized to {self.side} x {self.side} ({self.filter})"]
        )
        last = {"inside": "resized as TensorFlow 1 does", "clean": "resized as clean-fid does"}
        words = [f"{self.images:,} images on each side", *first, "8 bits", "three equal channels"]
        return ", ".join([*words, last[self.resizing]])

    def pictures(self, images: Float[np.ndarray, "n h w"]) -> UInt8[np.ndarray, "n _ _"]:
        """The 8-bit grey pictures that are compared (steps 2 to 4).

        Args:
            images: Images with values in [0, 1].
        """
        clipped = np.clip(images, 0, 1)
        if self.side is not None:
            clipped = _resized(clipped, self.side, self.filter)
        return eight_bits(clipped)

    def features(self, network: Inception) -> Features:
        """A function from images with values in [0, 1] to features (steps 2 to 7).

        Args:
            network: The network.
        """

        def measure(images: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, "n 2048"]:
            pictures = self.pictures(images)
            if self.resizing == "inside":
                return network.resized_inside(pictures)
            return network.not_resized(clean_resized(pictures))

        return measure


def clean_resized(pictures: UInt8[np.ndarray, "n h w"]) -> Float32[np.ndarray, "n 299 299"]:
    """Pictures resized to 299 x 299 pixels as clean-fid does.

    Bicubic, antialiased and in floating point; values that overshoot are clipped to [0, 255].

    Args:
        pictures: 8-bit pictures of any size.
    """
    return np.asarray(_resized(pictures, INCEPTION_PIXELS, "bicubic").clip(0, 255))


def _resized(
    images: Real[np.ndarray, "n h w"], side: int, kind: Filter
) -> Float32[np.ndarray, "n s s"]:
    """Images resized by Pillow in floating point, whose filters are antialiased."""
    resized = np.empty((len(images), side, side), np.float32)
    for image, row in zip(images.astype(np.float32), resized, strict=True):
        row[:] = np.asarray(Image.fromarray(image).resize((side, side), _FILTERS[kind]))
    return resized


INCEPTION_PROTOCOLS: Mapping[str, InceptionProtocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            InceptionProtocol(
                "fid-3040",
                images=3040,
                side=144,
                published=6.01,
                source=(
                    "denoising diffusion model of 10,000 DeepLense images at 144 x 144 pixels, "
                    "sampled in 1,000 steps (the network of recipes/generator-reference.yaml)"
                ),
            ),
            InceptionProtocol(
                "clean-fid-1000-64",
                images=1000,
                side=64,
                filter="bicubic",
                resizing="clean",
                published=2.20,
                source="best published clean-fid of 1,000 DeepLense images at 64 x 64 pixels",
            ),
            InceptionProtocol("fid-10000", images=10_000),
        )
    }
)
"""The protocols by name. The published figures come without the filter of the first resizing and
without the rounding of values; these are choices of the protocol."""


def named_protocols(names: str | None) -> tuple[InceptionProtocol, ...]:
    """Protocols from their comma-separated names, each once.

    >>> [protocol.images for protocol in named_protocols("fid-3040, fid-10000")]
    [3040, 10000]

    Raises:
        BadInput: If there is no protocol of a name, or no name.
    """
    if names is None:
        return ()
    wanted = list(dict.fromkeys(word.strip() for word in names.split(",")))
    for name in wanted:
        if name not in INCEPTION_PROTOCOLS:
            raise BadInput(
                f"--inception-protocol: there is no protocol '{name}', but "
                f"{', '.join(INCEPTION_PROTOCOLS)}"
            )
    return tuple(INCEPTION_PROTOCOLS[name] for name in wanted)


def check_counts(protocols: Sequence[InceptionProtocol], *, real: int, generated: int) -> None:
    """Refuse sets that have fewer images than a protocol needs.

    Args:
        protocols: The protocols.
        real: Number of real images.
        generated: Number of generated images.

    Raises:
        BadData: If there are too few on either side.
    """
    for protocol in protocols:
        if min(real, generated) < protocol.images:
            raise BadData(
                f"--inception-protocol {protocol.name} needs {protocol.images:,} images on each "
                f"side, but there are {real:,} real and {generated:,} generated ones"
            )
