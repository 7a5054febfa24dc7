"""A classifier as one ONNX graph: preprocessing, network, temperature and softmax.

Preprocessing steps that are formulas become part of the graph. The fit of a smooth lens cannot: the
graph then starts after it, and the caller has to provide its output. The graph is checked against
the network with ONNX Runtime before it is released.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn.functional import interpolate

from darklens.classify import Classifier
from darklens.data import build_preprocessing
from darklens.errors import BadConfig, BadModel
from darklens.hub.card import ModelCard

__all__ = ["AGREEMENT", "OnnxGraph", "write_onnx"]

AGREEMENT = 1e-4
"""Largest difference of a probability between the graph and the network."""

_BATCHES = (1, 3, 16)
_OPSET = 18


@dataclass(frozen=True)
class OnnxGraph:
    """What a graph contains, and what is left to the caller.

    Attributes:
        shape: Channels, rows and columns of its input.
        inside: Preprocessing steps in the graph, in order.
        outside: Preprocessing steps before the graph.
        difference: Largest difference found between its probabilities and the network's.
    """

    shape: tuple[int, int, int]
    inside: tuple[Mapping[str, Any], ...]
    outside: tuple[Mapping[str, Any], ...]
    difference: float


def write_onnx(classifier: Classifier, card: ModelCard, path: Path) -> OnnxGraph:
    """Write a classifier as an ONNX graph for batches of any size.

    Its input `images` is float32 (n, c, h, w); its outputs are `probabilities` (n, classes), which
    are calibrated, and `logits`, which are not.

    Args:
        classifier: The model.
        card: Its card.
        path: File to write.

    Raises:
        BadConfig: If the packages of the extra `onnx` are missing.
        BadModel: If the network cannot be exported, or the probabilities of the graph differ.
    """
    outside, inside = _divided(card.preprocessing)
    shape = _input_shape(card, outside)
    graph = _Graph(classifier, inside, shape).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # meant for the exporter's developers
        _export(graph, shape, path, card.name)
        difference = _largest_difference(classifier, inside, shape, path)
    if not difference <= AGREEMENT:
        raise BadModel(
            f"the ONNX graph of '{card.name}' differs from the network by {difference:.2g} in a "
            "probability and was not written"
        )
    return OnnxGraph(shape, tuple(inside), tuple(outside), difference)


Steps = Sequence[Mapping[str, Any]]


def _divided(spec: Steps) -> tuple[Steps, Steps]:
    """Split into steps before and in the graph, after the last that is not a formula."""
    first = max(
        (i + 1 for i, item in enumerate(spec) if next(iter(item)) not in _FORMULAS), default=0
    )
    return spec[:first], spec[first:]


def _input_shape(card: ModelCard, outside: Steps) -> tuple[int, int, int]:
    if not outside:
        return (card.input.channels, card.input.height, card.input.width)
    name, given = next(iter(outside[-1].items()))
    if name not in ("smooth_residual", "marginalised_residual"):
        raise BadModel(f"the preprocessing step '{name}' of '{card.name}' cannot be exported")
    side = given["size"] // given["binning"]
    return (card.channels, side, side)


class _Graph(nn.Module):
    """Preprocessing, network, temperature and softmax."""

    def __init__(self, classifier: Classifier, inside: Steps, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.network = classifier.network
        self.temperature = classifier.temperature
        self.steps: list[Callable[[Tensor], Tensor]] = []
        image = torch.zeros(1, *shape)
        for item in inside:
            name, given = next(iter(item.items()))
            step = _FORMULAS[name](tuple(image.shape[1:]), **(given or {}))
            self.steps.append(step)
            image = step(image)

    def forward(self, images: Float[Tensor, "n c h w"]) -> tuple[Tensor, Tensor]:
        for step in self.steps:
            images = step(images)
        logits = self.network(images)
        return (logits / self.temperature).softmax(dim=1), logits


def _export(graph: _Graph, shape: tuple[int, int, int], path: Path, name: str) -> None:
    try:
        import onnx  # noqa: F401  the exporter's own requirements
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise BadConfig(
            f"--onnx needs the package {error.name}: pip install 'darklens[onnx]'"
        ) from error
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # a fused operator that ONNX does not have
    try:
        torch.onnx.export(
            graph,
            (torch.rand(2, *shape),),
            path,
            input_names=["images"],
            output_names=["probabilities", "logits"],
            dynamic_shapes={"images": {0: torch.export.Dim("n")}},
            opset_version=_OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    except Exception as error:  # the exporter raises many kinds of errors
        reason = " ".join(str(error).split())[:200]
        raise BadModel(f"the network of '{name}' cannot be exported to ONNX: {reason}") from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _largest_difference(
    classifier: Classifier, inside: Steps, shape: tuple[int, int, int], path: Path
) -> float:
    """Largest difference of a probability between graph and network, on random images."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.log_severity_level = 3
    session = InferenceSession(path, options, providers=["CPUExecutionProvider"])
    behind = Classifier(
        classifier.network,
        classifier.classes,
        build_preprocessing(list(inside)),
        classifier.temperature,
    )
    rng = np.random.default_rng(0)
    largest = 0.0
    for count in _BATCHES:
        for noise in (rng.poisson(50, (count, *shape)), rng.standard_normal((count, *shape))):
            images: Float32[np.ndarray, "n c h w"] = noise.astype(np.float32)
            (made,) = session.run(["probabilities"], {"images": images})
            largest = max(largest, float(abs(made - behind.probabilities(images)).max()))
    return largest


Formula = Callable[[Tensor], Tensor]
Shape = tuple[int, ...]


def _affine(_: Shape, scale: float, shift: float) -> Formula:
    return lambda images: images * scale + shift


def _asinh(_: Shape, scale: float) -> Formula:
    return lambda images: torch.asinh(images * scale)


def _center_crop(shape: Shape, size: int) -> Formula:
    top, left = ((side - size) // 2 for side in shape[1:])
    return lambda images: images[:, :, top : top + size, left : left + size]


def _log(_: Shape, offset: float) -> Formula:
    return lambda images: torch.log(images.clamp(min=0.0) + offset)


def _min_max(_: Shape) -> Formula:
    def scaled(images: Tensor) -> Tensor:
        low = images.amin(dim=(1, 2, 3), keepdim=True)
        span = images.amax(dim=(1, 2, 3), keepdim=True) - low
        return (images - low) / torch.where(span > 0, span, torch.ones_like(span))

    return scaled


def _resize(shape: Shape, size: int) -> Formula:
    """Resample by a matrix along each axis: antialiased resampling is linear and separable."""
    unit = torch.eye(shape[1])[None, None]
    weights = interpolate(unit, size=(size, shape[1]), mode="bilinear", antialias=True)[0, 0]
    return lambda images: weights @ images @ weights.T


def _sqrt(_: Shape, scale: float) -> Formula:
    return lambda images: torch.sqrt((images * scale).clamp(min=0.0))


def _standardise(_: Shape) -> Formula:
    def scaled(images: Tensor) -> Tensor:
        centred = images - images.mean(dim=(1, 2, 3), keepdim=True)
        spread = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        return centred / torch.where(spread > 0, spread, torch.ones_like(spread))

    return scaled


_FORMULAS: Mapping[str, Callable[..., Formula]] = MappingProxyType(
    {
        "affine": _affine,
        "asinh": _asinh,
        "center_crop": _center_crop,
        "log": _log,
        "min_max": _min_max,
        "resize": _resize,
        "sqrt": _sqrt,
        "standardise": _standardise,
    }
)
"""The steps of `darklens.data.steps` as functions of tensors, by name."""
