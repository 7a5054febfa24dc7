"""Networks by name: from a description in a card or recipe to a validated configuration.

The configuration of each network is a frozen dataclass with real defaults, whose annotations are
the schema of the description. Nothing named in a description is imported.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from darklens.errors import BadModel
from darklens.files.schema import read_as

__all__ = ["read_spec", "write_spec"]


def read_spec(spec: Mapping[str, Any], known: Mapping[str, type[Any]]) -> Any:
    """Configuration of the network given by a description.

    Args:
        spec: `{"name": ..., **fields}`; omitted fields keep their defaults.
        known: Configuration classes by network name.

    Raises:
        BadModel: If the name or a field is unknown, or a value is of the wrong type or out of
            range.
    """
    settings = dict(spec)
    name = settings.pop("name", None)
    if not isinstance(name, str) or name not in known:
        raise BadModel(f"there is no network '{str(name)[:60]}'; choose from {', '.join(known)}")
    return read_as(known[name], settings, BadModel, source=f"network '{name}'")


def write_spec(config: Any, known: Mapping[str, type[Any]]) -> dict[str, Any]:
    """The complete description from which this configuration can be rebuilt.

    Raises:
        BadModel: If it is not the configuration of a known network.
    """
    for name, kind in known.items():
        if type(config) is kind:
            return {"name": name, **asdict(config)}
    raise BadModel(f"{type(config).__name__} is not the configuration of a known network")
