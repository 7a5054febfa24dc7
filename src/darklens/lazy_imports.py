"""Names of a package that are imported on first use, so that importing the package is quick."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a package (PEP 562) for names that live in other modules.

    Args:
        package: Name of the package.
        homes: Module of each name.

    Returns:
        A function that imports a name from its module, and raises `AttributeError` for others.

    >>> lazy_names("shapes", {"hypot": "math"})("hypot")(3, 4)
    5.0
    """

    def get(name: str) -> Any:
        if name in homes:
            return getattr(import_module(homes[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get
