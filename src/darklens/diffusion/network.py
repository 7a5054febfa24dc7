"""Build a generator network from its name and settings."""

from collections.abc import Callable, Mapping
from typing import Any

from darklens.diffusion.base import GeneratorNetwork
from darklens.diffusion.ddpm import DiffusersConfig, DiscreteDiffusion, ReferenceDiffusionConfig
from darklens.diffusion.edm import ComponentConfig, ComponentDiffusion
from darklens.nn import read_spec, write_spec

__all__ = ["build_generator", "generator_spec"]

_CONFIGS: dict[str, type[Any]] = {
    "components": ComponentConfig,
    "reference": ReferenceDiffusionConfig,
    "diffusers": DiffusersConfig,
}
_NETWORKS: dict[str, Callable[..., GeneratorNetwork]] = {
    "components": ComponentDiffusion,
    "reference": DiscreteDiffusion,
    "diffusers": DiscreteDiffusion,
}


def build_generator(
    spec: Mapping[str, Any], *, channels: int = 1, classes: int = 3
) -> GeneratorNetwork:
    """Build a network with initial weights from its name and the fields of its configuration.

    Args:
        spec: `{"name": "components", "reference" or "diffusers", **fields}`; omitted fields keep
            their defaults.
        channels: Channels of the preprocessed images.
        classes: Number of classes of the data.

    Raises:
        BadModel: If the name or a field is unknown, or a value is of the wrong type or out of
            range.
    """
    config = read_spec(spec, _CONFIGS)
    return _NETWORKS[spec["name"]](config, channels=channels, classes=classes)


def generator_spec(network: GeneratorNetwork) -> dict[str, Any]:
    """The complete description from which `build_generator` can rebuild the network."""
    spec = write_spec(network.config, _CONFIGS)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in spec.items()}
