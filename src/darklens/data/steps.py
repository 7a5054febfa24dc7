"""The steps of a declared preprocessing: small frozen objects that are functions on batches.

A step maps float32 images (N, C, H, W) to float32 images, each by itself: what it makes of one
image does not depend on the others. It may change the size and the number of channels. Steps can
be pickled, so that worker processes get them however these are started.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32

from darklens.errors import BadData, BadModel

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

_LARGEST_SIZE = 4096  # pixels on a side
_LARGEST_NUMBER = 1e12  # far from what single precision cannot hold


@dataclass(frozen=True)
class Panel:
    """A picture that explains what a step makes of an image.

    Attributes:
        title: What it shows, with its unit.
        values: The pixels.
        limit: Values from minus to plus this limit are drawn in two colours; None for light.
    """

    title: str
    values: Float[np.ndarray, "h w"]
    limit: float | None = None


@runtime_checkable
class ExplainingStep(Protocol):
    """A step that can say and show something of each image, such as how a fit went."""

    def explain(self, images: Images) -> tuple[Images, dict[str, list[Any]]]:
        """What the step makes of the images, and columns of a table by name."""

    def panels(self, image: Float32[np.ndarray, "c h w"]) -> list[Panel]:
        """Pictures that explain what the step makes of one image."""


@dataclass(frozen=True)
class CenterCrop:
    """The central `size` x `size` pixels; smaller images are an error, never padded."""

    size: int

    def __post_init__(self) -> None:
        """Refuse sizes that no image has."""
        _check_size("center_crop", self.size)

    def __call__(self, images: Images) -> Images:
        height, width = images.shape[2:]
        size = self.size
        if min(height, width) < size:
            raise BadData(
                f"images of {height} x {width} pixels are too small for the crop to {size} x {size}"
            )
        top, left = (height - size) // 2, (width - size) // 2
        return images[:, :, top : top + size, left : left + size]


@dataclass(frozen=True)
class Resize:
    """Antialiased bilinear resampling of square images to `size` x `size` pixels."""

    size: int

    def __post_init__(self) -> None:
        """Refuse sizes that no image has."""
        _check_size("resize", self.size)

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
    """Each image, all channels together, from 0 to 1; a constant one becomes 0.

    Pixels that are NaN stay so and change nothing for the others.
    """

    def __call__(self, images: Images) -> Images:
        low: Images = np.fmin.reduce(images, axis=(1, 2, 3), keepdims=True)
        span = np.fmax.reduce(images, axis=(1, 2, 3), keepdims=True) - low
        scaled: Images = (images - low) / np.where(span > 0, span, np.float32(1))
        return scaled


@dataclass(frozen=True)
class Standardise:
    """Each image, all channels together, to mean 0 and variance 1; a constant one becomes 0."""

    def __call__(self, images: Images) -> Images:
        centred: Images = images - images.mean(axis=(1, 2, 3), keepdims=True)
        spread = centred.std(axis=(1, 2, 3), keepdims=True)
        scaled: Images = centred / np.where(spread > 0, spread, np.float32(1))
        return scaled


@dataclass(frozen=True)
class Asinh:
    """Inverse hyperbolic sine of scale * x: linear for faint, logarithmic for bright pixels."""

    scale: float

    def __post_init__(self) -> None:
        """Refuse scales that are not positive."""
        _check_positive("asinh", "scale", self.scale)

    def __call__(self, images: Images) -> Images:
        return np.asarray(np.arcsinh(images * np.float32(self.scale)))


@dataclass(frozen=True)
class Log:
    """Logarithm of offset + max(0, x)."""

    offset: float

    def __post_init__(self) -> None:
        """Refuse offsets that are not positive."""
        _check_positive("log", "offset", self.offset)

    def __call__(self, images: Images) -> Images:
        return np.asarray(np.log(np.maximum(images, 0) + np.float32(self.offset)))


@dataclass(frozen=True)
class Sqrt:
    """Square root of max(0, scale * x): makes the noise of photon counts uniform."""

    scale: float

    def __post_init__(self) -> None:
        """Refuse scales that are not positive."""
        _check_positive("sqrt", "scale", self.scale)

    def __call__(self, images: Images) -> Images:
        return np.asarray(np.sqrt(np.maximum(images * np.float32(self.scale), 0)))


@dataclass(frozen=True)
class Affine:
    """Linear map to scale * x + shift."""

    scale: float
    shift: float

    def __post_init__(self) -> None:
        """Refuse numbers that single precision cannot work with."""
        _check_number("affine", "scale", self.scale)
        _check_number("affine", "shift", self.shift)

    def __call__(self, images: Images) -> Images:
        return np.asarray(images * np.float32(self.scale) + np.float32(self.shift))


def _check_size(step: str, size: int) -> None:
    if size <= 0:
        raise BadModel(f"preprocessing step {step}: size must be positive, not {size}")
    if size > _LARGEST_SIZE:
        raise BadModel(f"preprocessing step {step}: size must be at most {_LARGEST_SIZE} pixels")


def _check_positive(step: str, name: str, value: float) -> None:
    _check_number(step, name, value)
    if value <= 0:
        raise BadModel(f"preprocessing step {step}: {name} must be positive, not {value}")


def _check_number(step: str, name: str, value: float) -> None:
    """Refuse NaN and numbers out of bounds; whole numbers from files may have any length."""
    is_nan = isinstance(value, float) and math.isnan(value)
    if is_nan or not -_LARGEST_NUMBER <= value <= _LARGEST_NUMBER:
        raise BadModel(f"preprocessing step {step}: {name} must lie within {_LARGEST_NUMBER:g}")


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
"""Steps by the names that cards and recipes use."""
