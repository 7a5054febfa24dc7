"""How classifier networks are chosen: `build_network` makes one from its name and settings.

Each network has a frozen dataclass as its configuration. Descriptions come from model cards and
recipes, so names, settings and values are checked, and nothing that they name is imported.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from darklens.classify.backbone import BackboneConfig, BackboneNetwork
from darklens.classify.base import ClassifierNetwork
from darklens.classify.reference import ReferenceConfig, ReferenceNetwork
from darklens.classify.subspace import SubspaceConfig, SubspaceNetwork
from darklens.errors import BadModel

__all__ = ["build_network", "network_spec"]

_NETWORKS: dict[str, tuple[type[Any], Callable[..., ClassifierNetwork]]] = {
    "reference": (ReferenceConfig, ReferenceNetwork),
    "subspace": (SubspaceConfig, SubspaceNetwork),
    "backbone": (BackboneConfig, BackboneNetwork),
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
    settings = dict(spec)
    name = settings.pop("name", None)
    if name not in _NETWORKS:
        raise BadModel(f"there is no network '{name}'; known are {', '.join(_NETWORKS)}")
    config_class, network_class = _NETWORKS[name]
    known = [item.name for item in fields(config_class)]
    for key in settings:
        if key not in known:
            raise BadModel(f"the network '{name}' has no '{key}'; it has {', '.join(known)}")
    _check_values(name, settings, defaults=config_class())
    config = config_class(**settings)
    return network_class(config, in_channels=in_channels, classes=classes)


def network_spec(network: ClassifierNetwork) -> dict[str, Any]:
    """The complete description from which `build_network` makes such a network again."""
    for name, (config_class, _) in _NETWORKS.items():
        config = network.config
        if type(config) is config_class:
            return {"name": name, **asdict(config)}
    raise BadModel(f"{type(network).__name__} is not one of the networks that cards can name")


def _check_values(name: str, settings: Mapping[str, Any], *, defaults: Any) -> None:
    """Refuse values of another type than the defaults' or out of range: specs come from files."""
    for key, value in settings.items():
        kind: Any = type(getattr(defaults, key))
        kind = {dict: Mapping, float: (int, float)}.get(kind, kind)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise BadModel(f"the network '{name}' cannot have {key}={value!r}")
    if settings.get("size", 32) < 32:
        raise BadModel("the reference network needs a size of 32 pixels or more")
    if settings.get("pool", "avg") not in ("avg", "avgmax", "attention"):
        raise BadModel(f"there is no pool '{settings['pool']}'; known are avg, avgmax, attention")
    if settings.get("components", 1) < 1 or settings.get("stretch", 1) <= 0:
        raise BadModel("components must be at least 1 and stretch positive")
    if not 0 <= settings.get("dropout", 0) < 1:
        raise BadModel("dropout must be at least 0 and below 1")
