"""The steps of a declared preprocessing: factories that give functions on batches.

A step maps float32 images (N, C, H, W) to float32 images, each by itself: what it makes of one
image does not depend on the others. It may change the size and the number of channels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32

from darklens.errors import BadData, BadModel

__all__ = [
    "STEPS",
    "ExplainingStep",
    "Images",
    "Panel",
    "Step",
    "affine",
    "asinh",
    "center_crop",
    "log",
    "min_max",
    "resize",
    "sqrt",
    "standardise",
]

Images = Float32[np.ndarray, "_ _ _ _"]
Step = Callable[[Images], Images]


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


def center_crop(size: int) -> Step:
    """The central `size` x `size` pixels; smaller images are an error, never padded."""
    _positive("center_crop", "size", size)

    def crop(images: Images) -> Images:
        height, width = images.shape[2:]
        if min(height, width) < size:
            raise BadData(
                f"images of {height} x {width} pixels are too small for the crop to {size} x {size}"
            )
        top, left = (height - size) // 2, (width - size) // 2
        return images[:, :, top : top + size, left : left + size]

    return crop


def resize(size: int) -> Step:
    """Antialiased bilinear resampling of square images to `size` x `size` pixels."""
    _positive("resize", "size", size)

    def resample(images: Images) -> Images:
        from torch import from_numpy
        from torch.nn.functional import interpolate

        height, width = images.shape[2:]
        if height != width:
            raise BadData(f"images of {height} x {width} pixels are not square; crop them first")
        pixels = from_numpy(np.ascontiguousarray(images))
        resized = interpolate(pixels, size=(size, size), mode="bilinear", antialias=True)
        return np.asarray(resized.numpy())

    return resample


def min_max() -> Step:
    """Each image, all channels together, from 0 to 1; a constant one becomes 0."""

    def scale(images: Images) -> Images:
        low: Images = images.min(axis=(1, 2, 3), keepdims=True)
        span = images.max(axis=(1, 2, 3), keepdims=True) - low
        scaled: Images = (images - low) / np.where(span > 0, span, np.float32(1))
        return scaled

    return scale


def standardise() -> Step:
    """Each image, all channels together, to mean 0 and variance 1; a constant one becomes 0."""

    def scale(images: Images) -> Images:
        centred: Images = images - images.mean(axis=(1, 2, 3), keepdims=True)
        spread = centred.std(axis=(1, 2, 3), keepdims=True)
        scaled: Images = centred / np.where(spread > 0, spread, np.float32(1))
        return scaled

    return scale


def asinh(scale: float) -> Step:
    """Inverse hyperbolic sine of scale * x: linear for faint, logarithmic for bright pixels."""
    _positive("asinh", "scale", scale)
    return lambda images: np.arcsinh(images * np.float32(scale))


def log(offset: float) -> Step:
    """Logarithm of offset + max(0, x)."""
    _positive("log", "offset", offset)
    return lambda images: np.log(np.maximum(images, 0) + np.float32(offset))


def sqrt(scale: float) -> Step:
    """Square root of max(0, scale * x): makes the noise of photon counts uniform."""
    _positive("sqrt", "scale", scale)
    return lambda images: np.sqrt(np.maximum(images * np.float32(scale), 0))


def affine(scale: float, shift: float) -> Step:
    """Linear map to scale * x + shift."""
    return lambda images: images * np.float32(scale) + np.float32(shift)


def _positive(step: str, name: str, value: float) -> None:
    if value <= 0:
        raise BadModel(f"preprocessing step {step}: {name} must be positive, not {value}")


STEPS: Mapping[str, Callable[..., Step]] = MappingProxyType(
    {
        "affine": affine,
        "asinh": asinh,
        "center_crop": center_crop,
        "log": log,
        "min_max": min_max,
        "resize": resize,
        "sqrt": sqrt,
        "standardise": standardise,
    }
)
"""Factories by the names that cards and recipes use."""
