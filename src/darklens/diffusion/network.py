"""Build a generator network from its name and settings, and register further networks."""

from collections.abc import Mapping
from typing import Any

from darklens.diffusion.base import GeneratorNetwork
from darklens.diffusion.ddpm import DiffusersConfig, DiscreteDiffusion, ReferenceDiffusionConfig
from darklens.diffusion.edm import ComponentConfig, ComponentDiffusion
from darklens.diffusion.lens_and_masses import LensAndMasses, LensAndMassesConfig
from darklens.nn import NetworkRegistry

__all__ = ["build_generator", "generator_spec", "register_generator"]

_REGISTRY: NetworkRegistry[GeneratorNetwork] = NetworkRegistry()
register_generator = _REGISTRY.register
generator_spec = _REGISTRY.spec

register_generator("components", ComponentConfig, ComponentDiffusion)
register_generator("lens_and_masses", LensAndMassesConfig, LensAndMasses)
register_generator("reference", ReferenceDiffusionConfig, DiscreteDiffusion)
register_generator("diffusers", DiffusersConfig, DiscreteDiffusion)


def build_generator(
    spec: Mapping[str, Any], *, channels: int = 1, classes: int = 3
) -> GeneratorNetwork:
    """Build a network with initial weights from its name and the fields of its configuration.

    Args:
        spec: `{"name": "components", "lens_and_masses", "reference", "diffusers" or a registered
            name, **fields}`; omitted fields keep their defaults.
        channels: Channels of the preprocessed images.
        classes: Number of classes of the data.

    Raises:
        BadModel: If the name or a field is unknown, or a value is of the wrong type or out of
            range.
    """
    return _REGISTRY.build(_REGISTRY.read(spec), channels=channels, classes=classes)
