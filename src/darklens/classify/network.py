"""How classifier networks are chosen: `build_network` makes one from its name and settings."""

from collections.abc import Callable, Mapping
from typing import Any

from darklens.classify.backbone import BackboneConfig, BackboneNetwork
from darklens.classify.base import ClassifierNetwork
from darklens.classify.reference import ReferenceConfig, ReferenceNetwork
from darklens.classify.subspace import SubspaceConfig, SubspaceNetwork
from darklens.errors import BadModel
from darklens.nn import parse_spec, write_spec

__all__ = ["build_network", "network_spec"]

_CONFIGS: dict[str, type[Any]] = {
    "reference": ReferenceConfig,
    "subspace": SubspaceConfig,
    "backbone": BackboneConfig,
}
_NETWORKS: dict[str, Callable[..., ClassifierNetwork]] = {
    "reference": ReferenceNetwork,
    "subspace": SubspaceNetwork,
    "backbone": BackboneNetwork,
}


def build_network(
    spec: Mapping[str, Any], *, in_channels: int = 1, classes: int = 3
) -> ClassifierNetwork:
    """A network with fresh weights from its name and the fields of its configuration.

    Args:
        spec: `{"name": "reference", "backbone" or "subspace", **fields}`; fields that are left
            out keep their defaults.
        in_channels: Channels of the preprocessed images.
        classes: Number of logits.

    Raises:
        BadModel: If the name, a field or a value is not known.
    """
    name, settings = parse_spec(spec, _CONFIGS)
    _check_ranges(settings)
    config = _CONFIGS[name](**settings)
    return _NETWORKS[name](config, in_channels=in_channels, classes=classes)


def network_spec(network: ClassifierNetwork) -> dict[str, Any]:
    """The complete description from which `build_network` makes such a network again."""
    return write_spec(network.config, _CONFIGS)


def _check_ranges(settings: Mapping[str, Any]) -> None:
    """Refuse values out of range: specs come from files."""
    if settings.get("size", 32) < 32:
        raise BadModel("the reference network needs a size of 32 pixels or more")
    if settings.get("components", 1) < 1 or settings.get("stretch", 1) <= 0:
        raise BadModel("components must be at least 1 and stretch positive")
    if not 0 <= settings.get("dropout", 0) < 1:
        raise BadModel("dropout must be at least 0 and below 1")
