"""Networks by name: from a description in a card or recipe to a network.

The configuration of each network is a frozen dataclass with real defaults, whose annotations are
the schema of the description. Nothing named in a description is imported: a network is known once
it has been registered.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Generic, TypeVar

from torch import nn

from darklens.errors import BadModel
from darklens.files.schema import read_as

__all__ = ["NetworkRegistry"]

NetworkT = TypeVar("NetworkT", bound=nn.Module)


class NetworkRegistry(Generic[NetworkT]):
    """The networks of one kind, by name.

    Each network has an attribute `config`, an instance of its own configuration class.
    """

    def __init__(self) -> None:
        self._configs: dict[str, type[Any]] = {}
        self._networks: dict[str, Callable[..., NetworkT]] = {}

    def register(self, name: str, config: type[Any], network: Callable[..., NetworkT]) -> None:
        """Make a network known by name, so that cards and recipes can use it.

        Args:
            name: Name of the network in cards and recipes.
            config: Its configuration, a frozen dataclass with a default for every field.
            network: Its class, called with the configuration and the settings of `build`, such as
                the number of classes.

        Raises:
            ValueError: If the name or the configuration is already in use.
        """
        if name in self._configs or config in self._configs.values():
            raise ValueError(f"the network '{name}' or {config.__name__} is already registered")
        self._configs[name], self._networks[name] = config, network

    def read(self, spec: Mapping[str, Any]) -> Any:
        """Configuration of the network given by a description.

        Args:
            spec: `{"name": ..., **fields}`; omitted fields keep their defaults.

        Raises:
            BadModel: If the name or a field is unknown, or a value is of the wrong type or out of
                range.
        """
        settings = dict(spec)
        name = settings.pop("name", None)
        if not isinstance(name, str) or name not in self._configs:
            names = ", ".join(self._configs)
            raise BadModel(f"there is no network '{str(name)[:60]}'; choose from {names}")
        return read_as(self._configs[name], settings, BadModel, source=f"network '{name}'")

    def build(self, config: Any, **settings: Any) -> NetworkT:
        """A network with initial weights.

        Args:
            config: Its configuration.
            **settings: What the network needs besides, such as the number of classes.

        Raises:
            BadModel: If it is not the configuration of a registered network.
        """
        return self._networks[self._name(config)](config, **settings)

    def spec(self, network: NetworkT) -> dict[str, Any]:
        """The complete description from which a network can be rebuilt, as YAML has it.

        Raises:
            BadModel: If the network is not registered.
        """
        config: Any = network.config
        fields = asdict(config)
        lists = {name: list(value) for name, value in fields.items() if isinstance(value, tuple)}
        return {"name": self._name(config), **fields, **lists}

    def _name(self, config: Any) -> str:
        for name, kind in self._configs.items():
            if type(config) is kind:
                return name
        raise BadModel(f"{type(config).__name__} is not the configuration of a registered network")
