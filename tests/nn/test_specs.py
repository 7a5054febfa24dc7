"""Networks are found by name, built from a description, and described again."""

from dataclasses import dataclass

import pytest
from torch import nn

from darklens.errors import BadModel
from darklens.nn import NetworkRegistry


@dataclass(frozen=True)
class DenseConfig:
    """Configuration of a single layer."""

    width: int = 3


@dataclass(frozen=True)
class OtherConfig:
    """Configuration of another network."""


class Dense(nn.Linear):
    """A single layer."""

    def __init__(self, config: DenseConfig, *, classes: int) -> None:
        super().__init__(config.width, classes)
        self.config = config


@pytest.fixture
def registry() -> NetworkRegistry[nn.Module]:
    registry: NetworkRegistry[nn.Module] = NetworkRegistry()
    registry.register("dense", DenseConfig, Dense)
    return registry


def test_a_description_gives_the_network_and_back(registry: NetworkRegistry[nn.Module]) -> None:
    network = registry.build(registry.read({"name": "dense", "width": 5}), classes=2)
    assert isinstance(network, Dense)
    assert tuple(network.weight.shape) == (2, 5)
    assert registry.spec(network) == {"name": "dense", "width": 5}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "there is no network 'None'; choose from dense"),
        ({"name": "sparse"}, "there is no network 'sparse'"),
        ({"name": "dense", "wdth": 1}, "unknown key 'wdth'; did you mean 'width'"),
        ({"name": "dense", "width": "wide"}, "network 'dense': width must be a whole number"),
    ],
)
def test_a_wrong_description_is_refused(
    registry: NetworkRegistry[nn.Module], spec: dict[str, object], message: str
) -> None:
    with pytest.raises(BadModel, match=message):
        registry.read(spec)


def test_names_and_configurations_are_used_once(registry: NetworkRegistry[nn.Module]) -> None:
    for name, config in (("dense", OtherConfig), ("second", DenseConfig)):
        with pytest.raises(ValueError, match="already registered"):
            registry.register(name, config, Dense)


def test_an_unknown_network_has_no_description(registry: NetworkRegistry[nn.Module]) -> None:
    network = Dense(DenseConfig(), classes=2)
    network.config = OtherConfig()  # type: ignore[assignment]
    with pytest.raises(BadModel, match="OtherConfig is not the configuration"):
        registry.spec(network)
