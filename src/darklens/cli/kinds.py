"""Which plain values are valid for the types of verb parameters, and within which limits."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from inspect import signature
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from darklens.files.configuration import FLAT_GROUP

__all__ = [
    "LIMITS",
    "accepts_text",
    "is_free",
    "is_group",
    "is_switch",
    "options_of",
    "problem",
    "settings_of",
]

LIMITS: Mapping[str, tuple[int | float, int | float]] = {
    "batch": (1, 65_536),
    "batch_size": (1, 65_536),
    "checkpoint_minutes": (0, 1_000_000),
    "count": (1, 100_000_000),
    "epoch_images": (1, 100_000_000),
    "epochs": (1, 1_000_000),
    "fold": (0, 1000),
    "folds": (2, 1000),
    "generated": (0, 10_000),
    "guidance": (-1000, 1000),
    "images": (1, 10**12),
    "learning_rate": (0, 1000),
    "minutes": (0, 1_000_000),
    "patience": (0, 1_000_000),
    "per_class": (1, 1_000_000),
    "pixel_scale": (1e-6, 3600),
    "prepared_images": (0, 100_000_000),
    "preview_epochs": (0, 1_000_000),
    "preview_steps": (1, 100_000),
    "resamples": (1, 1_000_000),
    "restart_epochs": (1, 1_000_000),
    "seed": (0, 2**63 - 1),
    "size": (1, 16_384),
    "split_seed": (0, 2**32 - 1),
    "splits": (1, 1000),
    "steps": (1, 100_000),
    "stream_seed": (0, 2**63 - 1),
    "stress_count": (1, 100_000_000),
    "validation_images": (1, 100_000_000),
    "validation_seed": (0, 2**63 - 1),
    "weight_decay": (0, 1000),
    "workers": (0, 1024),
}
"""Lowest and highest value of a number by its name, which is the same in all verbs.

They catch typing errors and damaged files that would ask for more memory or processes than any
machine has; each verb checks its further requirements itself.
"""


_STRUCTURE = re.compile(r"^\s*[\[{&*!?|>]|:\s|\n")


def options_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Types of the arguments of a verb by name, with the settings of its group `options`."""
    hints = get_type_hints(function)
    kinds = {name: hints[name] for name in signature(function).parameters}
    flat = kinds.pop(FLAT_GROUP, None)
    return kinds | ({} if flat is None else settings_of(flat))


def is_group(kind: Any) -> bool:
    """Whether a parameter is a group of settings, each with its own option."""
    return is_dataclass(kind)


def settings_of(kind: Any) -> dict[str, Any]:
    """Types of the settings of a group, by name."""
    return get_type_hints(kind)


def is_free(kind: Any) -> bool:
    """Whether the keys of a value are not fixed by its type."""
    return kind is Any or any(get_origin(part) in (dict, Mapping) for part in _parts(kind))


def is_switch(kind: Any) -> bool:
    """Whether an option may be given without a value, meaning true."""
    return bool in _parts(kind)


def accepts_text(kind: Any) -> bool:
    """Whether any text is a valid value."""
    return any(part in (str, Path, Any) for part in _parts(kind))


def problem(name: str, kind: Any, value: Any) -> str | None:
    """What is wrong with a value, or None if it is valid.

    Args:
        name: Name of the parameter, for its limits.
        kind: Its type.
        value: A plain value.

    >>> problem("count", int, "many")
    "must be a whole number, not 'many'"
    >>> problem("workers", int | None, 100_000)
    'must be from 0 to 1024, not 100000'
    """
    parts = _parts(kind)
    if is_switch(kind) and isinstance(value, str) and value in ("true", "false"):
        return None
    # Where text is one of several types, it must not be read as a list or a mapping.
    choice = set(parts) - {str, int, float, NoneType}
    structured = bool(choice) and len(parts) > 1 and _is_structured(value)
    if structured or not any(_fits(part, value) for part in parts):
        wanted = " or ".join(dict.fromkeys(_wanted(part) for part in parts if part is not NoneType))
        return f"must be {wanted}, not {str(value)[:60]!r}"
    low, high = LIMITS.get(name, (float("-inf"), float("inf")))
    if isinstance(value, int | float) and not isinstance(value, bool) and not low <= value <= high:
        return f"must be from {low} to {high}, not {value}"
    return None


def _is_structured(value: Any) -> bool:
    return isinstance(value, str) and _STRUCTURE.search(value) is not None


def _parts(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _fits(kind: Any, value: Any) -> bool:
    origin = get_origin(kind) or kind
    if origin is Literal:
        return value in get_args(kind)
    if origin is Any:
        return True
    if origin in (list, tuple, set, Sequence):
        item = (get_args(kind) or (Any,))[0]
        return isinstance(value, list) and all(_fits(item, one) for one in value)
    accepted = {float: (int, float), Path: (str,), Mapping: (dict,)}.get(origin, (origin,))
    return isinstance(value, accepted) and not (isinstance(value, bool) and origin is not bool)


def _wanted(kind: Any) -> str:
    origin = get_origin(kind) or kind
    if origin is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    words = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text",
        Path: "a path",
        dict: "a mapping",
        Mapping: "a mapping",
    }
    return words.get(origin, "a list")
