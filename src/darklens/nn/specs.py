"""Networks by name: descriptions from cards and recipes into checked configurations.

Each network has a frozen dataclass with real defaults as its configuration. Descriptions come from
files, so names, settings and types of values are checked, and nothing that they name is imported.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from darklens.errors import BadModel

__all__ = ["parse_spec", "write_spec"]


def parse_spec(
    spec: Mapping[str, Any], known: Mapping[str, type[Any]]
) -> tuple[str, dict[str, Any]]:
    """Name and settings of the network that a description asks for, of the right types.

    Args:
        spec: `{"name": ..., **fields}`; fields that are left out keep their defaults.
        known: Configuration classes by the names of their networks.

    Raises:
        BadModel: If the name, a field or the type of a value is not known.
    """
    settings = dict(spec)
    name = settings.pop("name", None)
    if name not in known:
        raise BadModel(f"there is no network '{name}'; known are {', '.join(known)}")
    defaults = known[name]()
    names = [item.name for item in fields(defaults)]
    for key in settings:
        if key not in names:
            raise BadModel(f"the network '{name}' has no '{key}'; it has {', '.join(names)}")
    hints = get_type_hints(known[name])
    for key, value in settings.items():
        if get_origin(hints[key]) is Literal and value not in get_args(hints[key]):
            choices = ", ".join(map(str, get_args(hints[key])))
            raise BadModel(f"there is no {key} '{value}'; known are {choices}")
    return name, {
        key: _checked(name, key, value, getattr(defaults, key)) for key, value in settings.items()
    }


def write_spec(config: Any, known: Mapping[str, type[Any]]) -> dict[str, Any]:
    """The complete description from which this configuration can be made again.

    Raises:
        BadModel: If it is not the configuration of a network that cards can name.
    """
    for name, kind in known.items():
        if type(config) is kind:
            return {"name": name, **asdict(config)}
    raise BadModel(f"{type(config).__name__} is not of a network that cards can name")


def _checked(name: str, key: str, value: Any, default: Any) -> Any:
    """The value if it is of the default's type; a list where the default is a tuple."""
    if isinstance(default, tuple):
        is_list = isinstance(value, list | tuple) and len(value) > 0
        if is_list and all(type(item) is type(default[0]) for item in value):
            return tuple(value)
    else:
        kind: Any = {dict: Mapping, float: (int, float)}.get(type(default), type(default))
        if isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool):
            return value
    raise BadModel(f"the network '{name}' cannot have {key}={value!r}")
