"""Draws from a prior and their images, kept in the user's cache from one command to the next.

Every fit starts from a few thousand lenses drawn from the preset, which take seconds to make and
are the same on every call. They are kept under a key that stands for all that they depend on, the
source of the physics included, so that no change of a preset or of the code meets old ones. Where
the cache cannot be read or written they are made afresh.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num

from darklens.errors import DarklensError
from darklens.files.atomic import atomic_file
from darklens.simulation.digest import content_digest

__all__ = ["precomputed"]

_SOURCES = ("lensing", "simulation", "modelling")
_MOST_BYTES = 320_000_000  # in all; files that were not used for longest are removed
_KEY_LENGTH = 32


def precomputed(
    name: str, depends_on: Any, make: Callable[[], Num[np.ndarray, "..."]]
) -> Num[np.ndarray, "..."]:
    """An array from the cache, or made and then kept there.

    Args:
        name: What it is, in one word.
        depends_on: All that it depends on beside the source of the physics: presets, models,
            arrays and plain values.
        make: Makes it.
    """
    folder = _folder()
    if folder is None:
        return make()
    key = content_digest(np.__version__, _source_digest(), depends_on)[:_KEY_LENGTH]
    path = folder / f"{name}-{key}.npy"
    with suppress(OSError, ValueError, EOFError):  # absent or damaged
        kept: np.ndarray = np.load(path, allow_pickle=False)
        with suppress(OSError):  # a cache that is read-only
            path.touch()
        return kept
    made = make()
    with suppress(OSError, DarklensError):  # a full disk, or a folder that is read-only
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as temporary:
            np.save(temporary, made)
        _remove_unused(folder)
    return made


def _folder() -> Path | None:
    """The folder named by DARKLENS_CACHE, or `darklens` in the user's cache."""
    if given := os.environ.get("DARKLENS_CACHE"):
        return Path(given)
    if (cache_home := os.environ.get("XDG_CACHE_HOME")) and Path(cache_home).is_absolute():
        return Path(cache_home) / "darklens"
    try:
        return Path.home() / ".cache" / "darklens"
    except RuntimeError:  # a user without a home
        return None


@cache
def _source_digest() -> str:
    """Digest of the source that renders lenses."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        files = (item for item in (resources.files("darklens") / name).iterdir() if item.is_file())
        for item in sorted(files, key=lambda item: item.name):
            if item.name.endswith(".py"):
                digest.update(item.read_bytes())
    return digest.hexdigest()


def _remove_unused(folder: Path) -> None:
    found = [(path, path.stat()) for path in folder.glob("*.npy")]
    kept = 0
    for path, about in sorted(found, key=lambda item: item[1].st_mtime, reverse=True):
        kept += about.st_size
        if kept > _MOST_BYTES:
            path.unlink(missing_ok=True)
