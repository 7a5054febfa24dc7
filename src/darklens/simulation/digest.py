"""A fingerprint of a preset as it was read: its numbers and the contents of the files it names.

Or of anything else made of dataclasses, arrays and plain values.

Two runs that share an output must simulate the same lenses. The text of a preset does not say
so, because a file that it names, such as a pixelised PSF, may have changed in between.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from darklens.simulation.presets import Preset

__all__ = ["content_digest", "preset_digest"]


def preset_digest(preset: Preset) -> str:
    """Hash of all that the simulations of a preset depend on, in 64 hexadecimal digits."""
    return content_digest(preset)


def content_digest(*values: Any) -> str:
    """Hash of one or more values, in 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in (part for value in values for part in _parts(value)):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    """The value in pieces of bytes, the same in every process."""
    if is_dataclass(value) and not isinstance(value, type):
        yield type(value).__name__.encode()
        for item in fields(value):
            yield item.name.encode()
            yield from _parts(getattr(value, item.name))
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype.str} {value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key).encode()
            yield from _parts(item)
    elif isinstance(value, list | tuple):
        yield str(len(value)).encode()
        for item in value:
            yield from _parts(item)
    else:
        yield repr(value).encode()
