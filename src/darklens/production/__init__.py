"""Write images: simulated, generated and converted ones, as a store, a folder or a grid.

Names are loaded when they are first asked for: simulating needs no network.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darklens.production.converted import convert
    from darklens.production.generated import generate
    from darklens.production.outputs import WrittenImages
    from darklens.production.simulated import simulate

__all__ = [
    "WrittenImages",
    "convert",
    "generate",
    "simulate",
]

_HOMES = {
    "WrittenImages": "darklens.production.outputs",
    "convert": "darklens.production.converted",
    "generate": "darklens.production.generated",
    "simulate": "darklens.production.simulated",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
