"""Preprocessing steps: small frozen objects that act on batches.

A step maps float32 images (N, C, H, W) to float32 images, each image independently. It may change
the size and the number of channels. Steps can be pickled, so that worker processes can be started
by any method.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32
from pydantic import Field

from darklens.cutouts import central_cutout
from darklens.errors import BadData

__all__ = [
    "STEPS",
    "Affine",
    "Asinh",
    "CenterCrop",
    "ExplainingStep",
    "Images",
    "Log",
    "MinMax",
    "Panel",
    "Resize",
    "Sqrt",
    "Standardise",
    "Step",
]

Images = Float32[np.ndarray, "_ _ _ _"]
Step = Callable[[Images], Images]

_LARGEST_NUMBER = 1e12  # well within the range of single precision

Size = Annotated[int, Field(ge=1, le=4096)]
Number = Annotated[float, Field(ge=-_LARGEST_NUMBER, le=_LARGEST_NUMBER)]
Positive = Annotated[float, Field(gt=0, le=_LARGEST_NUMBER)]


@dataclass(frozen=True)
class Panel:
    """An image that illustrates the result of a step.

    Attributes:
        title: Title with the unit.
        values: The pixels.
        limit: Draw in a diverging colour map from minus to plus this value; None for intensities.
    """

    title: str
    values: Float[np.ndarray, "h w"]
    limit: float | None = None


@runtime_checkable
class ExplainingStep(Protocol):
    """A step that reports on each image, for example how well a fit went."""

    def explain(self, images: Images) -> tuple[Images, dict[str, list[Any]]]:
        """The images after the step, and columns of a table by name."""

    def illustrate(self, images: Images) -> tuple[Images, dict[str, list[Any]], list[list[Panel]]]:
        """The same, with panels that illustrate each image."""


@dataclass(frozen=True)
class CenterCrop:
    """Crop to the central `size` x `size` pixels; smaller images are an error and never padded."""

    size: Size

    def __call__(self, images: Images) -> Images:
        height, width = images.shape[2:]
        size = self.size
        if min(height, width) < size:
            raise BadData(
                f"images of {height} x {width} pixels are too small for the crop to {size} x {size}"
            )
        return central_cutout(images, size)


@dataclass(frozen=True)
class Resize:
    """Antialiased bilinear resampling of square images to `size` x `size` pixels."""

    size: Size

    def __call__(self, images: Images) -> Images:
        from torch import from_numpy
        from torch.nn.functional import interpolate

        height, width = images.shape[2:]
        if height != width:
            raise BadData(f"images of {height} x {width} pixels are not square; crop them first")
        pixels = from_numpy(np.ascontiguousarray(images))
        size = (self.size, self.size)
        resized = interpolate(pixels, size=size, mode="bilinear", antialias=True)
        return np.asarray(resized.numpy())


@dataclass(frozen=True)
class MinMax:
    """Scale each image to [0, 1] over all channels; a constant image becomes 0.

    NaN pixels stay NaN and do not affect the others.
    """

    def __call__(self, images: Images) -> Images:
        low: Images = np.fmin.reduce(images, axis=(1, 2, 3), keepdims=True)
        span = np.fmax.reduce(images, axis=(1, 2, 3), keepdims=True) - low
        scaled: Images = (images - low) / np.where(span > 0, span, np.float32(1))
        return scaled


@dataclass(frozen=True)
class Standardise:
    """Scale each image to mean 0 and variance 1 over all channels; a constant image becomes 0."""

    def __call__(self, images: Images) -> Images:
        centred: Images = images - images.mean(axis=(1, 2, 3), keepdims=True)
        spread = centred.std(axis=(1, 2, 3), keepdims=True)
        scaled: Images = centred / np.where(spread > 0, spread, np.float32(1))
        return scaled


@dataclass(frozen=True)
class Asinh:
    """Inverse hyperbolic sine of scale * x: linear for faint and logarithmic for bright pixels."""

    scale: Positive

    def __call__(self, images: Images) -> Images:
        return np.asarray(np.arcsinh(images * np.float32(self.scale)))


@dataclass(frozen=True)
class Log:
    """Logarithm of offset + max(0, x)."""

    offset: Positive

    def __call__(self, images: Images) -> Images:
        return np.asarray(np.log(np.maximum(images, 0) + np.float32(self.offset)))


@dataclass(frozen=True)
class Sqrt:
    """Square root of max(0, scale * x), which makes the variance of photon noise uniform."""

    scale: Positive

    def __call__(self, images: Images) -> Images:
        return np.asarray(np.sqrt(np.maximum(images * np.float32(self.scale), 0)))


@dataclass(frozen=True)
class Affine:
    """Linear map scale * x + shift."""

    scale: Number
    shift: Number

    def __call__(self, images: Images) -> Images:
        return np.asarray(images * np.float32(self.scale) + np.float32(self.shift))


STEPS: Mapping[str, Callable[..., Step]] = MappingProxyType(
    {
        "affine": Affine,
        "asinh": Asinh,
        "center_crop": CenterCrop,
        "log": Log,
        "min_max": MinMax,
        "resize": Resize,
        "sqrt": Sqrt,
        "standardise": Standardise,
    }
)
"""Steps by their names in cards and recipes."""
