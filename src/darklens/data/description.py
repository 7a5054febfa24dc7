"""The description of an image set, `dataset.yaml`, and the differences between two of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darklens.errors import BadInput
from darklens.files.plain_yaml import read_yaml

__all__ = ["DESCRIPTION", "STORE_FORMAT", "differences", "is_store", "read_description"]

DESCRIPTION = "dataset.yaml"
STORE_FORMAT = "darklens-store"
"""The `format` of a store in its description."""
_LONGEST = 60  # most characters of a setting to show
_OPTIONS = ("count", "seed", "preset", "classes", "format", "model", "steps", "guidance", "label")
_WORDS = {
    "declaration": "the text of the preset",
    "resolved": "a file that the preset names (such as its PSF)",
    "weights": "the model's weights",
    "card": "the model's card",
    "shape": "the shape of the images",
    "dtype": "the type of the pixels",
    "version": "the version of darklens",
}
_CONSEQUENCES = {"shard": "count", "resolved": "declaration", "declaration": "preset"}
"""Settings that follow from another one, which is reported instead."""


def read_description(folder: Path) -> dict[str, Any] | None:
    """The description in a folder, or None if there is none or it is unreadable."""
    try:
        found = read_yaml(folder / DESCRIPTION, BadInput)
    except BadInput:
        return None
    return found if isinstance(found, dict) else None


def is_store(path: Path) -> bool:
    """Whether a folder is a store, damaged or not."""
    if (path / "zarr.json").is_file():
        return True
    return (read_description(path) or {}).get("format") == STORE_FORMAT


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Describe in words which settings differ.

    >>> differences({"count": 3, "attributes": {"seed": 1}}, {"count": 4, "shard": 2})
    '--count was 3, not 4; --seed was 1, not None'
    """
    one, other = _flat(found), _flat(wanted)
    names = [name for name in {**other, **one} if one.get(name) != other.get(name)]
    shown = [name for name in names if _CONSEQUENCES.get(name) not in names]
    return "; ".join(_difference(name, one.get(name), other.get(name)) for name in shown)


def _flat(description: Mapping[str, Any]) -> dict[str, Any]:
    attributes = description.get("attributes")
    rest = {key: value for key, value in description.items() if key != "attributes"}
    return {**rest, **attributes} if isinstance(attributes, Mapping) else rest


def _difference(name: str, found: Any, wanted: Any) -> str:
    what = f"--{name}" if name in _OPTIONS else _WORDS.get(name, str(name))
    shown = [_shown(value) for value in (found, wanted)]
    if name in ("declaration", "resolved", "weights", "card") or max(map(len, shown)) > _LONGEST:
        return f"{what} has changed"
    return f"{what} was {shown[0]}, not {shown[1]}"


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
