"""Architectures of timm as backbones: their kind of features and their input sizes.

The output of an architecture may be a map (n, c, h, w), a map with the channels last, tokens, or a
vector after further layers, and some architectures are built for one image size. None of this is
declared reliably, so each is run on an empty image when it is built.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn

from darklens.errors import BadModel

__all__ = ["Backbone", "create_backbone"]

_OPTIONS = frozenset(
    {"act_layer", "drop_path_rate", "norm_layer", "output_stride", "stem_type", "stem_width"}
)
_TRIED = 128  # pixels, where nothing says how large the images will be
_MULTIPLE = 32  # sizes that suit most architectures are multiples of it


@dataclass(frozen=True)
class Backbone:
    """A backbone with initial weights, and its kind of output.

    Attributes:
        network: The network; its output is (n, width) if pooled, else (n, width, h, w).
        width: Number of features.
        pooled: Whether it pools its features itself.
        fixed: Whether its weights are for one image size.
    """

    network: nn.Module
    width: int
    pooled: bool
    fixed: bool


def create_backbone(
    name: str, in_channels: int, options: Mapping[str, Any], *, size: int, pooled: bool
) -> Backbone:
    """Build an architecture of timm; names and options that would load files are refused.

    Args:
        name: Name of the architecture.
        in_channels: Channels of the images.
        options: Settings of the architecture.
        size: Height and width of the images; 0 if unknown.
        pooled: Whether the architecture may pool its features itself.

    Raises:
        BadModel: If there is no such architecture, or it cannot be built for these images.
    """
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        known = ", ".join(sorted(_OPTIONS))
        raise BadModel(f"a backbone has no option '{unknown[0]}'; choose from {known}")
    if not timm.is_model(name):
        raise BadModel(f"timm has no architecture '{name}'")
    build = _Builder(name, in_channels, dict(options))
    try:
        backbone = build.backbone(size, pooled=pooled)
    except Exception as error:  # architectures fail in all ways at sizes they do not take
        raise BadModel(build.refusal(size, error, pooled=pooled)) from error
    return backbone


@dataclass(frozen=True)
class _Builder:
    name: str
    in_channels: int
    options: dict[str, Any]

    def backbone(self, size: int, *, pooled: bool) -> Backbone:
        """The architecture with a map of its own width as output if it has one, else a vector."""
        try:
            found = self._map(size)
        except Exception:  # some architectures cannot do without their pooling
            if not pooled:
                raise
            found = None
        if found is not None:
            return found
        if not pooled:
            raise ValueError("its features are no map, and only pool: avg suits it")
        network, fixed = self._network(size)
        features = self._tried(network, size)
        if features is None or features.ndim != 2:
            raise ValueError("it gives no pooled features")
        return Backbone(network, features.shape[1], pooled=True, fixed=fixed)

    def _map(self, size: int) -> Backbone | None:
        """The architecture without pooling, if it gives a map of its own width."""
        network, fixed = self._network(size, global_pool="")
        features = self._tried(network, size)
        width = int(getattr(network, "num_features", 0))
        if features is None or features.ndim != 4 or features.shape[1] != width:
            return None
        return Backbone(network, width, pooled=False, fixed=fixed)

    def refusal(self, size: int, error: Exception, *, pooled: bool) -> str:
        """One line that says what is wrong, and at which sizes the architecture works."""
        reason = (" ".join(str(error).split()) or type(error).__name__)[:120]
        if not size:
            return f"the backbone '{self.name}' cannot be built: {reason}"
        lower = size // _MULTIPLE * _MULTIPLE
        sizes = dict.fromkeys([lower, lower + _MULTIPLE, self._own_size])
        working = [other for other in sizes if other != size and self._works(other, pooled)]
        words = f"the backbone '{self.name}' does not take {size} x {size} pixels ({reason})"
        if not working:
            return words
        step = "center_crop" if working[0] < size else "resize"
        return (
            f"{words}; it takes {' or '.join(map(str, working))}: add the preprocessing step "
            f"{{{step}: {{size: {working[0]}}}}}"
        )

    def _works(self, size: int, pooled: bool) -> bool:
        try:
            self.backbone(size, pooled=pooled)
        except Exception:  # noqa: BLE001  any failure means that it does not work
            return False
        return True

    def _network(self, size: int, **pooling: str) -> tuple[nn.Module, bool]:
        """The architecture, built for this image size if it needs one."""
        settings = {"in_chans": self.in_channels, "num_classes": 0, **pooling, **self.options}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # timm's own words to those who build networks
            if size:
                try:
                    return timm.create_model(self.name, img_size=size, **settings), True
                except TypeError as error:
                    if "img_size" not in str(error):
                        raise
            network: nn.Module = timm.create_model(self.name, **settings)
        return network, bool(size and self._is_fixed)

    def _tried(self, network: nn.Module, size: int) -> Float[Tensor, "1 ..."] | None:
        """Output of the network for an empty image; None if that is not a single array."""
        side = size or (self._own_size if self._is_fixed else _TRIED)
        training = network.training
        with torch.inference_mode():
            features = network.eval()(torch.zeros(1, self.in_channels, side, side))
        network.train(training)
        return features if isinstance(features, Tensor) else None

    @property
    def _is_fixed(self) -> bool:
        return bool(getattr(self._declared, "fixed_input_size", False))

    @property
    def _own_size(self) -> int:
        return int(self._declared.input_size[-1]) if self._declared else 224

    @property
    def _declared(self) -> Any:
        return timm.models.get_pretrained_cfg(self.name)
