"""Plain YAML into frozen dataclasses, strictly: unknown keys, missing keys, wrong types refused.

The dataclasses' own annotations are the schema. Nothing named in the file is ever imported.
"""

import math
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from darklens.errors import BadModel

__all__ = ["from_plain", "to_plain"]


def from_plain(kind: Any, value: Any, where: str) -> Any:
    """Build a value of an annotated type out of what `darklens.files.plain_yaml` reads.

    Args:
        kind: A dataclass, `tuple[T, ...]`, `dict[str, T]`, `T | None`, `Any`, str, bool, int or
            float.
        value: The plain value.
        where: Place in the file, for the message, such as `card.yaml: input`.

    Raises:
        BadModel: If the value does not fit, with the place and what is expected there.
    """
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _dataclass(kind, value, where)
    if get_origin(kind) is UnionType:
        inner = next(part for part in get_args(kind) if part is not type(None))
        return None if value is None else from_plain(inner, value, where)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise BadModel(f"{where} must be a list")
        item_kind = get_args(kind)[0]
        return tuple(from_plain(item_kind, item, f"{where}[{i}]") for i, item in enumerate(value))
    if get_origin(kind) is dict:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise BadModel(f"{where} must be a mapping with names as keys")
        item_kind = get_args(kind)[1]
        return {key: from_plain(item_kind, item, f"{where}.{key}") for key, item in value.items()}
    return _scalar(kind, value, where)


def to_plain(value: Any) -> Any:
    """The inverse of `from_plain`: dataclasses and tuples as dicts and lists, fields in order."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def _dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise BadModel(f"{where} must be a mapping")
    hints = get_type_hints(kind)
    unknown = sorted(str(key) for key in value if key not in hints)
    if unknown:
        raise BadModel(
            f"{where} has the unknown key {unknown[0][:60]!r}, which a newer darklens may have "
            f"written; known are {', '.join(hints)}"
        )
    for item in fields(kind):
        if item.default is MISSING and item.name not in value:
            raise BadModel(f"{where} lacks the key {item.name!r}")
    return kind(
        **{name: from_plain(hints[name], item, f"{where}.{name}") for name, item in value.items()}
    )


def _scalar(kind: type, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        words = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
        wanted = words[kind]
        raise BadModel(f"{where} must be {wanted}, not {str(value)[:60]!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadModel(f"{where} must be a finite number")
    return value
